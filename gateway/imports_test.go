package gateway

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const self = "github.com/posternhq/postern/"

// stages are the packages of the chain's links.
var stages = []string{
	"observe", "requestinfo", "limit", "authn", "audit", "dispatch", "impersonation", "visible", "authz", "selfreview", "kubeproxy", "kapis", "oauth", "core",
}

// imports are the direct imports of packages of the repository, by package, tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list packages: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all[strings.TrimPrefix(fields[0], self)] = fields[1:]
	}
	if len(all) < 30 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	return all
}

// TestImportsGoDownward holds the directions that the layout promises.
func TestImportsGoDownward(t *testing.T) {
	all := imports(t)
	for pkg, list := range all {
		for _, path := range list {
			target, own := strings.CutPrefix(path, self)
			stage, ofGateway := strings.CutPrefix(target, "gateway/")
			switch {
			case slices.Contains(stages, strings.TrimPrefix(pkg, "gateway/")) && own && ofGateway && slices.Contains(stages, stage):
				t.Errorf("stage %s imports stage %s", pkg, target)
			case nativeFilter(pkg) && own && !slices.Contains([]string{"gateway/exchange", "gateway/status", "gateway/filter", "gateway/filter/lru", "gateway/lease"}, target):
				t.Errorf("filter %s imports %s: filters know the exchange and their seam alone", pkg, target)
			case pkg == "gateway/exchange" && own:
				t.Errorf("%s, the bottom of the graph, imports %s", pkg, target)
			case pkg == "hostabi" && strings.Contains(path, "."):
				t.Errorf("hostabi imports %s: the contract needs the standard library alone", path)
			case pkg == "hostabi/guest" && strings.Contains(path, ".") && target != "hostabi":
				t.Errorf("the SDK imports %s", path)
			case strings.HasPrefix(pkg, "wasm-modules/") && strings.Contains(path, ".") && !strings.HasPrefix(target, "hostabi"):
				t.Errorf("module %s imports %s: modules know the host by its contract alone", pkg, path)
			case own && (strings.HasPrefix(target, "bench/") || strings.HasPrefix(target, "cmd/")) && !strings.HasPrefix(pkg, "bench/"):
				t.Errorf("%s imports %s", pkg, target)
			case path == "k8s.io/client-go/kubernetes":
				t.Errorf("%s imports the typed clientset, which doubles the program", pkg)
			}
		}
	}
}

// nativeFilter says whether pkg is the seam or a native kind of filter; the list of kinds and the kind that runs modules
// import what they need.
func nativeFilter(pkg string) bool {
	rest, ok := strings.CutPrefix(pkg, "gateway/filter")
	return ok && rest != "/kinds" && !strings.HasPrefix(rest, "/httpwasm")
}
