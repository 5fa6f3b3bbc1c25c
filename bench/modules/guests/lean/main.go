// Lean is a guest of 3.3 megabytes: encoding/json, fmt and sort, the usual for a module that works on lists itself. It is for
// measurements of what instances, metering and long computations cost.
package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

func init() {
	guest.Handle("GET", "/v1/ok", func(_ *guest.Request, w *guest.Response) error { return w.WriteString("ok") })
	guest.Handle("GET", "/v1/typed", func(_ *guest.Request, w *guest.Response) error { return answer(w, typed) })
	guest.Handle("GET", "/v1/untyped", func(_ *guest.Request, w *guest.Response) error { return answer(w, untyped) })
}

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

var input []byte // a pod list of 100 KiB, made when it is first asked for

func list() []byte {
	if input != nil {
		return input
	}
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
	input, _ = json.Marshal(l)
	return input
}

// answer does the work and answers with the size of the result.
func answer(w *guest.Response, work func([]byte) ([]byte, error)) error {
	out, err := work(list())
	if err != nil {
		return err
	}
	return w.WriteString(fmt.Sprintln(len(out)))
}

// typed decodes into structs, filters, sorts and encodes.
func typed(in []byte) ([]byte, error) {
	var l podList
	if err := json.Unmarshal(in, &l); err != nil {
		return nil, err
	}
	kept := l.Items[:0]
	for _, p := range l.Items {
		if p.Status.Phase != "Failed" && strings.HasPrefix(p.Metadata.Name, "web-") {
			kept = append(kept, p)
		}
	}
	sort.Slice(kept, func(i, j int) bool { return kept[i].Metadata.Name < kept[j].Metadata.Name })
	l.Items = kept
	return json.Marshal(l)
}

// untyped does the same with maps.
func untyped(in []byte) ([]byte, error) {
	var l map[string]any
	if err := json.Unmarshal(in, &l); err != nil {
		return nil, err
	}
	items := l["items"].([]any)
	name := func(i int) string { return items[i].(map[string]any)["metadata"].(map[string]any)["Name"].(string) }
	sort.Slice(items, func(i, j int) bool { return name(i) < name(j) })
	return json.Marshal(l)
}

func main() {}
