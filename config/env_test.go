package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// sampleFor gives a value of each type that is not the default, as the text of
// a variable and as it is found in the configuration.
func sampleFor(f field) (text, want string) {
	switch shapeOf(f.typ) {
	case list:
		if f.typ.Elem() == prefixType {
			return "10.0.0.0/8, fd00::/8", "[10.0.0.0/8 fd00::/8]"
		}
		return "one, two", "[one two]"
	case objects, table, free:
		return "", ""
	}
	if words := f.enum(); words != nil {
		return words[len(words)-1], words[len(words)-1]
	}
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return "1h7m0s", "1h7m0s"
	case t == sizeType:
		return "77KiB", "77KiB"
	case t.Kind() == reflect.Bool:
		value := fmt.Sprint(f.tag.Get("default") != "true")
		return value, value
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return "3", "3"
	case f.tag.Get("check") == "url":
		return "http://from.env/x?y=1,2", "http://from.env/x?y=1,2"
	case f.tag.Get("check") == "address":
		port := fmt.Sprintf("127.0.0.1:%d", 1000+len(f.doc()))
		return port, port
	}
	return "from, env: {x} # and longer than 32 bytes", "from, env: {x} # and longer than 32 bytes"
}

// fieldAt finds the field and the value of a path.
func fieldAt(c *Config, at path) (f field, v reflect.Value) {
	v = reflect.ValueOf(c).Elem()
	for _, word := range at {
		f, _ = findField(v.Type(), word)
		v = v.FieldByIndex(f.index)
	}
	return f, v
}

// needs are the other keys without which a sample is refused.
var needs = map[string][]string{
	"postern.listen.tls.address":                {"KUBESPHERE_POSTERN_LISTEN_TLS_CERTFILE=x", "KUBESPHERE_POSTERN_LISTEN_TLS_KEYFILE=x"},
	"cache.type":                                {"KUBESPHERE_CACHE_OPTIONS_HOST=x", "KUBESPHERE_CACHE_OPTIONS_PORT=1"},
	"authentication.loginHistoryMaximumEntries": {"KUBESPHERE_AUTHENTICATION_AUTHENTICATERATELIMITERMAXTRIES=1"},
}

// TestEveryLeafByVariable sets each key by its variable, absent from the file,
// present in it, and with a name in lower case.
func TestEveryLeafByVariable(t *testing.T) {
	empty := writeFile(t, "{}")
	full := writeFile(t, string(Default().YAML(false)))
	count := 0
	for _, at := range leafPaths() {
		f, before := fieldAt(Default(), at)
		text, want := sampleFor(f)
		if text == "" {
			continue
		}
		count++
		name := variableName(at)
		if fmt.Sprint(before.Interface()) == want {
			t.Errorf("%s: the sample is the default", at)
		}
		for _, file := range []string{empty, full} {
			for _, variable := range []string{name, variablePrefix + strings.ToLower(strings.TrimPrefix(name, variablePrefix))} {
				c, report := mustLoad(t, Options{File: file, Env: append(needs[at.String()], variable+"="+text)})
				if _, v := fieldAt(c, at); fmt.Sprint(reflect.Indirect(v).Interface()) != want {
					t.Errorf("%s=%s gives %v", variable, text, v)
				}
				for _, w := range report.Warnings {
					if w.File == variable {
						t.Errorf("warning: %s", w)
					}
				}
			}
		}
	}
	if count < 140 {
		t.Errorf("only %d keys were tried", count)
	}
}

