package idp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Decode reads options into v, a pointer to a struct that has its defaults. Unknown options are errors; case does not matter,
// as upstream.
func Decode(options json.RawMessage, v any) error {
	if len(options) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(options))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return Wrong("", "want one object")
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return Wrong(key(wrong.Field), "want %s, have a %s", wrong.Type, wrong.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return Wrong(name, "there is no option %q", name)
	}
	return Wrong("", "%s", strings.TrimPrefix(err.Error(), "json: "))
}

// key is a field's path without the names of embedded structs, which package json puts into it: they have capitals, options
// have none.
func key(field string) string {
	words := strings.Split(field, ".")
	last := len(words) - 1
	return strings.Join(append(slices.DeleteFunc(slices.Clone(words[:last]), func(w string) bool { return w != "" && unicode.IsUpper(rune(w[0])) }), words[last]), ".")
}

// Required says which of the options, by name, is empty.
func Required(options ...string) error {
	for i := 0; i+1 < len(options); i += 2 {
		if options[i+1] == "" {
			return Wrong(options[i], "is required")
		}
	}
	return nil
}

// URL wants an absolute URL of http or https, without a user and a fragment. The message shows no password.
func URL(key, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, Wrong(key, "cannot parse as URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, Wrong(key, "want a URL that starts with http:// or https://, have %q", u.Redacted())
	case u.User != nil || u.Fragment != "":
		return nil, Wrong(key, "want a URL without a user and a fragment, have %q", u.Redacted())
	}
	return u, nil
}

// NoRedirect is that nobody knows where a browser comes back to.
func NoRedirect() error {
	return fmt.Errorf("%w: set its redirectURL, or a URL as oauthOptions.issuer, to tell it where browsers come back to", ErrUnavailable)
}
