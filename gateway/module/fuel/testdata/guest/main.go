// The guest of the tests: work on JSON as a module of the gateway does it, and the ways to run for ever.
package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"sort"
	"strings"
)

func main() {}

type pod struct {
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	} `json:"metadata"`
	Spec struct {
		NodeName   string      `json:"nodeName"`
		Containers []container `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
		PodIP string `json:"podIP"`
	} `json:"status"`
}

type container struct {
	Name, Image string
	Args        []string
	Limits      map[string]string
}

type podList struct {
	Kind  string `json:"kind"`
	Items []pod  `json:"items"`
}

// list is a pod list of about 100 KiB.
func list() []byte {
	l := podList{Kind: "PodList", Items: make([]pod, 180)}
	for i := range l.Items {
		p := &l.Items[i]
		p.Metadata.Name = fmt.Sprintf("web-%d-%d", i*7919%180, i)
		p.Metadata.Namespace = fmt.Sprintf("team-%d", i%7)
		p.Metadata.Labels = map[string]string{"app": "web", "tier": fmt.Sprint(i % 3), "pod-template-hash": fmt.Sprint(i * 104729)}
		p.Spec.NodeName = fmt.Sprintf("node-%02d.example.test", i%20)
		for c := range 2 {
			p.Spec.Containers = append(p.Spec.Containers, container{
				Name: fmt.Sprintf("c%d", c), Image: fmt.Sprintf("registry.example.test/team/web:%d", i),
				Args:   []string{"--listen=:8080", "--verbose=2", strings.Repeat("x", i%40)},
				Limits: map[string]string{"cpu": "500m", "memory": fmt.Sprintf("%dMi", 64+i)},
			})
		}
		p.Status.Phase = []string{"Running", "Pending", "Failed"}[i%3]
		p.Status.PodIP = fmt.Sprintf("10.0.%d.%d", i/250, i%250)
	}
	b, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	return b
}

var input = list()

// size is the length of the pod list in bytes.
//
//go:wasmexport size
func size() int32 { return int32(len(input)) }

// typed decodes the pod list into structs, filters, sorts and encodes it n times, and returns a hash of the last result.
//
//go:wasmexport typed
func typed(n int32) int64 {
	var out []byte
	for range n {
		var l podList
		if err := json.Unmarshal(input, &l); err != nil {
			panic(err)
		}
		kept := l.Items[:0]
		for _, p := range l.Items {
			if p.Status.Phase != "Failed" && strings.HasPrefix(p.Metadata.Name, "web-") {
				kept = append(kept, p)
			}
		}
		sort.Slice(kept, func(i, j int) bool { return kept[i].Metadata.Name < kept[j].Metadata.Name })
		l.Items = kept
		out, _ = json.Marshal(l)
	}
	return hash(out)
}

// untyped does the same with maps.
//
//go:wasmexport untyped
func untyped(n int32) int64 {
	var out []byte
	for range n {
		var l map[string]any
		if err := json.Unmarshal(input, &l); err != nil {
			panic(err)
		}
		items := l["items"].([]any)
		name := func(i int) string { return items[i].(map[string]any)["metadata"].(map[string]any)["Name"].(string) }
		sort.Slice(items, func(i, j int) bool { return name(i) < name(j) })
		out, _ = json.Marshal(l)
	}
	return hash(out)
}

func hash(b []byte) int64 {
	h := fnv.New64a()
	h.Write(b)
	return int64(h.Sum64())
}

// sum is a tight loop over n KiB.
//
//go:wasmexport sum
func sum(n int32) int64 {
	var s int64
	for range n {
		for _, c := range input[:1024] {
			s += int64(c)
		}
	}
	return s
}

//go:wasmexport fib
func fib(n int32) int64 {
	if n < 2 {
		return int64(n)
	}
	return fib(n-1) + fib(n-2)
}

var odd int

// spin never returns.
//
//go:wasmexport spin
func spin() {
	for {
		odd++
	}
}

// fail panics after it has worked.
//
//go:wasmexport fail
func fail() { deepest(input) }

//go:noinline
func deepest(b []byte) {
	for i := range b {
		odd += int(b[i])
	}
	panic("as told")
}
