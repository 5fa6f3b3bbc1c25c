package oci

import (
	"strings"
	"testing"
)

func TestReferences(t *testing.T) {
	sum := "sha256:" + strings.Repeat("0a", 32)
	for text, want := range map[string]Reference{
		"oci://ghcr.io/acme/hello:1.2":           {Host: "ghcr.io", Repository: "acme/hello", Tag: "1.2"},
		"oci://localhost:5000/hello:1":           {Host: "localhost:5000", Repository: "hello", Tag: "1"},
		"oci://[::1]:5000/hello@" + sum:          {Host: "[::1]:5000", Repository: "hello", Digest: sum},
		"oci://ghcr.io/acme/hello:1.2@" + sum:    {Host: "ghcr.io", Repository: "acme/hello", Tag: "1.2", Digest: sum},
		"oci-layout://modules/layout:1":          {Path: "modules/layout", Tag: "1"},
		"oci-layout:///srv/a:b@c/layout@" + sum:  {Path: "/srv/a:b@c/layout", Digest: sum},
		"oci-layout:///srv/my layout:1.2@" + sum: {Path: "/srv/my layout", Tag: "1.2", Digest: sum},
	} {
		r, err := ParseReference(text)
		if err != nil || r != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, r, err, want)
		}
		if r.String() != text {
			t.Errorf("%s is written as %s", text, r)
		}
	}
	for _, text := range []string{
		"", "hello", "ghcr.io/acme/hello:1", "docker://ghcr.io/a:1", "oci://ghcr.io/acme/hello", "oci://ghcr.io:1", "oci://", "oci://:1",
		"oci:///hello:1", "oci://ghcr.io/Acme/hello:1", "oci://ghcr.io/acme/hello:", "oci://ghcr.io/a:../x", "oci://user:pw@ghcr.io/a:1",
		"oci://ghcr.io/../a:1", "oci://ghcr.io/a@sha256:12", "oci://ghcr.io/a@sha512:12", "oci-layout://:1", "oci-layout://a\x00:1",
		"oci-layout://a/b", "oci://ghcr.io/a?x=y:1", "oci://ghcr.io/" + strings.Repeat("a", 5000) + ":1",
	} {
		if r, err := ParseReference(text); err == nil {
			t.Errorf("%.80q: got %+v, want an error", text, r)
		}
	}
}

func FuzzReference(f *testing.F) {
	for _, text := range []string{"oci://ghcr.io/acme/hello:1.2", "oci-layout:///srv/x@sha256:" + strings.Repeat("0", 64), "oci://[::1]:1/a:1@"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReference(text)
		if err != nil {
			return
		}
		again, err := ParseReference(r.String())
		if err != nil || again != r {
			t.Errorf("%q reads as %+v, and its text %q as %+v (%v)", text, r, r, again, err)
		}
	})
}
