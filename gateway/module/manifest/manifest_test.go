package manifest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	header = "\x00asm\x01\x00\x00\x00"
	good   = "name: hello\nversion: 1.0.0\nserves:\n- {group: hello.example.io, versions: [v1, v2alpha1]}\n- {group: proxy.example.io}\n"
)

func TestPackAndOf(t *testing.T) {
	code := header + "\x00\x06\x04nameX" // a custom section that is not ours
	packed, err := Pack([]byte(code), []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	m, rest, err := Split(packed)
	if err != nil || m.Name != "hello" || m.Version != "1.0.0" || string(rest) != code {
		t.Errorf("%+v, %q, %v", m, rest, err)
	}
	if got := m.Routes(); !slices.Equal(got, []string{"hello.example.io/v1", "hello.example.io/v2alpha1", "proxy.example.io/"}) {
		t.Errorf("routes %q", got)
	}
	again, err := Pack(packed, []byte(strings.Replace(good, "1.0.0", "1.0.1", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if m, rest, err = Split(again); err != nil || m.Version != "1.0.1" || string(rest) != code {
		t.Errorf("packed again: %+v, %q, %v", m, rest, err)
	}
}

func TestWants(t *testing.T) {
	m, err := Parse([]byte(good + `wants:
  kube: [{groups: [""], resources: [pods], verbs: [get, list]}]
  prometheus: true
  http: [edge-watcher]
`))
	if err != nil {
		t.Fatal(err)
	}
	w := m.Wants
	if len(w.Kube) != 1 || w.Kube[0].Groups[0] != "" || w.Kube[0].Verbs[1] != "list" || !w.Prometheus || w.HTTP[0] != "edge-watcher" {
		t.Errorf("%+v", w)
	}
}

func TestLimits(t *testing.T) {
	m, err := Parse([]byte(good + "limits: {memory: 64MiB, deadline: 1m30s, hostCalls: 7, sendBytes: 1000}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Limits{Memory: 64 << 20, Deadline: Duration(90 * time.Second), HostCalls: 7, SendBytes: 1000}); m.Limits != want {
		t.Errorf("%+v, want %+v", m.Limits, want)
	}
	text, err := json.Marshal(m.Limits)
	if err != nil || string(text) != `{"memory":"64MiB","deadline":"1m30s","hostCalls":7,"sendBytes":"1000"}` {
		t.Errorf("%s, %v", text, err)
	}
	for text, says := range map[string]string{
		"{memory: lots}": "lots", "{deadline: 5}": "duration", "{queue: -1}": "queue is negative", "{memory: -1}": "memory is negative", "{shards: 2}": "shards",
	} {
		if _, err := Parse([]byte(good + "limits: " + text + "\n")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	serves := "\nserves: [{group: a.io, versions: [v1]}]\n"
	for text, says := range map[string]string{
		"name: Hello" + serves:                                            "name",
		"name: -a" + serves:                                               "name",
		"name: " + strings.Repeat("a", 64) + serves:                       "name",
		"version: 1" + serves:                                             "name",
		"name: a\n":                                                       "serves is empty",
		"name: a\nserves: [{group: A.io}]\n":                              "DNS",
		"name: a\nserves: [{group: a/b}]\n":                               "DNS",
		"name: a\nserves: [{group: a.io, versions: [1]}]\n":               "version",
		"name: a\nserves: [{group: a.io, versions: [v1/x]}]\n":            "version",
		"name: a\nversion: \"x\\ny\"" + serves:                            "version",
		"name: a\nversion: " + strings.Repeat("1", maxVersion+1) + serves: "version",
		"name: a\nserve: []" + serves:                                     "serve",
		"name: [a" + serves:                                               "manifest",
		good + strings.Repeat("# \n", maxSize/3):                          "bytes",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80q: %v, want %q", text, err, says)
		}
	}
	for wasm, says := range map[string]string{
		"":                        "not a WebAssembly",
		"\x00asm\x0d\x00\x01\x00": "not a WebAssembly", // a component
		header:                    "no custom section",
		header + "\x01":           "cut off",
		header + "\x01\x09x":      "cut off",
		header + "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01": "cut off",
	} {
		if _, err := Of([]byte(wasm)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", wasm, err, says)
		}
	}
}

// TestTwoManifests refuses a file that says two things of itself.
func TestTwoManifests(t *testing.T) {
	packed, err := Pack([]byte(header), []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Of(append(packed, packed[len(header):]...)); err == nil || !strings.Contains(err.Error(), "two manifests") {
		t.Errorf("got %v", err)
	}
}

func FuzzOf(f *testing.F) {
	packed, err := Pack([]byte(header), []byte(good))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte(header + "\x01\x09x"))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		m, rest, err := Split(wasm)
		if err != nil {
			return
		}
		if len(m.Routes()) == 0 || len(rest) > len(wasm) {
			t.Errorf("%+v", m)
		}
		again, err := Pack(wasm, []byte(good))
		if err != nil {
			t.Fatalf("read, but not packed again: %v", err)
		}
		if _, other, err := Split(again); err != nil || string(other) != string(rest) {
			t.Errorf("packing changed the code: %v", err)
		}
	})
}

// TestMalformedYAML has text on which the decoder panics.
func TestMalformedYAML(t *testing.T) {
	for _, text := range []string{"name: x\nserves:\n  ! #0", "name: x\nwants:\n  http:\n    ! #0"} {
		if m, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q reads as %+v", text, m)
		}
	}
}
