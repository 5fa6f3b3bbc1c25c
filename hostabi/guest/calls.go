package guest

import (
	"strconv"

	"github.com/posternhq/postern/hostabi"
)

// Object names what a Kubernetes call is about.
type Object struct {
	Group, Version, Resource     string // resource is the plural
	Namespace, Name, Subresource string
	LabelSelector, FieldSelector string
	// AsModule asks in the module's own name, not in the caller's.
	AsModule bool
	// Cached has get and list answered from a watch of the host's.
	Cached bool
	// Limit and Continue page a list; 0 is all.
	Limit    int
	Continue string
	// PatchType is a patch's media type; default application/merge-patch+json.
	PatchType string
	// DryRun has a create, update, patch or delete checked and answered, and nothing stored.
	DryRun bool
	// Timeout bounds the call, milliseconds; 0 is what is left of the request's deadline.
	Timeout int
}

func (o *Object) record(operation string, body []byte) hostabi.Record {
	r := hostabi.Record{}.Append(hostabi.TagOperation, operation)
	for _, f := range [...]struct {
		tag   hostabi.Tag
		value string
	}{
		{hostabi.TagGroup, o.Group},
		{hostabi.TagVersion, o.Version},
		{hostabi.TagResource, o.Resource},
		{hostabi.TagNamespace, o.Namespace},
		{hostabi.TagName, o.Name},
		{hostabi.TagSubresource, o.Subresource},
		{hostabi.TagLabelSelector, o.LabelSelector},
		{hostabi.TagFieldSelector, o.FieldSelector},
		{hostabi.TagContinue, o.Continue},
		{hostabi.TagPatchType, o.PatchType},
		{hostabi.TagBody, string(body)},
	} {
		if f.value != "" {
			r = r.Append(f.tag, f.value)
		}
	}
	if o.AsModule {
		r = r.Append(hostabi.TagAs, "module")
	}
	if o.Cached {
		r = r.Append(hostabi.TagSource, "cache")
	}
	if o.DryRun {
		r = r.Append(hostabi.TagDryRun, "All")
	}
	if o.Limit > 0 {
		r = r.Append(hostabi.TagLimit, strconv.Itoa(o.Limit))
	}
	return timeout(r, o.Timeout)
}

// timeout adds a call's own deadline, if it has one.
func timeout(r hostabi.Record, milliseconds int) hostabi.Record {
	if milliseconds <= 0 {
		return r
	}
	return r.Append(hostabi.TagTimeout, strconv.Itoa(milliseconds))
}

// Kube does operation (get, list, create, update, patch, delete) on o; body is the object or the patch.
func (r *Request) Kube(operation string, o Object, body []byte) (Data, error) {
	c, err := r.await(kubeCall(r.ex, o.record(operation, body)))
	return Data{r.ex, c.Handle}, err
}

// Create is Kube("create"). The object goes by handle, as what a client sent does.
func (r *Request) Create(o Object, body Data) (Data, error) { return r.write("create", o, body) }

// Update is Kube("update"): a body with a resourceVersion that is not the present one is Conflict.
func (r *Request) Update(o Object, body Data) (Data, error) { return r.write("update", o, body) }

// Patch is Kube("patch").
func (r *Request) Patch(o Object, body Data) (Data, error) { return r.write("patch", o, body) }

// Delete is Kube("delete").
func (r *Request) Delete(o Object) (Data, error) { return r.Kube("delete", o, nil) }

func (r *Request) write(operation string, o Object, body Data) (Data, error) {
	c, err := r.await(kubeCall(r.ex, handle(o.record(operation, nil), hostabi.TagBodyHandle, body)))
	return Data{r.ex, c.Handle}, err
}

// Get is Kube("get").
func (r *Request) Get(o Object) (Data, error) { return r.Kube("get", o, nil) }

// List is Kube("list"): a Kubernetes list, with `items`.
func (r *Request) List(o Object) (Data, error) { return r.Kube("list", o, nil) }

// Prometheus is one question to Prometheus. Times are Unix seconds; Step is seconds.
type Prometheus struct {
	// Operation is query (default), query_range, series, labels, label_values, metadata or targets_metadata.
	Operation        string
	Expr             string
	Time, Start, End float64 // 0 is not given
	Step             float64
	Match            []string
	Label, Metric    string
	// Timeout bounds the question, milliseconds; 0 is what is left of the request's deadline.
	Timeout int
}

