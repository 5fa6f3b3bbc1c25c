// Monitoring answers monitoring.kubesphere.io/v1alpha3: named metrics of the cluster, nodes and pods, out of Prometheus,
// and out of metrics-server for edge nodes, which nothing can scrape. The gateway has authorized the caller for the path;
// all further questions are asked in the module's own name.
//
// Figures stay on the host: the module puts questions, and says by programs of Data.Transform what becomes of answers.
package main

import "github.com/posternhq/postern/hostabi/guest"

func init() {
	guest.Handle("GET", "/v1alpha3/cluster", cluster)
	guest.Handle("GET", "/v1alpha3/nodes", nodes)
	guest.Handle("GET", "/v1alpha3/nodes/{node}", node)
	guest.Handle("GET", "/v1alpha3/namespaces/{namespace}/pods", namespacePods)
}

func cluster(r *guest.Request, w *guest.Response) error {
	q, err := parse(r)
	if err != nil {
		return err
	}
	return q.answer(w, clusterLevel, scope{}, nil)
}

func nodes(r *guest.Request, w *guest.Response) error {
	q, err := parse(r)
	if err != nil {
		return err
	}
	return q.answer(w, nodeLevel, q.nodeScope(matching(q.resources)), edgeNodes{}.figures)
}

func node(r *guest.Request, w *guest.Response) error {
	q, err := parse(r)
	if err != nil {
		return err
	}
	name := r.PathValue("node")
	object, err := q.object("nodes", name)
	if err != nil {
		return err
	}
	q.sortMetric = "" // of one row
	var edge edgeSource
	if _, ok := object.Get("/metadata/labels/" + edgePointer); ok {
		edge = edgeNodes{object}.figures
	}
	return q.answer(w, nodeLevel, q.nodeScope(equal(name)), edge)
}

func namespacePods(r *guest.Request, w *guest.Response) error {
	q, err := parse(r)
	if err != nil {
		return err
	}
	namespace := r.PathValue("namespace")
	object, err := q.object("namespaces", namespace)
	if err != nil {
		return err
	}
	born, _ := object.Get("/metadata/creationTimestamp")
	if !q.since(born) {
		return q.nothing(w, podLevel)
	}
	s := scope{pod: "namespace" + equal(namespace) + ",pod" + matching(q.resources)}
	return q.answer(w, podLevel, s, edgePods{namespace}.figures)
}

func main() {}
