package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func parseFlags(t *testing.T, args ...string) (Options, error) {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags := BindFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags.Options()
}

// TestFlags shows that flags win over the variable, which wins over the file,
// and how ks-apiserver's flags set our addresses.
func TestFlags(t *testing.T) {
	file := writeFile(t, "terminal: {image: file}\npostern: {listen: {address: 'file:1'}, admin: {address: ''}}\n")
	environ := []string{"KUBESPHERE_TERMINAL_IMAGE=variable"}
	certificate := []string{"--tls-cert-file=c", "--tls-private-key=k"}
	for name, test := range map[string]struct {
		args []string
		want string // image, listen.address, tls.address
	}{
		"none":         {nil, "variable file:1 "},
		"set":          {[]string{"--set", "Terminal.IMAGE=flag"}, "flag file:1 "},
		"last set":     {[]string{"--set", "terminal.image=a", "--set", "terminal.image=b=c"}, "b=c file:1 "},
		"port":         {[]string{"--insecure-port=8080"}, "variable file:8080 "},
		"bind":         {[]string{"--bind-address=::1"}, "variable [::1]:1 "},
		"bind, port":   {[]string{"--bind-address=127.0.0.1", "--insecure-port=8080"}, "variable 127.0.0.1:8080 "},
		"secure":       {append([]string{"--secure-port=8443"}, certificate...), "variable file:1 :8443"},
		"only secure":  {append([]string{"--secure-port=8443", "--insecure-port=0", "--bind-address=h"}, certificate...), "variable  h:8443"},
		"set over all": {[]string{"--insecure-port=8080", "--set=postern.listen.address=x:1"}, "variable x:1 "},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parseFlags(t, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			o.File, o.Env = file, environ
			c, _ := mustLoad(t, o)
			if have := fmt.Sprint(c.Terminal.Image, " ", c.Postern.Listen.Address, " ", c.Postern.Listen.TLS.Address); have != test.want {
				t.Errorf("have %q, want %q", have, test.want)
			}
		})
	}
}

func TestFlagOptions(t *testing.T) {
	o, err := parseFlags(t, "--config=x.yaml", "--strict", "--kubeconfig=k")
	if err != nil || o.File != "x.yaml" || !o.Strict || len(o.Overrides) != 1 || o.Overrides[0].Path != "kubernetes.kubeconfig" {
		t.Errorf("options %+v, error %v", o, err)
	}
	if _, err := parseFlags(t, "--set", "no-value"); err == nil {
		t.Error("no error for --set without a value")
	}
}

func TestOverrides(t *testing.T) {
	set := func(at, value string) (*Config, error) {
		c, _, err := Load(Options{File: writeFile(t, "{}"), Env: noEnv, Overrides: []Override{{Path: at, Value: value, Source: "--set"}}})
		return c, err
	}
	for _, test := range []struct{ at, value, want string }{
		{"terminal.imag", "x", "--set: terminal.imag: unknown key; the nearest known key is terminal.image"},
		{"terminal.image.x", "x", "--set: terminal.image.x: unknown key; the nearest known key is terminal.image"},
		{"terminal.timeout", "x", `--set: terminal.timeout: cannot parse "x" as whole number`},
		{"", "x", "--set: unknown key"},
		{"a..b", "x", "--set: a..b: unknown key"},
	} {
		if _, err := set(test.at, test.value); err == nil || err.Error() != test.want {
			t.Errorf("%s=%s: %v", test.at, test.value, err)
		}
	}
	c, err := set(`postern.modules.perModule.a\.b.settings.Deep.list`, `[1, "x"]`)
	if err != nil {
		t.Fatal(err)
	}
	if have := fmt.Sprint(c.ModuleFor("a.b").Settings); have != "map[Deep:map[list:[1 x]]]" {
		t.Errorf("settings %s", have)
	}
	if c, err = set("cache", "{type: InMemoryCache, options: {x: 1.5}}"); err != nil || fmt.Sprint(c.Cache.Options) != "map[x:1.5]" {
		t.Errorf("a whole section: %v, error %v", c, err)
	}
	if _, err = set("monitoring.endpoint", Mask); err == nil || !strings.Contains(err.Error(), "URL") {
		t.Errorf("mask as URL: %v", err)
	}
	if c, err = set("authentication.jwtSecret", Mask); err != nil || c.Authentication.JWTSecret != "" {
		t.Errorf("mask as secret: %v", err)
	}
}
