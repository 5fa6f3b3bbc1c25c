package main

import (
	"github.com/posternhq/postern/hostabi/guest"
)

// edgeLabel marks nodes at the edge: nothing can scrape them, but they push usage to metrics-server.
const (
	edgeLabel   = "node-role.kubernetes.io/edge"
	edgePointer = "node-role.kubernetes.io~1edge" // as part of a JSON Pointer
)

// current is how old a query may be for figures of now to answer it, seconds: as long as Prometheus looks back itself.
const current = 300

// edgeSource asks for the figures of edge resources: rows of their labels as the member metric, and figures.
type edgeSource func(q *query) (guest.Data, error)

// edgeFigures are those figures. rows is the zero Data if there are none.
type edgeFigures struct {
	rows guest.Data
	err  error
}

// edgeFigures asks source, if one of the metrics is known to it and the query is about now.
func (q *query) edgeFigures(chosen []metric, source edgeSource) edgeFigures {
	known := false
	for _, m := range chosen {
		known = known || m.edge != ""
	}
	if !known || source == nil || q.now-max(q.at, q.end) > current {
		return edgeFigures{}
	}
	rows, err := source(q)
	if isNotFound(err) { // metrics-server, or what it knows of a node, is not there
		err = nil
	}
	return edgeFigures{rows, err}
}

// list asks for a list as the module.
func (q *query) list(o guest.Object) (guest.Data, error) {
	o.AsModule, o.Timeout = true, q.timeout
	return q.r.List(o)
}

// edgeNodes are the edge nodes' figures: of all that the resources filter lets through, or of one if its object is given.
type edgeNodes struct{ one guest.Data }

// figures implements edgeSource.
func (e edgeNodes) figures(q *query) (guest.Data, error) {
	usage := guest.Object{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "nodes", AsModule: true, Timeout: q.timeout}
	if e.one.Handle() != 0 {
		usage.Name, _ = e.one.Get("/metadata/name")
		d, err := q.r.Get(usage)
		if err != nil {
			return guest.Data{}, err
		}
		return e.one.Transform(`[{"build":[""]},` + nodeFigures(d, `{"build":[""]}`) + `]`)
	}
	nodes, err := q.edgeNodes()
	if err != nil || nodes.Handle() == 0 {
		return nodes, err
	}
	usage.LabelSelector = edgeLabel
	d, err := q.list(usage)
	if err != nil {
		return guest.Data{}, err
	}
	steps := `[`
	if condition := q.condition("/metadata/name"); condition != "" {
		steps += `{"where":` + condition + `},`
	}
	return nodes.Transform(steps + nodeFigures(d, `{"get":"/items"}`) + `]`)
}

// nodeFigures are the steps from nodes to their figures; usage is metrics-server's word, whose rows rows gives.
func nodeFigures(usage guest.Data, rows string) string {
	return `{"join":{"with":{"doc":` + number10(usage) + `,"do":[` + rows + `]},"key":"/metadata/name","as":"/usage"}},
{"map":{"object":{
"metric":{"object":{"node":"/metadata/name","host_ip":{"find":{"of":"/status/addresses","where":{"at":"/type","equals":"InternalIP"},"do":"/address"}},"role":{"const":"edge"}}},
"cpu":{"quantity":"/usage/usage/cpu"},"memory":{"quantity":"/usage/usage/memory"},
"cpu_total":{"quantity":"/status/capacity/cpu"},"memory_total":{"quantity":"/status/capacity/memory"}}}}`
}

// edgeNodes are the nodes at the edge, as an array; the zero Data if there are none.
func (q *query) edgeNodes() (guest.Data, error) {
	list, err := q.list(guest.Object{Version: "v1", Resource: "nodes", LabelSelector: edgeLabel, Cached: true})
	if err != nil {
		return guest.Data{}, err
	}
	nodes, err := list.Transform(`[{"get":"/items"}]`)
	if err != nil || empty(nodes) {
		return guest.Data{}, err
	}
	return nodes, nil
}

// edgePods are the figures of a namespace's pods on edge nodes.
type edgePods struct{ namespace string }

// figures implements edgeSource.
func (e edgePods) figures(q *query) (guest.Data, error) {
	nodes, err := q.edgeNodes()
	if err != nil || nodes.Handle() == 0 {
		return nodes, err
	}
	pods, err := q.list(guest.Object{Version: "v1", Resource: "pods", Namespace: e.namespace, Cached: true})
	if err != nil {
		return guest.Data{}, err
	}
	usage, err := q.list(guest.Object{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods", Namespace: e.namespace})
	if err != nil {
		return guest.Data{}, err
	}
	steps := `[{"get":"/items"},{"where":{"at":"/spec/nodeName","in":{"doc":` + number10(nodes) + `,"do":[{"map":"/metadata/name"}]}}},`
	if condition := q.condition("/metadata/name"); condition != "" {
		steps += `{"where":` + condition + `},`
	}
	return pods.Transform(steps + `{"join":{"with":{"doc":` + number10(usage) + `,"do":[{"get":"/items"}]},"key":"/metadata/name","as":"/usage","missing":"drop"}},
{"map":{"object":{
"metric":{"object":{"namespace":"/metadata/namespace","pod":"/metadata/name","node":"/spec/nodeName","host_ip":"/status/hostIP","role":{"const":"edge"},
"owner_kind":` + owner("kind") + `,"owner_name":` + owner("name") + `}},
"cpu":{"sum":{"of":"/usage/containers","do":{"quantity":"/usage/cpu"}}},"memory":{"sum":{"of":"/usage/containers","do":{"quantity":"/usage/memory"}}}}}}]`)
}

// owner is a member of the pod's controller.
func owner(member string) string {
	return `{"find":{"of":"/metadata/ownerReferences","where":{"at":"/controller","equals":true},"do":"/` + member + `"}}`
}
