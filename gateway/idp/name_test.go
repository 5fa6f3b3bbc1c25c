package idp

import (
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestAccountName(t *testing.T) {
	for from, want := range map[string]string{
		"ada": "ada", "Ada.Lovelace": "ada.lovelace", "ada@example.org": "ada-example.org", "DOMAIN\\ada": "domain-ada", "a--b": "a-b", "-.a.-": "a",
		"a.-.b": "a.b", "Müller": "m-ller", "system:masters": "system-masters", strings.Repeat("a", 62) + ".b": strings.Repeat("a", 62),
	} {
		if got := accountName(from, "corp", "1"); got != want {
			t.Errorf("%q becomes %q, want %q", from, got, want)
		}
	}
	a, b := accountName("阿达", "corp", "1"), accountName("阿达", "corp", "2")
	if a == b || a != accountName("", "corp", "1") || !strings.HasPrefix(a, "user-") {
		t.Errorf("without letters: %q, %q", a, b)
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"", "ada", "Ada Lovelace", "ada@example.org", "auth0|42", "阿达", "-", "..", "sha256-x", "a\x00b", "\xff", strings.Repeat("x.", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := accountName(s, "corp", s)
		if problems := validation.IsDNS1123Subdomain(name); problems != nil {
			t.Errorf("%q: name %q: %q", s, name, problems)
		}
		for _, value := range []string{name, label(s)} {
			if problems := validation.IsValidLabelValue(value); problems != nil || value == "" {
				t.Errorf("%q: label %q: %q", s, value, problems)
			}
		}
		if l := label(s); l != s && label(l) == l {
			t.Errorf("%q and %q have the same label", s, l)
		}
		if e := email(s); e != "" && (e != s || !strings.Contains(e, "@")) {
			t.Errorf("%q: e-mail %q", s, e)
		}
		if d := text(s); !utf8.ValidString(d) || len(d) > maxText || strings.ContainsAny(d, "\n\r\x00") {
			t.Errorf("%q: text %q", s, d)
		}
	})
}
