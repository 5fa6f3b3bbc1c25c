package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 64 << 20 // bytes; the largest answer read is the list of all pods
)

// Client talks to one API server as one user. It may be used from several goroutines.
type Client struct {
	server string
	user   User
	http   *http.Client

	mu    sync.Mutex
	kinds map[string]resource // by "apiVersion Kind"; bounded by the kinds that are applied
}

// Error is a refusal by the API server.
type Error struct {
	Code    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// IsNotFound tells whether err is the API server's 404.
func IsNotFound(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Code == http.StatusNotFound
}

// New makes a client from the current context of the kubeconfig file at path.
func New(ctx context.Context, path string) (*Client, error) {
	cluster, user, err := readKubeconfig(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	for _, f := range []struct {
		path *string
		data *[]byte
	}{
		{&cluster.CertificateAuthority, &cluster.CertificateAuthorityData},
		{&user.ClientCertificate, &user.ClientCertificateData},
		{&user.ClientKey, &user.ClientKeyData},
	} {
		if *f.path != "" && !filepath.IsAbs(*f.path) {
			*f.path = filepath.Join(dir, *f.path)
		}
		if err := inline(f.path, f.data); err != nil {
			return nil, fmt.Errorf("cannot use kubeconfig %q: %w", path, err)
		}
	}
	if user.Exec != nil {
		if user, err = runPlugin(ctx, *user.Exec); err != nil {
			return nil, fmt.Errorf("cannot use kubeconfig %q: %w", path, err)
		}
	}
	return newClient(cluster, user)
}

func newClient(cluster Cluster, user User) (*Client, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         cluster.TLSServerName,
		InsecureSkipVerify: cluster.InsecureSkipTLSVerify, // the kubeconfig's owner asked for it
	}
	if len(cluster.CertificateAuthorityData) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(cluster.CertificateAuthorityData) {
			return nil, errors.New("cannot read the kubeconfig's certificate authority")
		}
	}
	if len(user.ClientCertificateData) > 0 {
		pair, err := tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData)
		if err != nil {
			return nil, fmt.Errorf("cannot read the kubeconfig's client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if user.TokenFile != "" {
		token, err := os.ReadFile(user.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the kubeconfig's token: %w", err)
		}
		user.Token = strings.TrimSpace(string(token))
	}
	transport := &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	return &Client{
		server: strings.TrimSuffix(cluster.Server, "/"),
		user:   user,
		http:   &http.Client{Transport: transport, Timeout: requestTimeout},
		kinds:  map[string]resource{},
	}, nil
}

// runPlugin runs a credential plug-in and reads what it prints.
func runPlugin(ctx context.Context, e Exec) (User, error) {
	cmd := exec.CommandContext(ctx, e.Command, e.Args...)
	cmd.Env = os.Environ()
	for _, v := range e.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf(`KUBERNETES_EXEC_INFO={"apiVersion":%q,"kind":"ExecCredential","spec":{"interactive":false}}`, e.APIVersion))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return User{}, fmt.Errorf("cannot run the credential plug-in %q: %w", e.Command, err)
	}
	var credential struct {
		Status struct {
			Token                 string `json:"token"`
			ClientCertificateData string `json:"clientCertificateData"`
			ClientKeyData         string `json:"clientKeyData"`
		} `json:"status"`
	}
	if err := json.Unmarshal(out, &credential); err != nil {
		return User{}, fmt.Errorf("cannot read the answer of the credential plug-in %q: %w", e.Command, err)
	}
	s := credential.Status
	return User{Token: s.Token, ClientCertificateData: []byte(s.ClientCertificateData), ClientKeyData: []byte(s.ClientKeyData)}, nil
}

// Close drops the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get reads the object or list at path into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	data, err := c.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("cannot read the answer to GET %s: %w", path, err)
	}
	return nil
}

// MergePatch applies a JSON merge patch to the object at path.
func (c *Client) MergePatch(ctx context.Context, path string, patch []byte) error {
	_, err := c.do(ctx, http.MethodPatch, path, "application/merge-patch+json", patch)
	return err
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("cannot %s %s: %w", method, path, err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	request.Header.Set("Accept", "application/json")
	switch {
	case c.user.Token != "":
		request.Header.Set("Authorization", "Bearer "+c.user.Token)
	case c.user.Username != "":
		request.SetBasicAuth(c.user.Username, c.user.Password)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot %s %s: %w", method, path, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer to %s %s: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("cannot %s %s: %w", method, path, refusal(response.StatusCode, data))
	}
	return data, nil
}

// refusal takes the message out of a Status object, or the text as it is.
func refusal(code int, data []byte) *Error {
	var status struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &status) != nil || status.Message == "" {
		status.Message = strings.TrimSpace(string(data[:min(len(data), 500)]))
	}
	return &Error{Code: code, Message: status.Message}
}
