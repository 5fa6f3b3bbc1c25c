package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
)

// item is one stored answer, or a word on how its key is to be treated. Items are immutable.
type item struct {
	vary []string // not nil: a mark. The answers are under keys made with these request headers
	pass bool     // a mark: what comes for this key cannot be stored, so nobody waits for it

	code     int
	header   []field
	body     []byte
	etag     string // as it is sent; empty: none
	own      bool   // the entity tag is ours, the backend knows nothing of it
	modified string // Last-Modified as the backend sent it
	path     string
	asked    time.Time // when the request for it was sent
	received time.Time // minus the Age that it came with
	life     time.Duration
	stale    time.Duration // how long after that it may be served while somebody revalidates
}

type field struct{ name, value []byte }

// perItem is what an item costs beside its bytes, about.
const perItem = 500

func (i *item) weight(key string) int64 {
	n := perItem + len(key) + len(i.body) + len(i.path)
	for _, f := range i.header {
		n += len(f.name) + len(f.value) + 48
	}
	return int64(n)
}

func (i *item) age(now time.Time) time.Duration { return max(0, now.Sub(i.received)) }

// left is how much longer it is fresh; not above 0: it is stale.
func (i *item) left(now time.Time) time.Duration { return i.life - i.age(now) }

// canAsk says whether the backend can be asked if the item is still what it would answer.
func (i *item) canAsk() bool { return i.etag != "" && !i.own || i.modified != "" }

// notStored are headers of one connection or one answer, and what fasthttp writes itself.
var notStored = []string{
	"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "date", "age",
	"x-request-id", "cache-status",
}

func stored(name []byte) bool {
	return !slices.ContainsFunc(notStored, func(n string) bool { return strings.EqualFold(n, text(name)) })
}

// fields copies what is stored of a header.
func fields(h *fasthttp.ResponseHeader) (all []field) {
	for name, value := range h.All() {
		if stored(name) {
			all = append(all, field{bytes.Clone(name), bytes.Clone(value)})
		}
	}
	return all
}

// refreshed is the item after a 304 whose headers take the place of those before.
func (i *item) refreshed(h *fasthttp.ResponseHeader) *item {
	n := *i
	n.header = nil
	for _, f := range i.header {
		if len(h.PeekBytes(f.name)) == 0 {
			n.header = append(n.header, f)
		}
	}
	for _, f := range fields(h) {
		if !bytes.EqualFold(f.name, []byte("Content-Type")) { // fasthttp adds one of its own to a 304
			n.header = append(n.header, f)
		}
	}
	if tag := h.Peek("ETag"); len(tag) > 0 {
		n.etag, n.own = string(tag), false
	}
	return &n
}

// ownTag begins every entity tag of ours: weak, since the same body may come with other headers.
const ownTag = `W/"postern-`

func tag(body []byte) string {
	sum := sha256.Sum256(body)
	return ownTag + hex.EncodeToString(sum[:12]) + `"`
}

// conditions are a client's If-None-Match and If-Modified-Since.
type conditions struct{ none, since string }

func conditionsOf(h *fasthttp.RequestHeader) conditions {
	return conditions{string(h.Peek("If-None-Match")), string(h.Peek("If-Modified-Since"))}
}

// met says whether the client has what i is: then 304 is the answer (RFC 9110, section 13.2.2).
func (c conditions) met(i *item) bool {
	if c.none != "" {
		return i.etag != "" && matches(c.none, i.etag)
	}
	if c.since == "" || i.modified == "" {
		return false
	}
	since, err := http.ParseTime(c.since)
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(i.modified)
	return err == nil && !modified.After(since)
}

// matches compares weakly: W/ makes no difference.
func matches(list, etag string) bool {
	etag = strings.TrimPrefix(etag, "W/")
	for list != "" {
		list = strings.TrimLeft(list, ", \t")
		if strings.HasPrefix(list, "*") {
			return true
		}
		list = strings.TrimPrefix(list, "W/")
		if !strings.HasPrefix(list, `"`) {
			return false
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == etag {
			return true
		}
		list = list[end+2:]
	}
	return false
}

// onlyWith200 are headers that a 304 leaves out.
var onlyWith200 = []string{"content-type", "content-encoding", "content-language", "content-range"}

// answer makes i x's answer, or 304 where the client has it.
func (i *item) answer(x *exchange.Exchange, c conditions, now time.Time, word string) {
	resp := &x.HTTP.Response
	resp.ResetBody()
	resp.ImmediateHeaderFlush = false
	h := &resp.Header
	h.SetNoDefaultContentType(true)
	unchanged := c.met(i)
	for _, f := range i.header {
		if !unchanged || !slices.ContainsFunc(onlyWith200, func(n string) bool { return strings.EqualFold(n, text(f.name)) }) {
			h.AddBytesKV(f.name, f.value)
		}
	}
	var room [20]byte
	h.SetBytesV("Age", strconv.AppendInt(room[:0], int64(i.age(now)/time.Second), 10))
	h.Set("Cache-Status", word)
	if unchanged {
		resp.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	resp.SetStatusCode(i.code)
	resp.SetBodyRaw(i.body)
}

// wipe drops the headers of an answer that another one is to replace, but for what is not stored.
func wipe(h *fasthttp.ResponseHeader) {
	var names []string
	for name := range h.All() {
		if stored(name) {
			names = append(names, string(name))
		}
	}
	for _, n := range names {
		h.Del(n)
	}
}
