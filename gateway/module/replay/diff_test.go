package replay

import (
	"net/http"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	before := Answer{Status: 200, Header: http.Header{"Date": {"a"}, "X-A": {"1"}, "X-Gone": {"x"}}, Body: "one\ntwo\nthree\nfour\n"}
	same := before
	same.Header = http.Header{"Date": {"b"}, "X-A": {"1"}, "X-Gone": {"x"}, "Content-Length": {"7"}}
	if got := Diff(before, same); got != nil {
		t.Errorf("got %q for answers that are alike", got)
	}
	after := Answer{Status: 404, Header: http.Header{"X-A": {"2"}, "X-New": {"y"}}, Body: "zero\none\nthree\n3\nfour\n"}
	want := "- status 200\n+ status 404\n- X-A: 1\n+ X-A: 2\n- X-Gone: x\n+ X-New: y\n+ zero\n- two\n+ 3"
	if got := strings.Join(Diff(before, after), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	long := Answer{Status: 200, Body: strings.Repeat("a\nb\n", maxLines)}
	other := Answer{Status: 200, Body: strings.Repeat("c\n", maxLines+1)}
	if got := Diff(long, other); len(got) != 2 {
		t.Errorf("got %d lines for bodies that are too long to compare", len(got))
	}
}
