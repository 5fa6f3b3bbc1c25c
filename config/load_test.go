package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestArticle(t *testing.T) {
	file := filepath.Join("testdata", "article.yaml")
	c, report := mustLoad(t, Options{File: file})

	var warnings []string
	for _, w := range report.Warnings {
		warnings = append(warnings, strings.TrimPrefix(w.String(), file))
	}
	want := []string{
		":4:3: kubernetes.$qps: unknown key, ignored; the nearest known key is kubernetes.qps",
		":24:3: monitoring.enableGPUMonitoring: unknown key, ignored: it is a key of the installer, the server never read it",
	}
	if strings.Join(warnings, "\n") != strings.Join(want, "\n") {
		t.Errorf("warnings:\n%s", strings.Join(warnings, "\n"))
	}
	if len(report.Hash) != 64 || report.File != file {
		t.Errorf("report: file %q, hash %q", report.File, report.Hash)
	}

	for name, pair := range map[string][2]any{
		"kubeconfig":    {c.Kubernetes.Kubeconfig, "/root/.kube/config"},
		"master":        {c.Kubernetes.Master, "https://192.168.88.6:6443"},
		"qps":           {c.Kubernetes.QPS, 1e6},
		"burst":         {c.Kubernetes.Burst, 1000000},
		"tries":         {c.Authentication.AuthenticateRateLimiterMaxTries, 10},
		"window":        {c.Authentication.AuthenticateRateLimiterDuration, 10 * time.Minute},
		"retention":     {c.Authentication.LoginHistoryRetentionPeriod, 168 * time.Hour},
		"skew":          {c.Authentication.MaximumClockSkew, 10 * time.Second},
		"multipleLogin": {c.Authentication.MultipleLogin, true},
		"kubectlImage":  {c.Authentication.KubectlImage, "kubesphere/kubectl:v1.20.0"},
		"jwtSecret":     {c.Authentication.JWTSecret, "Xtc8ZWUf9f3cJN89bglrTJhfUPMZR87d"},
		"clients":       {fmt.Sprint(c.Authentication.OAuthOptions.Clients[0].RedirectURIs), "[*]"},
		"ippool":        {c.Network.IPPoolType, "none"},
		"monitoring":    {c.Monitoring.Endpoint, "http://prometheus-operated.kubesphere-monitoring-system.svc:9090"},
		"gpu":           {c.GPU.Kinds[0], GPUKind{"nvidia.com/gpu", "GPU", true}},
		"kubeedge":      {c.KubeEdge.Endpoint, "http://edge-watcher.kubeedge.svc/api/"},
		"gateway":       {c.Gateway, Gateway{WatchesPath: "/var/helm-charts/watches.yaml", Namespace: "kubesphere-controls-system"}},
		"grantMethod":   {c.Authentication.OAuthOptions.Clients[0].GrantMethod, "auto"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: have %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestStrictRefusesUnknownKeys(t *testing.T) {
	_, report, err := Load(Options{File: "testdata/article.yaml", Env: noEnv, Strict: true})
	if err == nil || !strings.Contains(err.Error(), "article.yaml:4:3: kubernetes.$qps: unknown key; the nearest known key is kubernetes.qps") {
		t.Errorf("error: %v", err)
	}
	if len(report.Warnings) != 0 {
		t.Errorf("warnings: %v", report.Warnings)
	}
}

// TestProblems holds the place and text of each kind of mistake.
func TestProblems(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"duration":        {"authentication:\n  maximumClockSkew: abc\n", `2:21: authentication.maximumClockSkew: cannot parse "abc" as duration (for example 10s, 2h0m0s)`},
		"duration's unit": {"authentication:\n  maximumClockSkew: 10\n", `2:21: authentication.maximumClockSkew: cannot parse "10" as duration (for example 10s, 2h0m0s)`},
		"int":             {"kubernetes: {burst: 1.5}\n", `1:21: kubernetes.burst: cannot parse "1.5" as whole number`},
		"float":           {"kubernetes: {qps: .inf}\n", `1:19: kubernetes.qps: cannot parse ".inf" as number`},
		"bool":            {"gpu:\n  kinds:\n  - default: maybe\n", `3:14: gpu.kinds[0].default: cannot parse "maybe" as true or false`},
		"size":            {"postern: {limits: {headerBytes: 8MX}}\n", `1:33: postern.limits.headerBytes: cannot parse "8MX" as size (for example 32KiB, 8MiB)`},
		"network":         {"postern: {trustedProxies: [10.0.0.0/40]}\n", `1:28: postern.trustedProxies[0]: cannot parse "10.0.0.0/40" as network (for example 10.0.0.0/8)`},
		"negative":        {"authentication: {maximumClockSkew: -1s}\n", `1:36: authentication.maximumClockSkew: must not be negative, is -1s`},
		"zero":            {"postern: {limits: {maxConnections: 0}}\n", `1:36: postern.limits.maxConnections: must be greater than 0, is 0`},
		"url scheme":      {"monitoring: {endpoint: 'ftp://h'}\n", `1:24: monitoring.endpoint: want a URL that starts with http:// or https://, have "ftp://h"`},
		"url host":        {"monitoring: {endpoint: 'http://'}\n", `1:24: monitoring.endpoint: URL "http:" has no host`},
		"enum":            {"authorization: {mode: Rbac}\n", `1:23: authorization.mode: want one of RBAC, AlwaysAllow, AlwaysDeny; have "Rbac"`},
		"empty enum":      {"authorization: {mode: ''}\n", `1:23: authorization.mode: want one of RBAC, AlwaysAllow, AlwaysDeny; have ""`},
		"address":         {"postern: {admin: {address: ':99999'}}\n", `1:28: postern.admin.address: want a port from 0 to 65535, have "99999"`},
		"same address":    {"postern: {admin: {address: ':9090'}}\n", `1:28: postern.admin.address: ":9090" is also postern.listen.address`},
		"no listener":     {"postern: {listen: {address: ''}}\n", `1:29: postern.listen.address: no listener: this and tls.address are both empty`},
		"tls files":       {"postern: {listen: {tls: {address: ':1'}}}\n", `1:35: postern.listen.tls.address: needs certFile and keyFile`},
		"tries":           {"authentication:\n  loginHistoryMaximumEntries: 4\n", `1:1: authentication.authenticateRateLimiterMaxTries: 5 is more than loginHistoryMaximumEntries (4), so no user would ever be locked`},
		"redis":           {"cache: {type: redis, options: {host: h}}\n", `1:22: cache.options: type redis needs port`},
		"two providers":   {"authentication: {oauthOptions: {identityProviders: [{name: a}, {name: a}]}}\n", `1:71: authentication.oauthOptions.identityProviders[1].name: want a name that no other provider has, have "a"`},
		"grant":           {"postern: {modules: {perModule: {m: {grants: {http: [x]}}}}}\n", `1:52: postern.modules.perModule.m.grants.http: there is no backend "x" in postern.backends`},
		"kube grant":      {"postern: {modules: {perModule: {m: {grants: {kube: [{verbs: [get]}]}}}}}\n", `1:53: postern.modules.perModule.m.grants.kube[0]: needs groups, resources and verbs`},
		"backend":         {"postern: {backends: {b: {timeout: 1s}}}\n", `1:22: postern.backends.b.url: is not set`},
		"decided group":   {"postern: {kube: {decidedGroup: ''}}\n", `1:32: postern.kube.decidedGroup: is empty, so nobody would be allowed anything; identity strict does without it`},
		"section":         {"monitoring: http://h\n", `1:13: monitoring: want a mapping, have a single value`},
		"list":            {"gpu: {kinds: {}}\n", `1:14: gpu.kinds: want a list, have a mapping`},
		"scalar":          {"monitoring: {endpoint: [a]}\n", `1:24: monitoring.endpoint: want a single value, have a list`},
		"root":            {"- a\n", `1:1: want a mapping, have a list`},
		"same key":        {"kubernetes:\n  qps: 1\n  qps: 2\n", `3:3: mapping key "qps" already defined at [2:3]`},
		"same key, case":  {"kubernetes:\n  qps: 1\n  QPS: 2\n", `3:3: kubernetes.qps: set twice: as "qps" and as "QPS"`},
		"two documents":   {"kubernetes: {}\n---\ncache: {}\n", `3:6: more than one YAML document`},
		"indentation":     {"cache:\n  type: redis\n options: {}\n", `3:2: value is not allowed in this context`},
		"alias":           {"kubernetes: *nowhere\n", `1:13: kubernetes: the alias leads nowhere`},
		"circle":          {"cache: {options: &a {x: *a}}\n", `more than 100000 values or 64 levels, aliases followed`},
		"not UTF-8":       {"cache: {type: \"\xff\"}\n", `not UTF-8`},
		"deep":            {strings.Repeat("[", 100), `nested deeper than 64 levels`},
		"many tokens":     {strings.Repeat("a: b\n", 20_000), `more than 30000 YAML tokens`},
		"large":           {strings.Repeat("#", maxFileBytes+1), `larger than 1MiB`},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, err := loadText(t, test.text)
			if err == nil || c != nil {
				t.Fatalf("config %v, error %v", c, err)
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); !strings.HasSuffix(first, test.want) {
				t.Errorf("\nhave %s\nwant …%s", first, test.want)
			}
		})
	}
}