func TestStructuredVariables(t *testing.T) {
	c, report := mustLoad(t, Options{
		File: writeFile(t, "cache: {options: {Host: file, db: 1}}\npostern: {modules: {perModule: {a.kubesphere.io: {limits: {queue: 7}}}}}\n"),
		Env: []string{
			`KUBESPHERE_CACHE_OPTIONS={"db": 2, "extra": [1]}`,
			"KUBESPHERE_CACHE_OPTIONS_HOST=variable",
			"KUBESPHERE_CACHE_OPTIONS_PASSWORD=007",
			"KUBESPHERE_CACHE_OPTIONS_PORT=6379",
			`KUBESPHERE_GPU_KINDS=[{"resourceName": "n/g", "DEFAULT": true}]`,
			`KUBESPHERE_NETWORK_NSNPOPTIONS_ALLOWEDINGRESSNAMESPACES=["a,b", "c"]`,
			"KUBESPHERE_POSTERN_MODULES_PERMODULE_A_KUBESPHERE_IO_LIMITS_MEMORY=1MiB",
			"KUBESPHERE_POSTERN_MODULES_PERMODULE_MY_MODULE_GRANTS_PROMETHEUS=true",
			"KUBESPHERE_POSTERN_BACKENDS_EDGE_URL=http://edge",
			"KUBESPHERE_MONITORING_ENDPOINT=", // empty is not set
			"KUBESPHERE_SERVICE_HOST=10.0.0.1",
			"KUBESPHERE_PORT_80_TCP=tcp://10.0.0.1:80",
			"KUBESPHERE_PORT_80_TCP_ADDR=10.0.0.1",
			"KUBESPHERE_API_PORT=tcp://10.0.0.1:80",
			"KUBESPHERE_SERVICE_PORT_HTTP=80",
			"OTHER=1", "KUBESPHERE_NOEQUALS",
		},
	})
	have := []string{
		fmt.Sprint(c.Cache.Options),
		fmt.Sprint(c.GPU.Kinds),
		fmt.Sprintf("%q", c.Network.NSNPOptions.AllowedIngressNamespaces),
		fmt.Sprint(c.ModuleFor("a.kubesphere.io").Limits.Memory, c.ModuleFor("a.kubesphere.io").Limits.Queue),
		fmt.Sprint(c.ModuleFor("my-module").Grants.Prometheus),
		c.Postern.Backends["edge"].URL, c.Postern.Backends["edge"].Timeout.String(),
	}
	want := []string{"map[Host:variable db:2 extra:[1] password:007 port:6379]", "[{n/g  true}]", `["a,b" "c"]`, "1MiB 7", "true", "http://edge", "30s"}
	if !slices.Equal(have, want) {
		t.Errorf("have %q\nwant %q", have, want)
	}
	if password, ok := c.Cache.Options["password"].(string); !ok {
		t.Errorf("password is %T %v", password, password)
	}
	for _, w := range report.Warnings {
		if strings.HasPrefix(w.File, "KUBESPHERE") {
			t.Errorf("warning: %s", w)
		}
	}
}

func TestOddVariables(t *testing.T) {
	file := writeFile(t, "{}")
	_, report := mustLoad(t, Options{File: file, Env: []string{"KUBESPHERE_MONITORING_ENDPONT=x", "KUBESPHERE_CACHE_OPTION_PORT=1"}, Strict: true})
	if !slices.ContainsFunc(report.Warnings, func(p Problem) bool { return p.File == "KUBESPHERE_CACHE_OPTION_PORT" }) {
		t.Errorf("a typing error passes for a service's link: %v", report.Warnings)
	}
	want := "KUBESPHERE_MONITORING_ENDPONT: unknown variable, ignored; the nearest known key is KUBESPHERE_MONITORING_ENDPOINT"
	if !slices.ContainsFunc(report.Warnings, func(p Problem) bool { return p.String() == want }) {
		t.Errorf("warnings: %v", report.Warnings)
	}
	_, _, err := Load(Options{File: file, Env: []string{"KUBESPHERE_TERMINAL_TIMEOUT=soon", "KUBESPHERE_GPU_KINDS=[{"}})
	if err == nil || !strings.Contains(err.Error(), `KUBESPHERE_TERMINAL_TIMEOUT: terminal.timeout: cannot parse "soon" as whole number`) ||
		!strings.Contains(err.Error(), "KUBESPHERE_GPU_KINDS: gpu.kinds: ") {
		t.Errorf("error: %v", err)
	}
}

// TestVariableDepth holds the bound of addVariables: no key is deeper.
func TestVariableDepth(t *testing.T) {
	longest := path{"postern", "modules", "perModule", "name", "limits", "memory"}
	for _, at := range append(leafPaths(), longest) {
		if len(at)+1 > deepest { // one more word inside a map
			t.Errorf("%s has %d words", at, len(at))
		}
	}
}
