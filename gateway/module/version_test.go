package module

import (
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/hostabi"
)

// next is what a second major of the contract would be: import modules beside those of the first.
const next = "postern/v2"

// speaking is a guest that answers through a major of the contract.
func speaking(t *testing.T, importModule, abi string) []byte {
	t.Helper()
	return assembly{
		imports: [][2]string{{importModule, "response_write"}}, types: []byte{2},
		code:  instructions([]byte{opLocalGet, 0}, i32(0), i32(2), []byte{opCall, 0, opDrop}),
		data:  append(instructions([]byte{1, 0}, i32(0), []byte{opEnd}), 2, 'o', 'k'),
		about: "name: speaking\nversion: \"1\"\nabi: " + abi + "\nserves:\n- {group: test.postern.io, versions: [v1]}\n",
	}.bytes(t)
}

// TestFirstMajorKeepsLoading gives the host a second major: modules of both serve, and without it, the second is refused
// with a word on what is missing.
func TestFirstMajorKeepsLoading(t *testing.T) {
	e := engine(t, Services{})
	for abi, says := range map[string]string{"2": "needs ABI 2.0, this gateway has 1.", "1.99": "needs ABI 1.99, this gateway has 1."} {
		if _, err := e.Load(t.Context(), speaking(t, hostabi.ModuleCore, abi), plain); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("abi %s: %v, want %q", abi, err, says)
		}
	}
	if _, err := e.Load(t.Context(), speaking(t, next, "1"), plain); err == nil || !strings.Contains(err.Error(), "imports postern/v2, which this gateway does not have") {
		t.Errorf("%v", err)
	}
	had := manifest.HostABI
	manifest.HostABI = append(had[:len(had):len(had)], manifest.ABI{Major: 2})
	hostModules[next] = map[string]function{"response_write": coreFunctions["response_write"]}
	t.Cleanup(func() {
		manifest.HostABI = had
		delete(hostModules, next)
	})
	e = engine(t, Services{})
	for importModule, abi := range map[string]string{hostabi.ModuleCore: "1", next: "2"} {
		g := load(t, e, speaking(t, importModule, abi), plain("speaking"))
		if code, body := ask(t, uri, g.Serve); code != 200 || body != "ok" {
			t.Errorf("%s: got %d %q", importModule, code, body)
		}
	}
}

// TestDeclaredRoutes has the gateway answer what a manifest's routes leave out.
func TestDeclaredRoutes(t *testing.T) {
	wasm := saying(t, "guest", "name: routed\nversion: \"1\"\nserves:\n- {group: test.postern.io, versions: [v1], routes: [GET /v1/x, POST /v1/y]}\n")
	g := load(t, engine(t, Services{}), wasm, plain("routed"))
	for path, want := range map[string]int{"/v1/x": 200, "/v1/y": 405, "/v1/z": 404, "/v1": 404} {
		if code, body := ask(t, "/kapis/test.postern.io"+path, g.Serve); code != want || (code == 200) != (body == "guest") {
			t.Errorf("%s: got %d %q, want %d", path, code, body, want)
		}
	}
}

// TestSettingsMustFit keeps a module from loading with settings that its schema does not allow.
func TestSettingsMustFit(t *testing.T) {
	wasm := saying(t, "guest", "name: set\nversion: \"1\"\nserves:\n- {group: test.postern.io}\nsettings: {properties: {word: {type: string}}}\n")
	policy := plain("set")
	for settings, says := range map[string]string{`{"word":"w"}`: "", `{"word":7}`: "settings do not fit the module's schema: /word: "} {
		policy.Settings = []byte(settings)
		g, err := engine(t, Services{}).Load(t.Context(), wasm, func(string) Policy { return policy })
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", settings, err, says)
		}
		if g != nil {
			g.Retire()
			<-g.Closed()
		}
	}
}
