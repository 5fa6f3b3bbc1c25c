package main

import (
	"strings"
	"testing"

	"github.com/posternhq/postern/bench/rig"
)

func TestFiguresSayWhetherTheTargetIsMet(t *testing.T) {
	for text, f := range map[string]rig.Figure{
		"| wake | 140 ms | ≤ 150: met | n = 5 |":        rig.AtMost(150, "wake", 140, "ms", "n = 5"),
		"| wake | 151 ms | ≤ 150: **missed** | n = 5 |": rig.AtMost(150, "wake", 151, "ms", "n = 5"),
		"| slope | 0.0123 KiB |  |  |":                  rig.Told("slope", 0.0123, "KiB", ""),
	} {
		r := rig.Report{Scenarios: []rig.Result{{Name: "x", About: "some thing", Figures: []rig.Figure{f}}}}
		if md := r.Markdown(); !strings.Contains(md, text) || !strings.Contains(md, "\nSome thing.\n") {
			t.Errorf("%q is not in\n%s", text, md)
		}
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(scenarios) {
		t.Errorf("%d scenarios, %v", len(all), err)
	}
	if one, err := choose(scenarios[0].name); err != nil || len(one) != 1 {
		t.Errorf("%v, %v", one, err)
	}
	if _, err := choose("nothing"); err == nil || !strings.Contains(err.Error(), scenarios[0].name) {
		t.Errorf("%v does not say what there is", err)
	}
}
