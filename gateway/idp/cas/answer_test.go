package cas

import (
	"errors"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/idp"
)

const head, tail = `<s:serviceResponse xmlns:s="http://www.yale.edu/tp/cas">`, `</s:serviceResponse>`

var strange = map[string]string{
	"nothing":               "",
	"no XML":                "yes\nusername\n", // protocol 1
	"HTML":                  "<html><body>username</body></html>",
	"another namespace":     strings.ReplaceAll(good, "yale", "elsewhere"),
	"no namespace":          strings.ReplaceAll(strings.ReplaceAll(good, "cas:", ""), ` xmlns:cas="http://www.yale.edu/tp/cas"`, ""),
	"failure":               bad,
	"both":                  head + `<s:authenticationFailure code="X"/><s:authenticationSuccess><s:user>a</s:user></s:authenticationSuccess>` + tail,
	"two successes":         head + strings.Repeat(`<s:authenticationSuccess><s:user>a</s:user></s:authenticationSuccess>`, 2) + tail,
	"two users":             head + `<s:authenticationSuccess><s:user>a</s:user><s:user>b</s:user></s:authenticationSuccess>` + tail,
	"no user":               head + `<s:authenticationSuccess><x:user xmlns:x="x">a</x:user></s:authenticationSuccess>` + tail,
	"empty user":            head + `<s:authenticationSuccess><s:user> </s:user></s:authenticationSuccess>` + tail,
	"elements in user":      head + `<s:authenticationSuccess><s:user>a<b/>c</s:user></s:authenticationSuccess>` + tail,
	"a proxy's":             head + `<s:authenticationSuccess><s:user>a</s:user><s:proxies><s:proxy>https://p</s:proxy></s:proxies></s:authenticationSuccess>` + tail,
	"more behind it":        good + good,
	"text behind it":        good + "x",
	"cut":                   good[:len(good)-5],
	"document type":         `<!DOCTYPE a [<!ENTITY u "admin">]>` + strings.Replace(good, "username", "&u;", 1),
	"unknown entity":        strings.Replace(good, "username", "&u;", 1),
	"instruction":           `<?php x?>` + good,
	"another character set": `<?xml version="1.0" encoding="UTF-7"?>` + good,
	"deep":                  strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
	"many":                  head + `<s:authenticationSuccess><s:user>a</s:user>` + strings.Repeat("<s:x/>", 2000) + `</s:authenticationSuccess>` + tail,
	"large":                 strings.Replace(good, "username", strings.Repeat("a", maxBytes), 1),
}

func TestAnswers(t *testing.T) {
	for what, text := range strange {
		if a, err := parse([]byte(text)); !errors.Is(err, idp.ErrRefused) || a != nil {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	a, err := parse([]byte(strings.Replace(good, "username", "use<!-- no end -->r&lt;name", 1)))
	if err != nil || a.user != "user<name" {
		t.Errorf("%+v, %v", a, err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(attributed))
	f.Add([]byte(bad))
	for _, text := range strange {
		if len(text) < 1000 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := parse(data)
		if (a == nil) == (err == nil) {
			t.Fatalf("%+v, %v", a, err)
		}
		if a != nil && (a.user == "" || strings.TrimSpace(a.user) != a.user) {
			t.Errorf("user %q", a.user)
		}
	})
}
