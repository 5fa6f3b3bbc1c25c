package config

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var sameEmpty = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(reflect.Zero(prefixType).Interface())}

func TestDefaultsGolden(t *testing.T) {
	golden(t, "defaults.golden.yaml", Default().YAML(true))
	c, report := mustLoad(t, Options{File: filepath.Join("testdata", "defaults.golden.yaml"), Strict: true})
	if diff := cmp.Diff(Default(), c, sameEmpty); diff != "" {
		t.Errorf("read back (- default, + read):\n%s", diff)
	}
	for _, w := range report.Warnings {
		if w.Key != "authentication.jwtSecret" && w.Key != "monitoring.endpoint" {
			t.Errorf("warning: %s", w)
		}
	}
}

// TestPrintedLoadsAgain: both forms give the same configuration, masked keys
// as if they were not set.
func TestPrintedLoadsAgain(t *testing.T) {
	c, _ := mustLoad(t, Options{File: filepath.Join("testdata", "article.yaml")})
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	want := *c
	want.Authentication.JWTSecret = ""
	want.Authentication.OAuthOptions.Clients = []OAuthClient{c.Authentication.OAuthOptions.Clients[0]}
	want.Authentication.OAuthOptions.Clients[0].Secret = ""
	for name, printed := range map[string]string{"yaml": string(c.YAML(false)), "comments": string(c.YAML(true)), "json": string(text)} {
		again, report := mustLoad(t, Options{File: writeFile(t, printed), Strict: true})
		if diff := cmp.Diff(&want, again, sameEmpty); diff != "" {
			t.Errorf("%s (- printed, + read):\n%s", name, diff)
		}
		if masks := strings.Count(fmt.Sprint(report.Warnings), "masked by config print"); masks != 2 {
			t.Errorf("%s: %d warnings of masks: %v", name, masks, report.Warnings)
		}
	}
}

// TestSecretsAreMasked fills every secret there is and looks for it.
func TestSecretsAreMasked(t *testing.T) {
	c := Default()
	filled := fillSecrets(reflect.ValueOf(c).Elem())
	c.Authentication.OAuthOptions.Clients = []OAuthClient{{Secret: "hunter2"}}
	c.Authentication.OAuthOptions.IdentityProviders = []IdentityProvider{{Provider: map[string]any{
		"clientSecret": "hunter2", "managerPassword": "hunter2", "nested": []any{map[string]any{"apiToken": "hunter2"}},
		"privateKey": map[string]any{"x": "hunter2"}, "endpoint": "https://u:hunter2@h/", "clientID": "in-the-open",
	}}}
	c.Cache.Options = map[string]any{"password": "hunter2", "host": "in-the-open"}
	c.Monitoring.Endpoint = "http://user:hunter2@prometheus/"
	c.Postern.Modules.PerModule = map[string]Module{"m": {Settings: map[string]any{"token": "hunter2"}}}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{string(c.YAML(true)), string(text)} {
		if strings.Contains(printed, "hunter2") {
			t.Errorf("a secret is printed:\n%s", regexp.MustCompile(`(?m)^.*hunter2.*$`).FindAllString(printed, -1))
		}
		if strings.Count(printed, Mask) != filled+7 || strings.Count(printed, "in-the-open") != 2 {
			t.Errorf("%d masks for %d secrets", strings.Count(printed, Mask), filled)
		}
	}
	if filled < 12 {
		t.Errorf("only %d secrets", filled)
	}
}

func fillSecrets(v reflect.Value) (filled int) {
	for _, f := range fieldsOf(v.Type()) {
		switch target := v.FieldByIndex(f.index); {
		case shapeOf(f.typ) == section:
			filled += fillSecrets(target)
		case f.secret():
			target.SetString("hunter2")
			filled++
		case shapeOf(f.typ) == scalar && soundsSecret(f.key) && f.typ.Kind() == reflect.String && !strings.HasSuffix(f.key, "File") && f.key != "signKey":
			panic(f.key + " sounds secret and has no tag")
		}
	}
	return filled
}

