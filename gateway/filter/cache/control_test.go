package cache

import (
	"testing"
	"time"
)

func TestControl(t *testing.T) {
	for text, want := range map[string]control{
		"":                                  {maxAge: -1, sharedAge: -1, staleWhile: -1, minFresh: -1},
		"No-Store, max-age=5":               {noStore: true, maxAge: 5 * time.Second, sharedAge: -1, staleWhile: -1, minFresh: -1},
		`max-age="7" , private="a, public"`: {private: true, maxAge: 7 * time.Second, sharedAge: -1, staleWhile: -1, minFresh: -1},
		"max-age=9,max-age=3,s-maxage=x":    {maxAge: 3 * time.Second, staleWhile: -1, minFresh: -1},
		"max-age=99999999999999999999999":   {maxAge: maxSeconds * time.Second, sharedAge: -1, staleWhile: -1, minFresh: -1},
		`x="no-store, y`:                    {maxAge: -1, sharedAge: -1, staleWhile: -1, minFresh: -1},
	} {
		if got := parseControl([][]byte{[]byte(text)}); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for list, want := range map[string]bool{
		`"a"`: true, `W/"a"`: true, `"b", "a"`: true, `*`: true, `"b"`: false, ``: false, `a`: false, `"b,"a"`: false, `"b", W/"a"`: true,
	} {
		if got := matches(list, `W/"a"`); got != want {
			t.Errorf("%s: %v", list, got)
		}
	}
}

func FuzzControl(f *testing.F) {
	for _, s := range []string{"max-age=1, no-cache", `private="x", public`, "max-age=", `"\"`, ",,=,"} {
		f.Add([]byte(s), "x")
	}
	f.Fuzz(func(t *testing.T, line []byte, list string) {
		c := parseControl([][]byte{line})
		for _, d := range []time.Duration{c.maxAge, c.sharedAge, c.staleWhile, c.minFresh} {
			if d < -1 || d > maxSeconds*time.Second {
				t.Errorf("%q: %s", line, d)
			}
		}
		if matches(list, `"never seen"`) && list == "" {
			t.Error("nothing matches")
		}
		_, _ = varyNames([][]byte{line})
	})
}
