package config

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// checks are the words of the tag check. A check sees a value that is set; the
// two for numbers also see 0.
var checks = map[string]func(reflect.Value) string{
	"positive": func(v reflect.Value) string {
		if number(v) <= 0 {
			return fmt.Sprintf("must be greater than 0, is %v", v)
		}
		return ""
	},
	"nonnegative": func(v reflect.Value) string {
		if number(v) < 0 {
			return fmt.Sprintf("must not be negative, is %v", v)
		}
		return ""
	},
	"url":     func(v reflect.Value) string { return checkURL(v.String()) },
	"address": func(v reflect.Value) string { return checkAddress(v.String()) },
}

func number(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// checkURL wants http or https and a host. The message does not quote what
// may hold a password.
func checkURL(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "cannot parse as URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("want a URL that starts with http:// or https://, have %q", u.Redacted())
	case u.Hostname() == "":
		return fmt.Sprintf("URL %q has no host", u.Redacted())
	}
	return ""
}

// checkAddress wants host:port; an empty host is all interfaces.
func checkAddress(text string) string {
	if text == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Sprintf("want host:port, have %q", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("want a port from 0 to 65535, have %q", port)
	}
	if strings.ContainsAny(host, " /\t") {
		return fmt.Sprintf("want host:port, have %q", text)
	}
	return ""
}

// validate reports what is wrong with c, key by key and then across keys.
func validate(c *Config, l *loader) {
	validateValues(reflect.ValueOf(c).Elem(), nil, func(at path, message string) {
		l.report.fail(l.place(at.String(), message))
	})
	for _, p := range c.conflicts() {
		l.report.fail(l.place(p.Key, p.Message))
	}
	for _, p := range c.doubts() {
		l.report.warn(l.place(p.Key, p.Message))
	}
}

// validateValues walks everything below a section.
func validateValues(v reflect.Value, at path, fail func(path, string)) {
	for _, f := range fieldsOf(v.Type()) {
		validateField(f, v.FieldByIndex(f.index), at.with(f.key), fail)
	}
}

func validateField(f field, v reflect.Value, at path, fail func(path, string)) {
	switch shapeOf(f.typ) {
	case section:
		validateValues(v, at, fail)
	case objects:
		for i := range v.Len() {
			validateValues(v.Index(i), at.item(i), fail)
		}
	case table:
		for _, name := range sortedKeys(v) {
			validateValues(v.MapIndex(name), at.with(name.String()), fail)
		}
	case scalar:
		validateScalar(f, v, at, fail)
	}
}

func validateScalar(f field, v reflect.Value, at path, fail func(path, string)) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	optional := v.String() == "" && f.tag.Get("default") == ""
	if words := f.enum(); words != nil && !optional && !slices.Contains(words, v.String()) {
		fail(at, fmt.Sprintf("want one of %s; have %q", strings.Join(words, ", "), v.String()))
	}
	if check := checks[f.tag.Get("check")]; check != nil {
		if message := check(v); message != "" {
			fail(at, message)
		}
	}
}

func sortedKeys(v reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
}
