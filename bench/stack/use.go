package stack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/posternhq/postern/bench/stack/components"
	"github.com/posternhq/postern/bench/stack/seed"
)

// printUse says where everything is, in lines that work as printed.
func (s *stack) printUse() {
	var b strings.Builder
	b.WriteString("\n")
	if s.options.NoGateway {
		s.directUse(&b)
	} else {
		s.gatewayUse(&b)
	}
	b.WriteString("\n  Ctrl-C stops everything; the state stays in " + s.short(s.env.Dir) + ".\n\n")
	_, _ = io.WriteString(s.console.out, b.String())
}

func (s *stack) directUse(b *strings.Builder) {
	fmt.Fprintf(b, "  kube-apiserver  https://%s\n", s.env.Address(components.APIServer))
	fmt.Fprintf(b, "  Prometheus      http://%s\n\n", s.env.Address(components.Prometheus))
	fmt.Fprintf(b, "  %s --kubeconfig %s get nodes\n", s.short(filepath.Join(s.env.Bin, "kubectl")), s.short(s.env.Kubeconfig("admin")))
}

func (s *stack) gatewayUse(b *strings.Builder) {
	admin := s.users[0]
	https := "https://" + s.env.Address(components.GatewayTLS)
	kubectl := filepath.Join(s.env.Bin, "kubectl")
	if _, err := os.Stat(kubectl); err != nil {
		kubectl = "kubectl" // a given cluster, and ours was never built: its owner has one
	}
	kubectl = s.short(kubectl)
	kubectl += " --kubeconfig " + s.short(s.gatewayKubeconfig(seed.Admin))
	curl := fmt.Sprintf("curl -sS --cacert %s -u %s:%s %s", s.short(s.env.PKI("ca.crt")), admin.Name, admin.Password, https)

	fmt.Fprintf(b, "  Postern is ready on http://%s and %s\n", s.env.Address(components.Gateway), https)
	fmt.Fprintf(b, "  health and metrics on http://%s/readyz?verbose and /metrics\n\n", s.env.Address(components.GatewayAdmin))
	for _, u := range s.users {
		fmt.Fprintf(b, "  user %-6s password %s   %s\n", u.Name, u.Password, u.Rights)
	}
	fmt.Fprintf(b, "\n  %s get nodes\n", kubectl)
	if s.options.Kubeconfig == "" {
		fmt.Fprintf(b, "  %s -n demo-shop logs -f deployment/ticker\n", kubectl)
	}
	fmt.Fprintf(b, "  %s/api/v1/namespaces\n", curl)
	for _, example := range examples {
		if _, err := os.Stat(filepath.Join(s.modulesDir(), example.module+".wasm")); err == nil {
			fmt.Fprintf(b, "  %s%s\n", curl, example.path)
		}
	}
}

// examples are requests to modules that are worth showing, when the module is there.
var examples = []struct{ module, path string }{
	{"hello", "/kapis/hello.postern.io/v1/greetings"},
	{"iam", "/kapis/iam.kubesphere.io/v1alpha2/users"},
	{"monitoring", "'/kapis/monitoring.kubesphere.io/v1alpha3/nodes?metrics_filter=node_cpu_usage|node_memory_usage_wo_cache'"},
}

// short is path as seen from the repository, where the lines are pasted.
func (s *stack) short(path string) string {
	if relative, err := filepath.Rel(s.options.Root, path); err == nil && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return path
}
