package query

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

const people = `{"kind":"UserList","items":[
{"metadata":{"name":"ann","uid":"1","creationTimestamp":"2024-01-01T00:00:00Z","labels":{"team":"red","a.io/x":"1"},"annotations":{"kubesphere.io/alias-name":"Anna Blue","note":"one, two"}},"spec":{"email":"ann@example.com","password":"$2a$10$secret","groups":["dev","ops"]}},
{"metadata":{"name":"bob","uid":"2","namespace":"n1","creationTimestamp":"2024-01-02T00:00:00Z","labels":{"team":"blue"},"ownerReferences":[{"kind":"Workspace","uid":"w1"},{"kind":"Group","uid":"g1"}]},"spec":{"groups":["dev"],"active":true}},
{"metadata":{"name":"cat","uid":"3","creationTimestamp":"2024-01-02T00:00:00Z","annotations":{"note":"x"}},"subjects":[{"name":"s1"},{"name":"s2"}]},
{"metadata":{"name":"dan","uid":"4","creationTimestamp":"2024-01-03T00:00:00Z"},"spec":{"email":null}}
]}`

// call asks about people; tagsAndValues are of the module.
func call(query string, tagsAndValues ...any) *service.Call {
	r := hostabi.Record{}.Append(hostabi.TagQuery, query)
	for i := 0; i < len(tagsAndValues); i += 2 {
		r = r.Append(tagsAndValues[i].(hostabi.Tag), tagsAndValues[i+1].(string))
	}
	return &service.Call{Module: "test", Grants: &service.Grants{}, Record: r, Body: []byte(people), MaxBytes: 1 << 20}
}

// found is the answer as names and a total: "dan bob/4".
func found(t *testing.T, r service.Result) string {
	t.Helper()
	if r.Code != hostabi.OK {
		return r.Code.String()
	}
	var page struct {
		Items      []struct{ Metadata struct{ Name string } }
		TotalItems *int
	}
	if err := json.Unmarshal(r.Body, &page); err != nil || page.Items == nil || page.TotalItems == nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	var names []string
	for _, i := range page.Items {
		names = append(names, i.Metadata.Name)
	}
	return fmt.Sprintf("%s/%d", strings.Join(names, " "), *page.TotalItems)
}

func TestKeysOfEveryList(t *testing.T) {
	for query, want := range map[string]string{
		"":                                 "dan cat bob ann/4",
		"ascending=true":                   "ann bob cat dan/4",
		"sortBy=createTime&ascending=true": "ann bob cat dan/4",
		"sortBy=name":                      "dan cat bob ann/4",
		"sortBy=name&ascending=true":       "ann bob cat dan/4",
		"limit=2":                          "dan cat/4",
		"limit=2&page=2":                   "bob ann/4",
		"limit=3&page=2":                   "ann/4",
		"limit=2&page=3":                   "/4",
		"limit=9&page=99":                  "/4",
		"limit=9&page=9223372036854775807": "/4",
		"limit=0":                          "/4",
		"limit=-1":                         "dan cat bob ann/4",
		"limit=-7&page=2":                  "/4",
		"page=2":                           "/4",
		"limit=9223372036854775807":        "dan cat bob ann/4",
		"name=a":                           "dan cat ann/3",
		"name=a&limit=1":                   "dan/3",
		"name=A":                           "/0",
		"names=bob,ann,zed":                "bob ann/2",
		"names=bob&names=ann":              "ann/1", // the last one counts
		"name=&uid=&names=":                "dan cat bob ann/4",
		"uid=3":                            "cat/1",
		"namespace=n1":                     "bob/1",
		"alias=Blue":                       "ann/1",
		"ownerReference=g1":                "bob/1",
		"ownerKind=Workspace":              "bob/1",
		"ownerKind=Pod":                    "/0",
		"label=team%3Dred":                 "ann/1",
		"labelSelector=team+in+(red,blue)": "bob ann/2",
		"labelSelector=team!%3Dred":        "dan cat bob/3",
		"labelSelector=a.io/x":             "ann/1",
		"annotation=note":                  "cat ann/2",
		"annotation=!note":                 "dan bob/2",
		"annotation=note%3Dx":              "cat/1",
		"annotation=note!%3Dx":             "dan bob ann/3",
		"annotation=note,kubesphere.io/alias-name": "ann/1",
		"name=a&labelSelector=team":                "ann/1",
	} {
		r := New(nil).Do(t.Context(), call(query))
		if got := found(t, r); got != want || r.Err != "" {
			t.Errorf("?%s: %s (%s), want %s", query, got, r.Err, want)
		}
	}
}

