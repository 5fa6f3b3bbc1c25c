package prometheus

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// query is a call, checked.
type query struct {
	path      string // behind /api/v1
	form      url.Values
	takesForm bool // may be POSTed
	evaluates bool // takes a timeout
}

// operation is what one takes: parameter names by tag.
type operation struct {
	path                 string
	needs, takes         []hostabi.Tag
	match                string // name of TagMatch's parameter, if it takes any
	takesForm, evaluates bool
}

var operations = map[string]operation{
	"query":            {path: "query", needs: []hostabi.Tag{hostabi.TagExpr}, takes: []hostabi.Tag{hostabi.TagTime}, takesForm: true, evaluates: true},
	"query_range":      {path: "query_range", needs: []hostabi.Tag{hostabi.TagExpr, hostabi.TagStart, hostabi.TagEnd, hostabi.TagStep}, takesForm: true, evaluates: true},
	"series":           {path: "series", needs: []hostabi.Tag{hostabi.TagMatch}, takes: []hostabi.Tag{hostabi.TagStart, hostabi.TagEnd}, match: "match[]", takesForm: true},
	"labels":           {path: "labels", takes: []hostabi.Tag{hostabi.TagStart, hostabi.TagEnd}, match: "match[]", takesForm: true},
	"label_values":     {needs: []hostabi.Tag{hostabi.TagLabel}, takes: []hostabi.Tag{hostabi.TagStart, hostabi.TagEnd}, match: "match[]"},
	"metadata":         {path: "metadata", takes: []hostabi.Tag{hostabi.TagMetric}},
	"targets_metadata": {path: "targets/metadata", takes: []hostabi.Tag{hostabi.TagMetric}, match: "match_target"},
}

// parameters are Prometheus' names of the tags.
var parameters = map[hostabi.Tag]string{
	hostabi.TagExpr: "query", hostabi.TagTime: "time", hostabi.TagStart: "start", hostabi.TagEnd: "end", hostabi.TagStep: "step",
	hostabi.TagMetric: "metric",
}

// labelName is what the path of label values may hold. Prometheus 3 allows others, too, in an encoding that fits this.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,255}$`)

// parse reads a call's record.
func parse(call *service.Call) (*query, error) {
	name := string(call.Record.Get(hostabi.TagOperation))
	op, ok := operations[name]
	if !ok {
		return nil, fmt.Errorf("there is no operation %q", name)
	}
	once := append([]hostabi.Tag{hostabi.TagOperation}, op.takes...)
	var many []hostabi.Tag
	if op.match != "" {
		many = []hostabi.Tag{hostabi.TagMatch}
	}
	args, err := service.ParseArgs(call, append(once, op.needs...), many)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	q := &query{path: op.path, form: url.Values{}, takesForm: op.takesForm, evaluates: op.evaluates}
	for _, tag := range op.needs {
		if args.Get(tag) == "" {
			return nil, fmt.Errorf("%s: tag %d is missing", name, tag)
		}
	}
	if op.path == "" {
		label := args.Get(hostabi.TagLabel)
		if !labelName.MatchString(label) {
			return nil, fmt.Errorf("%.80q is not the name of a label", label)
		}
		q.path = "label/" + label + "/values"
	}
	if err := q.fill(args, op); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return q, nil
}

// fill takes over the parameters.
func (q *query) fill(args service.Args, op operation) error {
	for tag, parameter := range parameters {
		v := args.Get(tag)
		if v == "" {
			continue
		}
		if tag != hostabi.TagExpr && tag != hostabi.TagMetric {
			if f, err := strconv.ParseFloat(v, 64); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("%s %.40q is not a number of seconds", parameter, v)
			} else if tag == hostabi.TagStep && f <= 0 {
				return errors.New("step is not greater than 0")
			}
		}
		q.form.Set(parameter, v)
	}
	if matches := args[hostabi.TagMatch]; len(matches) > 0 {
		if op.match == "match_target" && len(matches) > 1 {
			return errors.New("takes one match")
		}
		q.form[op.match] = matches
	}
	return nil
}
