package oauth

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/posternhq/postern/gateway/exchange"
)

const (
	// MaxBody bounds the body of a request, in bytes: the longest has a token of 16 KiB in it. With the default limit of
	// 5,000 requests in flight all bodies together are at most 320 MB.
	MaxBody = 64 << 10
	// maxParams is how many parameters a request may have; the longest list of the standards has some 20.
	maxParams = 64
)

// params are the parameters of a request. Those without a value are left out, as RFC 6749, section 3.1, wants it.
type params map[string]string

var (
	errMany     = errors.New("too many parameters")
	errTwice    = errors.New("a parameter is given more than once")
	errEncoding = errors.New("a parameter is not encoded as application/x-www-form-urlencoded wants it")
	errControl  = errors.New("a parameter has control characters in it")
)

// parseParams reads a query or a form. What one reader might take for another thing than the next is refused: parameters
// given twice, bytes that are no UTF-8, control characters.
func parseParams(text string) (params, error) {
	p := params{}
	seen := map[string]bool{}
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		if len(seen) == maxParams {
			return nil, errMany
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := decode(rawName)
		if err != nil {
			return nil, err
		}
		value, err := decode(rawValue)
		switch {
		case err != nil:
			return nil, err
		case seen[name]:
			return nil, errTwice
		}
		seen[name] = true
		if value != "" {
			p[name] = value
		}
	}
	return p, nil
}

func decode(raw string) (string, error) {
	text, err := url.QueryUnescape(raw)
	switch {
	case err != nil || !utf8.ValidString(text):
		return "", errEncoding
	case strings.ContainsFunc(text, control):
		return "", errControl
	}
	return text, nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// query is what stands behind the question mark.
func query(x *exchange.Exchange) (params, *fault) {
	p, err := parseParams(string(x.HTTP.URI().QueryString()))
	if err != nil {
		return nil, invalid(err.Error())
	}
	return p, nil
}

// form is what the body says; the query counts for nothing there: it ends up in logs.
func form(x *exchange.Exchange) (params, *fault) {
	media, _, err := mime.ParseMediaType(string(x.HTTP.Request.Header.ContentType()))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, invalid("the body must be application/x-www-form-urlencoded")
	}
	body, f := readBody(x)
	if f != nil {
		return nil, f
	}
	p, err := parseParams(string(body))
	if err != nil {
		return nil, invalid(err.Error())
	}
	return p, nil
}

// input is what the request says, in its body or, for GET, in its query.
func input(x *exchange.Exchange) (params, *fault) {
	if x.HTTP.IsPost() {
		return form(x)
	}
	return query(x)
}

// readBody reads the whole body. A body that breaks off, or comes too slowly, is answered by the listener.
func readBody(x *exchange.Exchange) ([]byte, *fault) {
	tooLarge := &fault{status: 413, code: codeRequest, text: "the body is too large"}
	if x.HTTP.Request.Header.ContentLength() > MaxBody {
		return nil, tooLarge
	}
	body := x.HTTP.RequestBodyStream()
	if body == nil {
		body = bytes.NewReader(x.HTTP.Request.Body())
	}
	b, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	switch {
	case err != nil:
		return nil, &fault{status: 400, code: codeRequest, text: "the body cannot be read", cause: err}
	case len(b) > MaxBody:
		return nil, tooLarge
	}
	return b, nil
}