// TestNoSelectorIsEverything: upstream shows everything when it cannot read what was asked for.
func TestNoSelectorIsEverything(t *testing.T) {
	for query, says := range map[string]string{
		"labelSelector=%3D%3D": "labelSelector", "label=a+b+c": "label", "annotation=%3Dx": "annotation", "annotation=a,,b": "annotation",
		"page=0": "page", "page=-1": "page", "page=x": "page", "limit=many": "limit", "ascending=maybe": "ascending", "%zz=1": "query",
	} {
		if r := New(nil).Do(t.Context(), call(query)); r.Code != hostabi.BadArgument || !strings.Contains(r.Err, says) {
			t.Errorf("?%s: %v %s, %s", query, r.Code, r.Err, r.Body)
		}
	}
}

// TestUnknownKeysAreIgnoredWithAWarning: upstream's lists are empty then.
func TestUnknownKeysAreIgnoredWithAWarning(t *testing.T) {
	for query, want := range map[string]string{
		"_=1690000":                    `299 - "unknown query parameters are ignored: _"`,
		"role=admin&_=1":               `299 - "unknown query parameters are ignored: _"`, // role is the module's
		"sortBy=age":                   `299 - "cannot sort by age: sorted by creationTimestamp"`,
		"b=1&a%22%0d%0aX=1&sortBy=%0a": `299 - "unknown query parameters are ignored: a%22%0D%0AX, b", 299 - "cannot sort by %0A: sorted by creationTimestamp"`,
		"a=1&b=1&c=1&d=1&e=1&f=1&g=1":  `299 - "unknown query parameters are ignored: a, b, c, d, e, and 2 more"`,
	} {
		r := New(nil).Do(t.Context(), call(query, hostabi.TagKnown, "role"))
		if got := found(t, r); got != "dan cat bob ann/4" || r.Err != want {
			t.Errorf("?%s: %s\n%s, want\n%s", query, got, r.Err, want)
		}
	}
}

func TestFiltersOfAModule(t *testing.T) {
	email, group := "email\nexact\n/spec/email", "group\nexact\n/spec/groups"
	for _, c := range []struct {
		query string
		more  []any
		want  string
	}{
		{"email=ann@example.com", []any{hostabi.TagFilter, email}, "ann/1"},
		{"email=ann", []any{hostabi.TagFilter, email}, "/0"},
		{"email=null", []any{hostabi.TagFilter, email}, "/0"},
		{"email=ann", []any{hostabi.TagFilter, "email\nsubstring\n/spec/email"}, "ann/1"},
		{"group=dev", []any{hostabi.TagFilter, group}, "bob ann/2"},
		{"group=dev&email=ann@example.com", []any{hostabi.TagFilter, group, hostabi.TagFilter, email}, "ann/1"},
		{"not=ops", []any{hostabi.TagFilter, "not\nabsent\n/spec/groups"}, "dan cat bob/3"},
		{"subject=s2", []any{hostabi.TagFilter, "subject\nexact\n/subjects/name"}, "cat/1"},
		{"active=true", []any{hostabi.TagFilter, "active\nexact\n/spec/active"}, "bob/1"},
		{"name=bob@", []any{hostabi.TagFilter, "name\nexact\n/spec/email"}, "/0"}, // its own goes before the standard one
		{"", []any{hostabi.TagFilter, "\nexact\n/spec/groups\ndev"}, "bob ann/2"},
		{"name=ann", []any{hostabi.TagFilter, "\nexact\n/spec/groups\ndev"}, "ann/1"},
		{"", []any{hostabi.TagFilter, "\nexact\n/spec/groups\na\nb"}, "/0"}, // a value may have lines
		{"", []any{hostabi.TagFilter, "key\nexact"}, "bad argument"},
		{"", []any{hostabi.TagFilter, "key\nexact\n/a\nvalue"}, "bad argument"},
		{"", []any{hostabi.TagFilter, "\nexact\n/a"}, "bad argument"},
		{"", []any{hostabi.TagFilter, "key\nlike\n/a"}, "bad argument"},
		{"", []any{hostabi.TagFilter, "key\nexact\na"}, "bad argument"},
		{"", []any{hostabi.TagFilter, "key\nexact\n" + strings.Repeat("/a", 17)}, "bad argument"},
		{"", []any{hostabi.TagName, "ann"}, "bad argument"}, // a tag of another service
		{"", []any{hostabi.TagVersion, "v1", hostabi.TagResource, "users"}, "bad argument"},
	} {
		if got := found(t, New(nil).Do(t.Context(), call(c.query, c.more...))); got != c.want {
			t.Errorf("?%s %q: %s, want %s", c.query, c.more, got, c.want)
		}
	}
}

