package gateway

import (
	"reflect"
	"testing"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module"
)

// TestDefaultsAgree holds the runtime's defaults against the configuration's: who has no configuration gets the same.
func TestDefaultsAgree(t *testing.T) {
	got, want := policies(config.Default(), new(signers))("x").Limits, module.DefaultLimits()
	want.Shards = got.Shards // as many as the machine has cores for
	if got != want {
		t.Errorf("configured: %+v\nbuilt in: %+v", got, want)
	}
	v := reflect.ValueOf(got)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s has no default", v.Type().Field(i).Name)
		}
	}
}

// TestPolicyOfAModule has every key of the ceiling arrive, and a module's own keys fixed.
func TestPolicyOfAModule(t *testing.T) {
	c := config.Default()
	ceiling := reflect.ValueOf(&c.Postern.Modules.Ceiling).Elem()
	for i := range ceiling.NumField() {
		ceiling.Field(i).SetInt(int64(i + 1))
	}
	own := config.Module{Limits: c.Postern.Modules.Defaults, LimitsSet: []string{"queueWait"}}
	own.Limits.QueueWait, own.Limits.RequestBytes = time.Minute, 1<<10
	c.Postern.Modules.PerModule = map[string]config.Module{"x": own}
	p := policies(c, new(signers))("x")
	for i := range ceiling.NumField() {
		name := ceiling.Type().Field(i).Name
		if got := reflect.ValueOf(p.Ceiling).FieldByName(name); !got.IsValid() || got.Int() != int64(i+1) {
			t.Errorf("the ceiling's %s is %v", name, got)
		}
	}
	for _, set := range []bool{false, true} {
		c.Postern.Modules.PerModule = map[string]config.Module{"kubeedge": {GrantsSet: set}}
		if got := policies(c, new(signers))("kubeedge").Grants.HTTP; (len(got) > 0) == set {
			t.Errorf("grants of a shipped module are %q, its own set: %v", got, set)
		}
	}
	if len(p.Fixed) != 1 || p.Fixed[0] != "queueWait" || p.Limits.QueueWait != time.Minute || p.Limits.RequestBytes != 1<<10 {
		t.Errorf("%+v", p)
	}
}
