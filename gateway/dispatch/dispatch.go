// Package dispatch sends a request to the cluster that its path names. It knows the host cluster alone; requests for it
// go on as if they had named none.
package dispatch

import (
	"strconv"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// name is the stage's name in findings, logs and metrics.
const name = "dispatch"

// Options of the stage.
type Options struct {
	HostCluster string // multicluster.hostClusterName; empty: host
}

// Stage cuts `clusters/{host}` out of the request target and answers 404 for other clusters.
type Stage struct{ host string }

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage {
	if o.HostCluster == "" {
		o.HostCluster = "host"
	}
	return &Stage{o.HostCluster}
}

// Name is "dispatch".
func (*Stage) Name() string { return name }

// Serve passes on what is for the host. x.Info still names the cluster then; the request target does not.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	switch x.Info.Cluster {
	case "":
	case s.host:
		cut(x)
	default:
		x.Handled = name
		status.Write(x, status.NotFound, notFound(x.Info.Cluster))
		return
	}
	next(x)
}

// cut shortens the request target in its own buffer: Info does not alias that one.
func cut(x *exchange.Exchange) {
	uri := x.HTTP.Request.Header.RequestURI()
	x.HTTP.Request.SetRequestURIBytes(exchange.HostTarget(uri[:0], uri))
}

// notFound is what Kubernetes says of an object that is not there. Upstream answers 400.
func notFound(cluster string) string {
	return "clusters.cluster.kubesphere.io " + strconv.Quote(cluster) + " not found"
}

// Explain says which cluster x is for.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass}
	switch x.Info.Cluster {
	case "":
		f.Reason = "no cluster named: the host"
	case s.host:
		f.Reason = "cluster " + s.host + " is the host"
		if uri := x.HTTP.Request.Header.RequestURI(); len(uri) > 0 {
			f.Details = map[string]any{"target": string(exchange.HostTarget(nil, uri))}
		}
	default:
		f.Verdict, f.Code, f.Reason = exchange.Refuse, status.NotFound.Code(), notFound(x.Info.Cluster)
	}
	return f
}