func TestOnlyAndExcept(t *testing.T) {
	for _, c := range []struct{ query, only, except, want string }{
		{"", `["ann","dan","zed"]`, "", "dan ann/2"},
		{"limit=1&page=2", `["ann","dan"]`, "", "ann/2"},
		{"", "", `["ann","dan"]`, "cat bob/2"},
		{"", `["ann","dan"]`, `["ann"]`, "dan/1"},
		{"", `[]`, "", "/0"},
		{"", `{"a":1}`, "", "bad argument"},
		{"", "", `[1]`, "bad argument"},
	} {
		one := call(c.query)
		if c.only != "" {
			one.Only = []byte(c.only)
		}
		if c.except != "" {
			one.Except = []byte(c.except)
		}
		if got := found(t, New(nil).Do(t.Context(), one)); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestDroppedMembersNeverLeave: what a module drops is not in the answer, wherever the list comes from.
func TestDroppedMembersNeverLeave(t *testing.T) {
	r := New(nil).Do(t.Context(), call("names=ann", hostabi.TagDrop, "/spec/password", hostabi.TagDrop, "/metadata/annotations"))
	if found(t, r) != "ann/1" || strings.Contains(string(r.Body), "secret") || strings.Contains(string(r.Body), "alias") || !strings.Contains(string(r.Body), `"email":"ann@example.com"`) {
		t.Errorf("%s", r.Body)
	}
	for _, pointer := range []string{"spec", "/~2"} {
		if r := New(nil).Do(t.Context(), call("", hostabi.TagDrop, pointer)); r.Code != hostabi.BadArgument {
			t.Errorf("%q: %v", pointer, r.Code)
		}
	}
}

func TestLists(t *testing.T) {
	for body, want := range map[string]string{
		`[]`: "/0", `{"items":[]}`: "/0", `{"items":null}`: "/0", `null`: "/0", `{}`: "bad argument", `{"items":{}}`: "bad argument",
		`{"items":[1]}`: "bad argument", `[{"metadata":{"name":"x"}},{}]`: "x /2", `[{"metadata":{"name":`: "bad argument", `x`: "bad argument",
	} {
		one := call("")
		one.Body = []byte(body)
		if got := found(t, New(nil).Do(t.Context(), one)); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	one := call("")
	one.MaxBytes = 500
	if r := New(nil).Do(t.Context(), one); r.Code != hostabi.TooLarge || !strings.Contains(r.Err, "page") {
		t.Errorf("%v %s", r.Code, r.Err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if r := New(nil).Do(gone, call("")); r.Code != hostabi.Canceled {
		t.Errorf("a client that has left: %v", r.Code)
	}
}

// listed is a Lister of the test's own.
type listed struct {
	list List
	code hostabi.Code
	got  *service.Call
}

func (l *listed) Rows(_ context.Context, call *service.Call) (List, service.Result) {
	l.got = call
	return l.list, service.Result{Code: l.code}
}

func TestListsOfKubernetes(t *testing.T) {
	l := &listed{list: List{Head: `"kind":"User",`, Rows: []*Row{NewRow([]byte(`{"metadata":{"name":"ann"}}`)), NewRow([]byte(` {  }`)[1:])}}}
	one := call("", hostabi.TagGroup, "iam.kubesphere.io", hostabi.TagVersion, "v1alpha2", hostabi.TagResource, "users", hostabi.TagAs, "module")
	one.Body = nil
	r := New(l).Do(t.Context(), one)
	if string(r.Body) != `{"items":[{"kind":"User","metadata":{"name":"ann"}},{"kind":"User"}],"totalItems":2}` {
		t.Errorf("%v %s: %s", r.Code, r.Err, r.Body)
	}
	want := hostabi.Record{}.Append(hostabi.TagOperation, "list").Append(hostabi.TagGroup, "iam.kubesphere.io").Append(hostabi.TagVersion, "v1alpha2").
		Append(hostabi.TagResource, "users").Append(hostabi.TagAs, "module")
	if !slices.Equal(l.got.Record, want) {
		t.Errorf("asked %q", l.got.Record)
	}
	l.code = hostabi.Denied
	if r := New(l).Do(t.Context(), one); r.Code != hostabi.Denied {
		t.Errorf("%v", r.Code)
	}
	if r := New(nil).Do(t.Context(), one); r.Code != hostabi.NotFound {
		t.Errorf("without Kubernetes: %v", r.Code)
	}
}

// TestPagesFitTogether: whatever the order and the size, the pages of a list are the list, each object once.
func TestPagesFitTogether(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var rows []*Row
	for i := range 120 {
		rows = append(rows, &Row{Raw: []byte(`{}`), Name: fmt.Sprintf("u%d", i%70), Namespace: fmt.Sprint(i / 70), Created: int64(random.IntN(20))})
	}
	for _, order := range []string{"", "ascending=true", "sortBy=name", "sortBy=name&ascending=true"} {
		q, err := ask(order, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(rows)
		slices.SortFunc(want, q.before)
		for _, limit := range []int{1, 7, 50, 119, 120, 121} {
			random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			var got []*Row
			for page := 1; len(got) < len(rows); page++ {
				q, err := ask(fmt.Sprintf("%s&limit=%d&page=%d", order, limit, page), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				some, total, err := q.pick(t.Context(), rows)
				if err != nil || total != 120 || len(some) == 0 {
					t.Fatalf("?%s limit %d page %d: %d of %d, %v", order, limit, page, len(some), total, err)
				}
				got = append(got, some...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("?%s: pages of %d are not the list", order, limit)
			}
		}
	}
}

// FuzzAsk: whatever a client and a list say, the answer is JSON, or an error; a warning fits into a header.
func FuzzAsk(f *testing.F) {
	f.Add("page=2&limit=1&sortBy=name", "email\nexact\n/spec/email", people)
	f.Add("labelSelector=a,b&annotation=!x&_=%00", "\nabsent\n/a/b/~1c\nx", `[{"metadata":{"creationTimestamp":"x","labels":[]}}]`)
	f.Add("ownerKind=a&alias=b&names=,", "a\nsubstring\n/metadata/ownerReferences/kind", `{"items":[{"metadata":{"ownerReferences":[[{"kind":"a"}]]}}]}`)
	f.Fuzz(func(t *testing.T, query, filter, list string) {
		one := call(query, hostabi.TagFilter, filter, hostabi.TagDrop, "/spec")
		one.Body = []byte(list)
		r := New(nil).Do(t.Context(), one)
		if r.Code == hostabi.OK && !json.Valid(r.Body) {
			t.Fatalf("%q", r.Body)
		}
		if r.Code == hostabi.OK && strings.ContainsFunc(r.Err, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("warning %q", r.Err)
		}
	})
}

// BenchmarkPage is one page of ten out of 10,000 users that are kept.
func BenchmarkPage(b *testing.B) {
	rows := make([]*Row, 10_000)
	for i := range rows {
		rows[i] = NewRow(fmt.Appendf(nil, `{"metadata":{"name":"user-%d","uid":"%d","creationTimestamp":"2024-01-01T00:%02d:%02dZ","labels":{"iam.kubesphere.io/origin-uid":"%d"},"annotations":{"kubesphere.io/creator":"admin","iam.kubesphere.io/last-password-change-time":"2024-01-01T00:00:00Z"}},"spec":{"email":"user-%d@example.com","groups":["dev"],"password":"$2a$10$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzab"},"status":{"state":"Active"}}`,
			i, i, i/60%60, i%60, i%7, i))
	}
	s := New(&listed{list: List{Rows: rows, Head: `"kind":"User",`}})
	for _, query := range []string{"limit=10", "limit=10&page=500", "limit=10&name=99", "limit=10&labelSelector=iam.kubesphere.io/origin-uid%3D3", "limit=10&email=99@example.com", "limit=10&names=user-7", "limit=-1"} {
		b.Run(query, func(b *testing.B) {
			one := call(query, hostabi.TagGroup, "g", hostabi.TagVersion, "v1", hostabi.TagResource, "users", hostabi.TagFilter, "email\nsubstring\n/spec/email", hostabi.TagDrop, "/spec/password")
			one.Body, one.MaxBytes = nil, 64<<20
			b.ReportAllocs()
			for b.Loop() {
				if r := s.Do(b.Context(), one); r.Code != hostabi.OK {
					b.Fatal(r)
				}
			}
		})
	}
}
