package httpcall

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// target is the request target for a path, with a query if it has one, below the backend's own path. It is sent as it
// is given, so that escapes arrive as they were.
func (b *backend) target(path string) (string, error) {
	path, query, asked := strings.Cut(path, "?")
	if path != "" && path[0] != '/' {
		return "", fmt.Errorf("path %.80q does not begin with a slash", path)
	}
	if err := checkPath(path); err != nil {
		return "", err
	}
	if i := strings.IndexFunc(query, odd); i >= 0 {
		return "", fmt.Errorf("query %.80q is not escaped", query)
	}
	if path = b.prefix + path; path == "" {
		path = "/"
	}
	if path[0] != '/' {
		path = "/" + path
	}
	if strings.HasPrefix(path, "//") { // some server would take the first segment for a host
		return "", fmt.Errorf("path %.80q begins with two slashes", path)
	}
	if asked {
		path += "?" + query
	}
	return path, nil
}

// checkPath refuses an escaped path that is malformed, or that some server may resolve to one that is not below where
// it began: dot segments, also behind escapes, escaped slashes or backslashes.
func checkPath(path string) error {
	if strings.ContainsFunc(path, odd) {
		return fmt.Errorf("path %.80q is not escaped", path)
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return fmt.Errorf("path %.80q is malformed", path)
	}
	for segment := range strings.FieldsFuncSeq(decoded, func(c rune) bool { return c == '/' || c == '\\' }) {
		// Servers of the servlet kind cut parameters, "..;x=y", before they resolve.
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return fmt.Errorf("path %.80q has dot segments", path)
		}
	}
	if strings.ContainsFunc(decoded, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return fmt.Errorf("path %.80q has control characters", path)
	}
	return nil
}

// odd are the characters that cannot stand in a request target, and those that servers read differently.
func odd(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' || c == '\\' }

// checkMethod refuses what is no method, and those of proxies.
func checkMethod(method string) error {
	if len(method) > 32 || !httpguts.ValidHeaderFieldName(method) || method == http.MethodConnect || method == http.MethodTrace {
		return fmt.Errorf("%.40q is not a method that can be sent", method)
	}
	return nil
}

// ours are the headers that frame a message, speak of a connection, or that the gateway writes.
var ours = map[string]bool{
	"Connection": true, "Content-Length": true, "Expect": true, "Host": true, "Http2-Settings": true, "Keep-Alive": true,
	"Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true, "X-Request-Id": true,
}

var errHeader = errors.New(`is not of the form "Name: value"`)

// header reads a header of a record.
func header(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return "", "", fmt.Errorf("header %.80q %w", line, errHeader)
	}
	if name = http.CanonicalHeaderKey(name); ours[name] {
		return "", "", fmt.Errorf("header %q is not for modules to set", name)
	}
	return name, value, nil
}