func (p *Prometheus) record() hostabi.Record {
	operation := p.Operation
	if operation == "" {
		operation = "query"
	}
	r := hostabi.Record{}.Append(hostabi.TagOperation, operation)
	for _, f := range [...]struct {
		tag   hostabi.Tag
		value string
	}{{hostabi.TagExpr, p.Expr}, {hostabi.TagLabel, p.Label}, {hostabi.TagMetric, p.Metric}} {
		if f.value != "" {
			r = r.Append(f.tag, f.value)
		}
	}
	for _, f := range [...]struct {
		tag   hostabi.Tag
		value float64
	}{{hostabi.TagTime, p.Time}, {hostabi.TagStart, p.Start}, {hostabi.TagEnd, p.End}, {hostabi.TagStep, p.Step}} {
		if f.value != 0 {
			r = r.Append(f.tag, seconds(f.value))
		}
	}
	for _, m := range p.Match {
		r = r.Append(hostabi.TagMatch, m)
	}
	return timeout(r, p.Timeout)
}

// Answer is one of several answers.
type Answer struct {
	Data Data
	Err  error
}

// Ask puts one question to Prometheus. The answer is the `data` member of Prometheus' own.
func (r *Request) Ask(p Prometheus) (Data, error) {
	a := r.AskAll([]Prometheus{p})[0]
	return a.Data, a.Err
}

// AskAll puts many questions at once; the answers are in their order. It takes as long as the slowest. While the host has
// no room for another call, it waits for an answer first; when it has none to wait for, the rest fails with Busy.
func (r *Request) AskAll(questions []Prometheus) []Answer {
	tokens := make([]int32, len(questions))
	answers := make([]Answer, len(questions))
	read, full := 0, false
	take := func() {
		c, err := r.await(tokens[read])
		answers[read] = Answer{Data{r.ex, c.Handle}, err}
		read++
	}
	breathe(r.ex)
	for i := range questions {
		tokens[i] = -int32(hostabi.Busy)
		for record := questions[i].record(); !full; take() {
			tokens[i] = prometheusCall(r.ex, record)
			if tokens[i] != -int32(hostabi.Busy) {
				break
			}
			if full = read == i; full {
				break
			}
		}
	}
	for read < len(questions) {
		take()
	}
	return answers
}

// HTTP is a request to a configured backend, or to a host outside.
type HTTP struct {
	Backend string
	// URL is a whole address, instead of Backend and Path, of a host that the module was granted. Do only.
	URL     string
	Method  string // default GET; Forward: the request's own
	Path    string // appended to the backend's path, with its query
	Headers [][2]string
	// DropHeaders are request headers that Forward does not pass on. Credentials are never passed on.
	DropHeaders []string
	Body        []byte
}

func (h *HTTP) record() hostabi.Record {
	var r hostabi.Record
	if h.URL != "" {
		r = r.Append(hostabi.TagURL, h.URL)
	} else {
		r = r.Append(hostabi.TagBackend, h.Backend).Append(hostabi.TagPath, h.Path)
	}
	if h.Method != "" {
		r = r.Append(hostabi.TagMethod, h.Method)
	}
	for _, kv := range h.Headers {
		r = r.Append(hostabi.TagHeader, kv[0]+": "+kv[1])
	}
	for _, name := range h.DropHeaders {
		r = r.Append(hostabi.TagDropHeader, name)
	}
	if h.Body != nil {
		r = r.Append(hostabi.TagBody, string(h.Body))
	}
	return r
}

// Do calls a backend or a host. A status of 400 or more is no error.
func (r *Request) Do(h HTTP) (status int, body Data, err error) {
	c, err := r.await(httpCall(r.ex, h.record()))
	return int(c.Status), Data{r.ex, c.Handle}, err
}

// Forward passes the whole exchange to a backend, streaming both ways. After a nil error the answer is under way and the
// handler should return; after an error nothing has been answered.
func (r *Request) Forward(w *Response, h HTTP) error {
	_, err := r.await(httpForward(r.ex, h.record()))
	w.passed = err == nil
	return err
}

// Log writes a line to the gateway's log, with the module's name.
func Log(level hostabi.Level, line string) { logLine(uint32(level), line) }

// Debug logs at level debug.
func Debug(line string) { Log(hostabi.LevelDebug, line) }

// Info logs at level info.
func Info(line string) { Log(hostabi.LevelInfo, line) }

// Warn logs at level warn.
func Warn(line string) { Log(hostabi.LevelWarn, line) }

// Settings are the module's settings from the configuration, as JSON.
func Settings() string {
	s, _ := grow(settings)
	return s
}

// Setting is the value at a JSON Pointer of the module's settings: a string's text, or raw JSON; ok is false when there is
// none.
func (r *Request) Setting(pointer string) (value string, ok bool) {
	d, err := r.NewData([]byte(Settings()))
	if err != nil {
		return "", false
	}
	defer d.Drop()
	return d.Get(pointer)
}
