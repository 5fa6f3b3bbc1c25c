package rig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Report is a whole run.
type Report struct {
	Title     string   `json:"-"` // of the page
	Machine   Machine  `json:"machine"`
	Scenarios []Result `json:"scenarios"`
}

// Result is what one scenario measured.
type Result struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Seconds float64  `json:"seconds"` // the scenario took
	Figures []Figure `json:"figures"`
}

// Figure is one measured value.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Most is what the value should be at most; nil: it is told for comparison.
	Most *float64 `json:"atMost,omitempty"`
	Note string   `json:"note,omitempty"` // how it came to be: spread, samples
}

// AtMost is a figure with a target.
func AtMost(most float64, name string, value float64, unit, note string) Figure {
	return Figure{name, value, unit, &most, note}
}

// Told is a figure without a target.
func Told(name string, value float64, unit, note string) Figure {
	return Figure{Name: name, Value: value, Unit: unit, Note: note}
}

// target is what the value should be, and whether it is.
func (f Figure) target() string {
	switch {
	case f.Most == nil:
		return ""
	case f.Value <= *f.Most:
		return fmt.Sprintf("≤ %g: met", *f.Most)
	}
	return fmt.Sprintf("≤ %g: **missed**", *f.Most)
}

// Text is the figure on one line.
func (f Figure) Text() string {
	return strings.TrimRight(fmt.Sprintf("%-44s %10s %-8s %s %s", f.Name, Number(f.Value), f.Unit, f.target(), f.Note), " ")
}

// Number is a value with three digits that say something.
func Number(v float64) string {
	switch a := max(v, -v); {
	case a >= 100 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// Write puts the report into dir as name.json and name.md, and prints the latter.
func (r *Report) Write(dir, name string, out io.Writer) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, name+".md"), []byte(r.Markdown()), 0o644),
	)
	if err != nil {
		return fmt.Errorf("cannot write the results: %w", err)
	}
	return r.Print(out)
}

// Print writes the Markdown.
func (r *Report) Print(out io.Writer) error {
	_, err := io.WriteString(out, r.Markdown())
	return err
}

// Markdown is the report for people.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", r.Title)
	for _, s := range r.Scenarios {
		fmt.Fprintf(&b, "\n## %s\n\n%s%s.\n\n| | value | target | |\n|---|---|---|---|\n", s.Name, strings.ToUpper(s.About[:1]), s.About[1:])
		for _, f := range s.Figures {
			fmt.Fprintf(&b, "| %s | %s %s | %s | %s |\n", f.Name, Number(f.Value), f.Unit, f.target(), f.Note)
		}
	}
	m := r.Machine
	fmt.Fprintf(&b, "\n## Machine\n\n%s, %d cores, Linux %s, %s; %s.\nLoad average at the start %s, at the end %s (1, 5, 15 minutes).\n",
		m.CPU, m.Cores, m.Kernel, m.Go, m.Time.Format(time.DateTime+" MST"), m.LoadStart, m.LoadEnd)
	return b.String()
}
