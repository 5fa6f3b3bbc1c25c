// Package kubeapi is a small Kubernetes client for seeding: kubeconfig files, server-side apply, get. It exists so that
// the supervisor compiles in seconds; client-go would cost it a minute of CPU.
package kubeapi

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// Kubeconfig is the part of a kubeconfig file that this client reads and writes. The []byte fields are PEM, base64 in the file.
type Kubeconfig struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	CurrentContext string         `json:"current-context"`
	Clusters       []NamedCluster `json:"clusters"`
	Users          []NamedUser    `json:"users"`
	Contexts       []NamedContext `json:"contexts"`
}

// NamedCluster is one entry of clusters.
type NamedCluster struct {
	Name    string  `json:"name"`
	Cluster Cluster `json:"cluster"`
}

// Cluster says where an API server is and how to trust it.
type Cluster struct {
	Server                   string `json:"server"`
	CertificateAuthority     string `json:"certificate-authority,omitempty"`
	CertificateAuthorityData []byte `json:"certificate-authority-data,omitempty"`
	InsecureSkipTLSVerify    bool   `json:"insecure-skip-tls-verify,omitempty"`
	TLSServerName            string `json:"tls-server-name,omitempty"`
}

// NamedUser is one entry of users.
type NamedUser struct {
	Name string `json:"name"`
	User User   `json:"user"`
}

// User says who the client is: a certificate, a token, a name with a password, or a command that prints one of the first two.
type User struct {
	ClientCertificate     string `json:"client-certificate,omitempty"`
	ClientCertificateData []byte `json:"client-certificate-data,omitempty"`
	ClientKey             string `json:"client-key,omitempty"`
	ClientKeyData         []byte `json:"client-key-data,omitempty"`
	Token                 string `json:"token,omitempty"`
	TokenFile             string `json:"tokenFile,omitempty"`
	Username              string `json:"username,omitempty"`
	Password              string `json:"password,omitempty"`
	Exec                  *Exec  `json:"exec,omitempty"`
}

// Exec is a credential plug-in: a command that prints an ExecCredential.
type Exec struct {
	APIVersion string   `json:"apiVersion,omitempty"`
	Command    string   `json:"command"`
	Args       []string `json:"args,omitempty"`
	Env        []EnvVar `json:"env,omitempty"`
}

// EnvVar is one variable of a credential plug-in's environment.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NamedContext is one entry of contexts: a cluster with a user.
type NamedContext struct {
	Name    string  `json:"name"`
	Context Context `json:"context"`
}

// Context joins a cluster and a user by their names.
type Context struct {
	Cluster   string `json:"cluster"`
	User      string `json:"user"`
	Namespace string `json:"namespace,omitempty"`
}

// WriteKubeconfig writes a kubeconfig with one context, called name, readable by the owner alone. Certificates and keys
// that are named by path are copied into it, so that the file works wherever it is moved.
func WriteKubeconfig(path, name string, cluster Cluster, user User) error {
	for _, f := range []struct {
		path *string
		data *[]byte
	}{
		{&cluster.CertificateAuthority, &cluster.CertificateAuthorityData},
		{&user.ClientCertificate, &user.ClientCertificateData},
		{&user.ClientKey, &user.ClientKeyData},
	} {
		if err := inline(f.path, f.data); err != nil {
			return fmt.Errorf("cannot write kubeconfig %q: %w", path, err)
		}
	}
	data, err := yaml.Marshal(Kubeconfig{
		APIVersion:     "v1",
		Kind:           "Config",
		CurrentContext: name,
		Clusters:       []NamedCluster{{Name: name, Cluster: cluster}},
		Users:          []NamedUser{{Name: name, User: user}},
		Contexts:       []NamedContext{{Name: name, Context: Context{Cluster: name, User: name}}},
	})
	if err != nil {
		return fmt.Errorf("cannot write kubeconfig %q: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return nil
}

// inline moves the content of the file at *path into *data.
func inline(path *string, data *[]byte) error {
	if *path == "" {
		return nil
	}
	content, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	*path, *data = "", content
	return nil
}

// readKubeconfig gives the cluster and the user of the current context. Relative paths in the file count from the file.
func readKubeconfig(path string) (Cluster, User, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Cluster{}, User{}, fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	var k Kubeconfig
	if err := yaml.Unmarshal(data, &k); err != nil {
		return Cluster{}, User{}, fmt.Errorf("cannot read kubeconfig %q: %w", path, err)
	}
	for _, c := range k.Contexts {
		if c.Name != k.CurrentContext {
			continue
		}
		cluster, user, ok := k.find(c.Context)
		if !ok {
			return Cluster{}, User{}, fmt.Errorf("cannot use kubeconfig %q: context %q names a missing cluster or user", path, c.Name)
		}
		return cluster, user, nil
	}
	return Cluster{}, User{}, fmt.Errorf("cannot use kubeconfig %q: no context %q", path, k.CurrentContext)
}

func (k *Kubeconfig) find(c Context) (cluster Cluster, user User, ok bool) {
	for _, candidate := range k.Clusters {
		if candidate.Name == c.Cluster {
			cluster, ok = candidate.Cluster, true
		}
	}
	if !ok || c.User == "" {
		return cluster, user, ok
	}
	for _, candidate := range k.Users {
		if candidate.Name == c.User {
			return cluster, candidate.User, true
		}
	}
	return cluster, user, false
}
