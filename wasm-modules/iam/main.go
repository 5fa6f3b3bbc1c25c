// Iam answers iam.kubesphere.io/v1alpha2: users, members of the cluster, of workspaces, namespaces and DevOps projects,
// roles, bindings and groups. The gateway has authorized the caller for the path. What a request gives away beyond that, a
// role with all its rules, is checked here: nobody gives what they do not have.
//
// Lists stay on the host, which filters, sorts and cuts them; only names and single objects enter the module.
package main

import (
	"errors"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

// route is one route of the group.
type route struct {
	method, path string
	handle       func(*call) error
	// old routes are served as ever, with a warning: whoever writes something new uses Kubernetes' own paths.
	old bool
}

func init() {
	for _, t := range routes {
		guest.Handle(t.method, "/v1alpha2"+t.path, t.serve)
	}
}

// call is one request being served.
type call struct {
	r        *guest.Request
	w        *guest.Response
	warnings []string
	undo     []func() error
	versions map[string]string // resourceVersions of what this request has written, by uid
}

func (t *route) serve(r *guest.Request, w *guest.Response) error {
	c := &call{r: r, w: w, versions: map[string]string{}}
	if t.old {
		if err := c.warn("this route is deprecated: use the resource's own path below /apis"); err != nil {
			return err
		}
	}
	return explain(t.handle(c))
}

// warn tells the client something in the header Warning, as kube-apiserver does.
func (c *call) warn(text string) error { return c.warning("299 - " + guest.Quote(text)) }

// warning adds a value that has the header's form already.
func (c *call) warning(value string) error {
	if value == "" {
		return nil
	}
	c.warnings = append(c.warnings, value)
	return c.w.Header("Warning", strings.Join(c.warnings, ", "))
}

// explain keeps the status of what Kubernetes refused: 422 or 409 say more than what their codes would become. Who has to
// wait is told how long.
func explain(err error) error {
	var failed *guest.CallError
	if errors.As(err, &failed) && failed.Status == 429 {
		return guest.Pass(err)
	}
	if errors.As(err, &failed) && failed.Status >= 400 && failed.Status < 500 && failed.Status != 401 {
		return guest.Fail(failed.Status, failed.Error())
	}
	return err
}

// success is the answer to what has no object to show.
func (c *call) success() error { return c.w.JSON(`{"message":"success"}`) }

// answer writes an object.
func (c *call) answer(o object) error { return c.w.JSON(string(o.encode())) }

// failed undoes what has been done so far, last things first, and is err. What cannot be undone is logged: a client that
// repeats its request sets it right.
func (c *call) failed(err error) error {
	for i := len(c.undo) - 1; i >= 0; i-- {
		if again := c.undo[i](); again != nil {
			guest.Warn("cannot undo a part of a request that failed: " + again.Error())
		}
	}
	c.undo = nil
	return err
}

func main() {}
