package config

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Options say what Load reads. The zero value reads what the process has.
type Options struct {
	File      string     // --config; empty: the first file in Search
	Search    []string   // folders; nil: SearchPath()
	Env       []string   // as os.Environ, which nil stands for
	Overrides []Override // flags, over everything else, in order
	Strict    bool       // unknown keys are errors
	// Check finds what only the parts that use a configuration can see, as settings of filters; nil: nothing. It sees
	// configurations without errors alone, and says of each problem its Key and Message.
	Check func(*Config) []Problem
}

// EmbeddedPrometheus is monitoring.endpoint when there is no file at all: the
// address of the Prometheus that `make run` starts.
const EmbeddedPrometheus = "http://127.0.0.1:19090"

// separator keeps koanf from seeing paths in our keys: names of modules and
// settings have dots. It cannot be typed into YAML.
const separator = "\x1f"

// Load reads all layers and returns the configuration, or an error: Errors,
// which names places, or that of reading the file. The report is filled either
// way. Nothing outside is changed, so a failed Load changes nothing.
func Load(o Options) (*Config, Report, error) {
	l := newLoader(o)
	if err := l.readAll(o); err != nil {
		return nil, *l.report, err
	}
	c := l.build()
	if o.Check != nil && len(l.report.errors) == 0 {
		for _, p := range o.Check(c) {
			l.report.fail(l.place(p.Key, p.Message))
		}
	}
	slices.SortStableFunc(l.report.errors, byPlace)
	slices.SortStableFunc(l.report.Warnings, byPlace)
	if len(l.report.errors) > 0 {
		return nil, *l.report, l.report.errors
	}
	return c, *l.report, nil
}

// loader holds the state of one Load.
type loader struct {
	layers  *koanf.Koanf
	report  *Report
	sources map[string]source
	file    origin
	strict  bool
}

func newLoader(o Options) *loader {
	return &loader{
		layers:  koanf.New(separator),
		report:  new(Report),
		sources: map[string]source{},
		strict:  o.Strict,
	}
}

func (l *loader) readAll(o Options) error {
	file := o.File
	if file == "" {
		if o.Search == nil {
			o.Search = SearchPath()
		}
		file = locate(o.Search)
	}
	l.add(map[string]any{"kubernetes": map[string]any{"kubeconfig": homeKubeconfig()}})
	if file == "" {
		l.report.warn(Problem{Message: "no kubesphere.yaml found: the defaults hold, and monitoring.endpoint is " + EmbeddedPrometheus})
		l.add(map[string]any{"monitoring": map[string]any{"endpoint": EmbeddedPrometheus}})
	} else if err := l.addFile(file); err != nil {
		return err
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	l.addVariables(o.Env)
	l.addOverrides(o.Overrides)
	return nil
}

// add puts a layer over those before. Maps are merged, lists replaced. A layer
// made from maps cannot fail to load.
func (l *loader) add(values map[string]any) {
	if err := l.layers.Load(confmap.Provider(values, ""), nil); err != nil {
		l.report.fail(Problem{Message: "cannot merge configuration: " + err.Error()})
	}
}

func (l *loader) addFile(file string) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	l.addText(file, data)
	return nil
}

func (l *loader) addText(file string, data []byte) {
	l.report.File, l.report.Hash = file, hashOf(data)
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	l.file = fileOrigin(file, data)
	if !utf8.Valid(data) {
		l.report.fail(Problem{File: file, Message: "not UTF-8"})
		return
	}
	if values, ok := l.parse(l.file, data, reflect.TypeFor[Config](), nil).(map[string]any); ok {
		l.add(values)
	}
}

// parse reads YAML text as a value of type t. What is wrong goes into the
// report, and nil comes back.
func (l *loader) parse(o origin, data []byte, t reflect.Type, at path) any {
	root, err := parseYAML(data)
	if err != nil {
		place := source{file: o.file}
		var syntax *syntaxError
		if o.lines != nil && errors.As(err, &syntax) {
			place.line, place.column = syntax.line, syntax.column
		}
		l.report.fail(o.problemAt(place, at.String(), err.Error()))
		return nil
	}
	if root == nil {
		l.report.empty = at == nil
		return nil
	}
	r := &reader{origin: o, strict: l.strict, report: l.report, sources: l.sources, anchors: anchorsOf(root)}
	if t == nil {
		value, _ := r.freeValue(root, at)
		return value
	}
	value, _ := r.read(root, t, at, false)
	return value
}

// build decodes the merged layers over the defaults and checks the result.
func (l *loader) build() *Config {
	c := Default()
	d := decoder{fail: func(at path, message string) { l.report.fail(l.place(at.String(), message)) }}
	raw := l.layers.Raw()
	d.into(reflect.ValueOf(c).Elem(), raw, nil)
	d.inheritLimits(c, raw)
	if len(l.report.errors) == 0 { // else it would complain of the defaults
		validate(c, l)
	}
	return c
}

// place finds where the value of a key came from. A key that nothing sets is
// placed at its section.
func (l *loader) place(key, message string) Problem {
	for at := parsePath(key); ; at = at[:len(at)-1] {
		if s, ok := l.sources[at.String()]; ok {
			return l.file.problemAt(s, key, message)
		}
		if len(at) == 0 {
			return l.file.problemAt(source{file: l.file.file}, key, message)
		}
	}
}