// TestAnyTextSurvivesPrinting: whatever strings a configuration holds, what is
// printed reads back as the same.
func TestAnyTextSurvivesPrinting(t *testing.T) {
	tricky := rapid.SampledFrom([]string{"true", "no", "~", "null", "1e3", "0x10", "0o7", "007", "1_000", ".inf", "=", "<<", "- a", "a: b", "a #b", "#", " a", "a ", "\t", "a\nb", "a\n", "\n", "'", `"`, `\`, "*a", "&a", "!a", "%a", "@a", "`", "{", "[", "]", ",", "?", ":", "-", "---", "...", "\u2028", "\x7f", "\u0085", "é", "日本", "😀", "2026-11-22", "12:30:00", "y"})
	text := rapid.OneOf(tricky, rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		c := Default()
		c.Terminal.Image = text.Draw(t, "image")
		c.Network.NSNPOptions.AllowedIngressNamespaces = rapid.SliceOfN(text, 0, 3).Draw(t, "list")
		c.Cache.Options = map[string]any{}
		for key, value := range rapid.MapOfN(text, text, 0, 4).Draw(t, "options") {
			if !soundsSecret(key) {
				c.Cache.Options[key] = value
			}
		}
		c.Cache.Options["number"] = rapid.Int64().Draw(t, "number")
		c.Cache.Options["round"] = math.Pow10(rapid.IntRange(-300, 300).Draw(t, "exponent"))
		c.Cache.Options["float"] = rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "float")
		c.Cache.Options["list"] = []any{text.Draw(t, "item"), true, nil, []any{}, map[string]any{"x": text.Draw(t, "deep")}}
		for _, comments := range []bool{false, true} {
			printed := c.YAML(comments)
			l := &loader{report: new(Report), sources: map[string]source{}}
			raw := l.parse(fileOrigin("printed", printed), printed, reflect.TypeFor[Config](), nil)
			again := Default()
			decoder{fail: func(at path, message string) { t.Fatalf("%s: %s", at, message) }}.into(reflect.ValueOf(again).Elem(), raw, nil)
			if len(l.report.errors) > 0 {
				t.Fatalf("%v\n%s", l.report.errors, printed)
			}
			if diff := cmp.Diff(c, again, sameEmpty); diff != "" {
				t.Fatalf("- printed, + read:\n%s", diff)
			}
		}
	})
}

func TestSize(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "1": "1", "1024": "1KiB", "32KiB": "32KiB", "32 KiB": "32KiB", "8Mi": "8MiB", "2GiB": "2GiB",
		"1TiB": "1TiB", "8MB": "8000000", "1536": "1536", "1536B": "1536", "-1KiB": "-1KiB", "3072MiB": "3GiB",
	} {
		size, err := ParseSize(text)
		if err != nil || size.String() != want {
			t.Errorf("%q gives %s, error %v", text, size, err)
		}
		var again Size
		if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
			t.Errorf("%s reads back as %d, error %v", size, again, err)
		}
	}
	for _, text := range []string{"", "KiB", "1.5MiB", "8 MX", "9223372036854775807KiB", "9999999TiB", "1e3"} {
		if size, err := ParseSize(text); err == nil {
			t.Errorf("%q gives %s", text, size)
		}
	}
}

func TestChangedKeys(t *testing.T) {
	before, after := Default(), Default()
	after.Terminal.Timeout = 1
	after.Postern.Listen.Address = ":1"
	after.Kubernetes.Kubeconfig = "k"
	after.Postern.Modules.PerModule = map[string]Module{"m": {}}
	after.Postern.DrainTimeout = time.Minute
	if have := after.Changed(before); !reflect.DeepEqual(have, []string{"kubernetes.kubeconfig", "terminal.timeout", "postern.listen.address", "postern.drainTimeout", "postern.modules.perModule"}) {
		t.Errorf("changed: %q", have)
	}
	if have := after.RestartRequired(before); !reflect.DeepEqual(have, []string{"kubernetes.kubeconfig", "postern.listen.address"}) {
		t.Errorf("restart: %q", have)
	}
	if have := before.Changed(Default()); have != nil {
		t.Errorf("no change: %q", have)
	}
}
