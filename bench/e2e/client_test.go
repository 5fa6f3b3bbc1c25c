package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKubeSphereClient runs the script that uses KubeSphere's documented calls alone, over plain HTTP and over TLS.
func TestKubeSphereClient(t *testing.T) {
	for _, gateway := range []string{"gateway", "gateway-tls"} {
		t.Run(gateway, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			script := filepath.Join(stack.Root, "bench", "client", "kubesphere.sh")
			cmd := exec.CommandContext(ctx, script, stack.URLs[gateway], "admin", userPassword(t, "admin"))
			cmd.Env = append(os.Environ(), "CACERT="+stack.CAFile)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "all calls were answered as documented") {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}