func TestUnknownKeys(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"typing error":  {"monitoring:\n  enpoint: x\n", "2:3: monitoring.enpoint: unknown key, ignored; the nearest known key is monitoring.endpoint"},
		"other section": {"monitoring:\n  thanosRulerEndpoint: x\n", "2:3: monitoring.thanosRulerEndpoint: unknown key, ignored; the nearest known key is alerting.thanosRulerEndpoint"},
		"section":       {"monitorin: {}\n", "1:1: monitorin: unknown key, ignored; the nearest known key is monitoring"},
		"nothing near":  {"zzzzzzzz: {}\n", "1:1: zzzzzzzz: unknown key, ignored"},
		"in a list":     {"gpu:\n  kinds:\n  - resourcename: x\n    resourcetyp: y\n", "4:5: gpu.kinds[0].resourcetyp: unknown key, ignored; the nearest known key is gpu.kinds[0].resourceType"},
		"in a table":    {"postern:\n  backends:\n    b: {url: 'http://h', timout: 1s}\n", "3:26: postern.backends.b.timout: unknown key, ignored; the nearest known key is postern.backends.b.timeout"},
		"redis":         {"redis:\n  host: h\n", "1:1: redis: unknown key, ignored: since KubeSphere 3.3.2 it is cache, with type: redis and options"},
	} {
		t.Run(name, func(t *testing.T) {
			_, report, err := loadText(t, test.text)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range report.Warnings {
				if strings.HasSuffix(w.String(), test.want) {
					return
				}
			}
			t.Errorf("warnings: %v", report.Warnings)
		})
	}
}

