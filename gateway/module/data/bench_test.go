package data

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"
)

// podList is a PodList of n pods of about 2 KiB each.
func podList(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"metadata":{"name":"pod-%04d","namespace":"ns-%d","labels":{"app":"web","tier":"front"},"uid":"5f1c9a52-0000-4000-8000-%012d"},`+
			`"spec":{"nodeName":"node-%d","containers":[{"name":"c","image":"registry.example.com/team/app:1.2.%d","resources":{"limits":{"cpu":"250m","memory":"128Mi"}},"env":[%s]}]},`+
			`"status":{"phase":"Running","podIP":"10.0.0.%d","startTime":"2026-11-22T22:24:16Z"}}`,
			(i*7919)%n, i%5, i, i%7, i, strings.TrimSuffix(strings.Repeat(`{"name":"SOME_VARIABLE","value":"with a \"quoted\" value"},`, 26), ","), i%250)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

const benchProgram = `[{"get":"/items"},{"where":{"at":"/metadata/namespace","equals":"ns-1"}},{"sort":{"by":"/metadata/name"}},
	{"page":{"limit":5}},{"map":{"object":{"name":"/metadata/name","node":"/spec/nodeName","image":"/spec/containers/0/image"}}}]`

// BenchmarkTransform filters, sorts, pages and projects a list of about 100 KiB.
func BenchmarkTransform(b *testing.B) {
	doc := podList(50)
	program, err := Compile([]byte(benchProgram))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.Run(nil, doc, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTransformEncodingJSON does the same with encoding/json.
func BenchmarkTransformEncodingJSON(b *testing.B) {
	doc := podList(50)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var list map[string]any
		if err := json.Unmarshal(doc, &list); err != nil {
			b.Fatal(err)
		}
		var rows []map[string]any
		for _, item := range list["items"].([]any) {
			meta := item.(map[string]any)["metadata"].(map[string]any)
			spec := item.(map[string]any)["spec"].(map[string]any)
			if meta["namespace"] == "ns-1" {
				image := spec["containers"].([]any)[0].(map[string]any)["image"]
				rows = append(rows, map[string]any{"name": meta["name"], "node": spec["nodeName"], "image": image})
			}
		}
		sort.Slice(rows, func(i, j int) bool { return rows[i]["name"].(string) < rows[j]["name"].(string) })
		if _, err := json.Marshal(rows[:5]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile([]byte(benchProgram)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetLast reads a name at the end of a list of about 100 KiB.
func BenchmarkGetLast(b *testing.B) {
	doc := podList(50)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Get(doc, "/items/49/metadata/name"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkGetLastEncodingJSON(b *testing.B) {
	doc := podList(50)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var list struct {
			Items []struct{ Metadata struct{ Name string } }
		}
		if err := json.Unmarshal(doc, &list); err != nil || list.Items[49].Metadata.Name == "" {
			b.Fatal(err)
		}
	}
}
