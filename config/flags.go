package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Flags are the flags of ks-apiserver that set keys, and --set, which sets any.
type Flags struct {
	file   string
	strict bool
	set    []string
	flags  *pflag.FlagSet
}

// flagKeys maps ks-apiserver's flags to keys, in the order they are applied:
// ports come before the address they are bound to.
var flagKeys = []struct {
	flag, usage string
	part        Part
	paths       []string
}{
	{"insecure-port", "port for plain HTTP, 0 switches it off", Port, []string{"postern.listen.address"}},
	{"secure-port", "port for HTTPS, 0 switches it off", Port, []string{"postern.listen.tls.address"}},
	{"bind-address", "address of both ports", Host, []string{"postern.listen.address", "postern.listen.tls.address"}},
	{"tls-cert-file", "PEM file with the certificate for HTTPS", Whole, []string{"postern.listen.tls.certFile"}},
	{"tls-private-key", "PEM file with the key for HTTPS", Whole, []string{"postern.listen.tls.keyFile"}},
	{"kubeconfig", "kubeconfig of the host cluster", Whole, []string{"kubernetes.kubeconfig"}},
}

// BindFlags adds the flags to fs. Their values are read by Options, after fs
// has been parsed.
func BindFlags(fs *pflag.FlagSet) *Flags {
	f := &Flags{flags: fs}
	fs.StringVar(&f.file, "config", "", "configuration file (default: kubesphere.yaml in "+strings.Join(SearchPath(), ", ")+")")
	fs.BoolVar(&f.strict, "strict", false, "unknown keys are errors")
	fs.StringArrayVar(&f.set, "set", nil, "set any key, as postern.log.level=debug (may be repeated)")
	for _, k := range flagKeys {
		fs.String(k.flag, "", k.usage+" ("+strings.Join(k.paths, ", ")+")")
	}
	return f
}

// Options returns what the parsed flags ask Load for: the flags that were set,
// then each --set in its order.
func (f *Flags) Options() (Options, error) {
	o := Options{File: f.file, Strict: f.strict}
	for _, k := range flagKeys {
		flag := f.flags.Lookup(k.flag)
		if flag == nil || !flag.Changed {
			continue
		}
		for _, at := range k.paths {
			o.Overrides = append(o.Overrides, Override{at, flag.Value.String(), k.part, "--" + k.flag})
		}
	}
	for _, assignment := range f.set {
		at, value, ok := strings.Cut(assignment, "=")
		if !ok || at == "" {
			return Options{}, fmt.Errorf("cannot read --set %q: want path=value", assignment)
		}
		o.Overrides = append(o.Overrides, Override{at, value, Whole, "--set"})
	}
	return o, nil
}
