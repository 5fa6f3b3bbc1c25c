package impersonation

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
)

// maxHeaders is how many such headers one request may have: each is a question to the authorizer, about 1 µs.
const maxHeaders = 256

const prefix = "impersonate-"

// isOurs says whether a header begins with Impersonate-, in any case. An underscore counts as a dash: some servers
// behind us may take it for one.
func isOurs(key []byte) bool {
	if len(key) < len(prefix) || key[0]|0x20 != 'i' {
		return false
	}
	for i := range len(prefix) {
		c := key[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == '_':
			c = '-'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

func count(h *fasthttp.RequestHeader) (n int) {
	for key := range h.All() {
		if isOurs(key) {
			n++
		}
	}
	return n
}

// remove deletes the n headers that count counted.
func remove(h *fasthttp.RequestHeader, n int) {
	for range n {
		var found []byte
		for key := range h.All() {
			if isOurs(key) {
				found = key
				break
			}
		}
		if found == nil {
			return
		}
		h.DelBytes(found)
	}
}

var (
	errUsers   = errors.New("more than one Impersonate-User or Impersonate-Uid header")
	errUnknown = errors.New("unknown impersonation header")
	errKey     = errors.New("malformed Impersonate-Extra- header name")
)

// parse reads the headers. Unlike kube-apiserver, which takes the first of several users and passes over headers that it
// does not know, this refuses what is ambiguous.
func parse(h *fasthttp.RequestHeader) (w wanted, err error) {
	for key, value := range h.All() {
		if !isOurs(key) {
			continue
		}
		if err := w.add(strings.ToLower(string(key[len(prefix):])), string(value)); err != nil {
			return wanted{}, err
		}
	}
	return w, nil
}

func (w *wanted) add(header, value string) error {
	switch {
	case header == "user":
		return setOnce(&w.user, value)
	case header == "uid":
		return setOnce(&w.uid, value)
	case header == "group":
		if value != "" {
			w.groups = append(w.groups, value)
		}
		return nil
	case strings.HasPrefix(header, "extra-"):
		return w.addExtra(header[len("extra-"):], value)
	}
	return errUnknown
}

func setOnce(field *string, value string) error {
	if *field != "" && value != "" {
		return errUsers
	}
	if value != "" {
		*field = value
	}
	return nil
}

// addExtra takes a key that is percent-encoded, since header names cannot hold every character.
func (w *wanted) addExtra(escaped, value string) error {
	key, err := url.PathUnescape(escaped)
	if err != nil || key == "" {
		return errKey
	}
	if w.extra == nil {
		w.extra = make(map[string][]string)
	}
	w.extra[key] = append(w.extra[key], value)
	return nil
}

// denial words a refusal as kube-apiserver does.
func denial(asker *exchange.User, info *exchange.RequestInfo) string {
	who := ""
	if asker != nil {
		who = asker.Name
	}
	resource, group := info.Resource, info.Resource
	if info.APIGroup != "" {
		group += "." + info.APIGroup
	}
	if info.Subresource != "" {
		resource += "/" + info.Subresource
	}
	message := group + " " + strconv.Quote(info.Name) + " is forbidden: User " + strconv.Quote(who) + " cannot impersonate resource " +
		strconv.Quote(resource) + " in API group " + strconv.Quote(info.APIGroup)
	if info.Namespace != "" {
		return message + " in the namespace " + strconv.Quote(info.Namespace)
	}
	return message + " at the cluster scope"
}