// TestForms loads values in the forms that files in the wild have.
func TestForms(t *testing.T) {
	c, _ := mustLoad(t, Options{File: writeFile(t, "\ufeff"+strings.ReplaceAll(`---
Kubernetes: {QPS: 5, BURST: 1e+06}
authentication: &auth
  MultipleLogin: "True"
  jwtsecret: |-
    a block of text that is long enough
  oauthOptions:
    accessTokenMaxAge: 0
    clients:
    - &client {name: a, redirectURIs: "x, y", accessTokenMaxAge: 1h}
    - <<: *client
      name: b
logging: {version: 7.10, host: null}
events:
cache: {options: {port: 6379, "a.b": [1, {c: 2.5}], nothing: ~}}
postern:
  limits: {headerBytes: 65536, moduleBodyBytes: 2Mi}
  trustedProxies: [10.1.2.3/8, "::1"]
  modules:
    defaults: {memory: 64MiB}
    perModule:
      x.kubesphere.io: {limits: {deadline: 1m}}
      y:
`, "\n", "\r\n"))})
	client := c.Authentication.OAuthOptions.Clients[1]
	for name, pair := range map[string][2]any{
		"case":            {c.Kubernetes.QPS, 5.0},
		"float as int":    {c.Kubernetes.Burst, 1000000},
		"quoted bool":     {c.Authentication.MultipleLogin, true},
		"block":           {c.Authentication.JWTSecret, "a block of text that is long enough"},
		"zero duration":   {c.Authentication.OAuthOptions.AccessTokenMaxAge, time.Duration(0)},
		"merge":           {client.Name + fmt.Sprint(client.RedirectURIs), "b[x y]"},
		"pointer":         {*client.AccessTokenMaxAge, time.Hour},
		"number as text":  {c.Logging.Version, "7.10"},
		"null":            {c.Logging.Host, ""},
		"empty section":   {c.Events.IndexPrefix, "ks-logstash-events"},
		"free map":        {fmt.Sprint(c.Cache.Options), "map[a.b:[1 map[c:2.5]] nothing:<nil> port:6379]"},
		"size":            {c.Postern.Limits.HeaderBytes, Size(64 << 10)},
		"short unit":      {c.Postern.Limits.ModuleBodyBytes, Size(2 << 20)},
		"networks":        {fmt.Sprint(c.Postern.TrustedProxies), "[10.0.0.0/8 ::1/128]"},
		"own limit":       {c.ModuleFor("x.kubesphere.io").Limits.Deadline, time.Minute},
		"keys of its own": {fmt.Sprint(c.ModuleFor("x.kubesphere.io").LimitsSet, c.ModuleFor("y").LimitsSet), "[deadline] []"},
		"no grants":       {c.ModuleFor("y").GrantsSet, false},
		"inherited limit": {c.ModuleFor("x.kubesphere.io").Limits.Memory, Size(64 << 20)},
		"empty module":    {c.ModuleFor("y").Limits.Memory, Size(64 << 20)},
		"other module":    {c.ModuleFor("z").Limits.Memory, Size(64 << 20)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: have %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestLookup(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	t.Setenv("HOME", t.TempDir())
	o := Options{Search: []string{first, second}, Env: noEnv}

	c, report := mustLoad(t, o)
	if report.File != "" || c.Monitoring.Endpoint != EmbeddedPrometheus || c.Kubernetes.Kubeconfig != "" {
		t.Errorf("without a file: file %q, endpoint %q, kubeconfig %q", report.File, c.Monitoring.Endpoint, c.Kubernetes.Kubeconfig)
	}
	for _, file := range []string{filepath.Join(second, "kubesphere.yml"), filepath.Join(first, "kubesphere.json"), filepath.Join(first, "kubesphere.yaml")} {
		text := fmt.Sprintf(`{"terminal": {"image": %q}}`, file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, report = mustLoad(t, o); report.File != file || c.Terminal.Image != file {
			t.Errorf("file %q, image %q, want %q", report.File, c.Terminal.Image, file)
		}
	}
	if c.Monitoring.Endpoint != "" {
		t.Errorf("endpoint %q with a file that has none", c.Monitoring.Endpoint)
	}
}

func TestKubeconfigDefault(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	file := filepath.Join(home, ".kube", "config")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, _ := mustLoad(t, Options{File: writeFile(t, "{}")}); c.Kubernetes.Kubeconfig != file {
		t.Errorf("not set: %q", c.Kubernetes.Kubeconfig)
	}
	if c, _ := mustLoad(t, Options{File: writeFile(t, "kubernetes: {kubeconfig: ''}")}); c.Kubernetes.Kubeconfig != "" {
		t.Errorf("set to nothing: %q", c.Kubernetes.Kubeconfig)
	}
}

func TestNamedFileMustExist(t *testing.T) {
	if _, _, err := Load(Options{File: filepath.Join(t.TempDir(), "no.yaml"), Env: noEnv}); err == nil {
		t.Error("no error for a file that does not exist")
	}
	if _, _, err := Load(Options{File: t.TempDir(), Env: noEnv}); err == nil {
		t.Error("no error for a folder")
	}
}

// TestExcerptsShowNoSecret: errors end up in logs.
func TestExcerptsShowNoSecret(t *testing.T) {
	for _, text := range []string{
		"authentication:\n  jwtSecret: [hunter2]\n",
		"authentication: {maximumClockSkew: x, jwtSecret: hunter2}\n",
		"cache:\n  options:\n    password: hunter2\n    password: x\n",
		"authentication:\n  jwtSecret: \"hunter2\n",
		"authentication:\n  oauthOptions:\n    signKeyData: |\n      aaaa\n     hunter2\n",
	} {
		_, report, err := loadText(t, text)
		if err == nil {
			t.Fatalf("no error for %q", text)
		}
		for _, p := range append(report.Warnings, report.errors...) {
			if strings.Contains(p.String()+p.Excerpt, "hunter2") {
				t.Errorf("secret shown:\n%s\n%s", p, p.Excerpt)
			}
		}
	}
	_, report, _ := loadText(t, "terminal:\n  timeout: abc\n")
	if want := "    2 |   timeout: abc\n      |            ^"; report.errors[0].Excerpt != want {
		t.Errorf("excerpt:\n%s\nwant:\n%s", report.errors[0].Excerpt, want)
	}
}

func TestDoubts(t *testing.T) {
	_, report, err := loadText(t, "authentication: {jwtSecret: short}\nauthorization: {mode: AlwaysAllow}\n")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, w := range report.Warnings {
		fmt.Fprintln(&text, w)
	}
	for _, want := range []string{
		":1:29: authentication.jwtSecret: has 5 bytes, HS256 wants at least 32",
		":2:23: authorization.mode: AlwaysAllow: everybody may do everything",
		"monitoring.endpoint: is empty: metrics are not served",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestProblemsAreBounded: a file that is not ours gives no thousand lines.
func TestProblemsAreBounded(t *testing.T) {
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "unknown%d: x\n", i)
	}
	_, report, err := loadText(t, text.String())
	if err != nil || len(report.Warnings) != maxProblems {
		t.Errorf("%d warnings, error %v", len(report.Warnings), err)
	}
}
