// Package seed fills a cluster with what there is to see: nodes, workspaces, users, roles, workloads. Every step may be
// repeated; it then changes nothing.
package seed

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/posternhq/postern/bench/stack/kubeapi"
)

//go:embed manifests
var manifests embed.FS

// settle is how long a condition in the cluster may take; seconds in practice, more on a loaded machine.
const settle = 90 * time.Second

// poll is how often a condition is looked at.
const poll = 100 * time.Millisecond

// Node is a fake node that kwok plays.
type Node struct {
	Name string `json:"name"`
	Edge bool   `json:"edge"` // labelled node-role.kubernetes.io/edge and tainted with it
}

// Nodes are the nodes of the stack.
var Nodes = []Node{{Name: "cloud-1"}, {Name: "cloud-2"}, {Name: "cloud-3"}, {Name: "edge-1", Edge: true}, {Name: "edge-2", Edge: true}}

// Seeder seeds one cluster.
type Seeder struct {
	Client *kubeapi.Client
	Users  []User
}

// CRDs applies every definition in dir and waits until the API server serves them all.
func (s *Seeder) CRDs(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("cannot find custom resource definitions in %q (%v)", dir, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cannot read a custom resource definition: %w", err)
		}
		if err := s.Client.Apply(ctx, data); err != nil {
			return err
		}
	}
	return s.wait(ctx, "custom resource definitions to be served", func(ctx context.Context) (bool, error) {
		var list conditioned
		err := s.Client.Get(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &list)
		return err == nil && list.all("Established"), err
	})
}

// Access applies the bindings that the gateway needs, and the users with their platform roles.
func (s *Seeder) Access(ctx context.Context) error {
	if err := s.file(ctx, "10-access.yaml", nil); err != nil {
		return err
	}
	return s.file(ctx, "users.yaml.tmpl", map[string]any{"Users": s.Users})
}

// Platform applies workspaces, namespaces, roles and bindings.
func (s *Seeder) Platform(ctx context.Context) error { return s.file(ctx, "20-platform.yaml", nil) }

// Nodes applies the nodes. kubeletPort is where kwok listens for all of them.
func (s *Seeder) Nodes(ctx context.Context, kubeletPort int) error {
	if err := s.file(ctx, "nodes.yaml.tmpl", map[string]any{"Nodes": Nodes}); err != nil {
		return err
	}
	for _, node := range Nodes {
		status, err := json.Marshal(nodeStatus(node, kubeletPort))
		if err != nil {
			return fmt.Errorf("cannot encode the status of node %q: %w", node.Name, err)
		}
		if err := s.Client.MergePatch(ctx, "/api/v1/nodes/"+node.Name+"/status", status); err != nil {
			return err
		}
	}
	return nil
}

// Workloads applies the pods once the controllers run: a pod without its namespace's service account is refused.
func (s *Seeder) Workloads(ctx context.Context) error {
	for _, namespace := range []string{"kube-system", "demo-shop", "demo-staging", "edge-sensors"} {
		path := "/api/v1/namespaces/" + namespace + "/serviceaccounts/default"
		err := s.wait(ctx, "the service account of "+namespace, func(ctx context.Context) (bool, error) {
			err := s.Client.Get(ctx, path, &struct{}{})
			if kubeapi.IsNotFound(err) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return s.file(ctx, "30-workloads.yaml", nil)
}

// Metrics makes metrics-server, which listens on port with a certificate of the authority in caFile, an aggregated API,
// and has the API server look at it at once.
func (s *Seeder) Metrics(ctx context.Context, port int, caFile string) error {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return fmt.Errorf("cannot read the certificate authority: %w", err)
	}
	return s.file(ctx, "metrics.yaml.tmpl", map[string]any{
		"MetricsPort": port, "CABundle": base64.StdEncoding.EncodeToString(ca), "Now": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// WaitReady waits until every node is Ready, every pod is Running or done, and metrics-server's API answers.
func (s *Seeder) WaitReady(ctx context.Context) error {
	err := s.wait(ctx, "nodes to be Ready", func(ctx context.Context) (bool, error) {
		var list conditioned
		err := s.Client.Get(ctx, "/api/v1/nodes", &list)
		return err == nil && len(list.Items) >= len(Nodes) && list.all("Ready"), err
	})
	if err != nil {
		return err
	}
	err = s.wait(ctx, "pods to be Running", func(ctx context.Context) (bool, error) {
		var pods struct {
			Items []struct {
				Status struct {
					Phase string `json:"phase"`
				} `json:"status"`
			} `json:"items"`
		}
		err := s.Client.Get(ctx, "/api/v1/pods", &pods)
		for _, pod := range pods.Items {
			if pod.Status.Phase == "Pending" {
				return false, err
			}
		}
		return err == nil && len(pods.Items) >= len(Nodes), err
	})
	if err != nil {
		return err
	}
	return s.wait(ctx, "metrics-server's API", func(ctx context.Context) (bool, error) {
		var service struct {
			Status struct {
				Conditions []condition `json:"conditions"`
			} `json:"status"`
		}
		err := s.Client.Get(ctx, "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io", &service)
		return err == nil && holds(service.Status.Conditions, "Available"), err
	})
}

// file applies one manifest, a template if data is given.
func (s *Seeder) file(ctx context.Context, name string, data any) error {
	text, err := manifests.ReadFile("manifests/" + name)
	if err != nil {
		return fmt.Errorf("cannot read manifest %q: %w", name, err)
	}
	if data != nil {
		parsed, err := template.New(name).Parse(string(text))
		if err != nil {
			return fmt.Errorf("cannot read manifest %q: %w", name, err)
		}
		var out bytes.Buffer
		if err := parsed.Execute(&out, data); err != nil {
			return fmt.Errorf("cannot fill manifest %q: %w", name, err)
		}
		text = out.Bytes()
	}
	return s.Client.Apply(ctx, text)
}

// wait looks until done says so. An error does not end it, since servers are starting; the last one is reported.
func (s *Seeder) wait(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for %s any longer (last answer: %v): %w", what, err, ctx.Err())
		case <-tick.C:
		}
	}
}

type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

func holds(conditions []condition, kind string) bool {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Status == "True"
		}
	}
	return false
}

// conditioned is any list of objects with status.conditions.
type conditioned struct {
	Items []struct {
		Status struct {
			Conditions []condition `json:"conditions"`
		} `json:"status"`
	} `json:"items"`
}

func (l conditioned) all(kind string) bool {
	for _, item := range l.Items {
		if !holds(item.Status.Conditions, kind) {
			return false
		}
	}
	return true
}

// nodeStatus is what kwok does not say itself: sizes, versions, and the port of this run, which a restart may change.
func nodeStatus(n Node, port int) map[string]any {
	size := map[string]string{"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
	arch := "amd64"
	if n.Edge {
		size = map[string]string{"cpu": "4", "memory": "4Gi", "pods": "40", "ephemeral-storage": "32Gi"}
		arch = "arm64"
	}
	return map[string]any{"status": map[string]any{
		"capacity":        size,
		"allocatable":     size,
		"daemonEndpoints": map[string]any{"kubeletEndpoint": map[string]any{"Port": port}},
		// kwok pastes these into YAML unquoted: a kernel called 6.1 would become a number, and the node never Ready.
		"nodeInfo": map[string]string{
			"architecture": arch, "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)",
			"kernelVersion": "6.1.0-kwok", "kubeletVersion": "v1.37.2", "kubeProxyVersion": "v1.37.2",
			"containerRuntimeVersion": "kwok://0.8.0", "bootID": "", "machineID": "", "systemUUID": "",
		},
	}}
}
