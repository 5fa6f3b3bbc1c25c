// Kubeedge passes everything under /kapis/kubeedge.kubesphere.io to edge-watcher, whose address is kubeedge.endpoint of
// kubesphere.yaml.
package main

import (
	"errors"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/guest"
)

// backend is the name under which the gateway knows kubeedge.endpoint.
const backend = "kubeedge"

func init() {
	guest.Handle("*", "/{path...}", pass)
}

// pass hands the exchange over to edge-watcher. Path and query go on as they were sent.
func pass(r *guest.Request, w *guest.Response) error {
	path := r.RawPath()
	if query := r.RawQuery(); query != "" {
		path += "?" + query
	}
	return explain(r.Forward(w, guest.HTTP{Backend: backend, Path: path}))
}

// explain tells the client why edge-watcher could not be asked. To a client it is part of this server: that it is down is
// a 502, not a 503, which stands for what the gateway itself lacks.
func explain(err error) error {
	var call *guest.CallError
	if !errors.As(err, &call) {
		return err
	}
	switch call.Code {
	case hostabi.NotFound:
		return guest.Fail(503, "kubeedge is not configured: set kubeedge.endpoint in kubesphere.yaml to edge-watcher's address")
	case hostabi.Denied:
		return guest.Fail(503, "kubeedge may not be reached: the module's grants do not have the backend kubeedge")
	case hostabi.Unavailable, hostabi.Upstream, hostabi.Internal:
		return guest.Fail(502, "cannot reach edge-watcher: "+call.Error())
	case hostabi.Deadline:
		return guest.Fail(504, "edge-watcher did not answer in time")
	}
	return err
}

func main() {}
