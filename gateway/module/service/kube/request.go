package kube

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/hostabi"
)

// request is a call, checked.
type request struct {
	group, version, resource, namespace, name string

	method, contentType string
	url                 *url.URL
	info                exchange.RequestInfo // what the gateway makes of this very method and URL
	labels, fields      string
	asCaller, cached    bool
}

var tags = []hostabi.Tag{
	hostabi.TagOperation, hostabi.TagGroup, hostabi.TagVersion, hostabi.TagResource, hostabi.TagNamespace, hostabi.TagName,
	hostabi.TagSubresource, hostabi.TagLabelSelector, hostabi.TagFieldSelector, hostabi.TagAs, hostabi.TagSource,
	hostabi.TagPatchType, hostabi.TagLimit, hostabi.TagContinue, hostabi.TagDryRun,
}

// methods are the operations.
var methods = map[string]string{
	"get": http.MethodGet, "list": http.MethodGet, "create": http.MethodPost, "update": http.MethodPut,
	"patch": http.MethodPatch, "delete": http.MethodDelete,
}

// patchTypes are those of kube-apiserver.
var patchTypes = []string{
	"application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json",
	"application/apply-patch+yaml",
}

// streaming subresources are no objects: their answers are streams, or those of a pod's own server.
var streaming = []string{"attach", "exec", "portforward", "proxy"}

// parse reads a call's record.
func (s *Service) parse(call *service.Call) (*request, error) {
	args, err := service.ParseArgs(call, tags, nil)
	if err != nil {
		return nil, err
	}
	r := &request{
		group: args.Get(hostabi.TagGroup), version: args.Get(hostabi.TagVersion), resource: args.Get(hostabi.TagResource),
		namespace: args.Get(hostabi.TagNamespace), name: args.Get(hostabi.TagName),
		labels: args.Get(hostabi.TagLabelSelector), fields: args.Get(hostabi.TagFieldSelector),
	}
	operation := args.Get(hostabi.TagOperation)
	if r.method = methods[operation]; r.method == "" {
		return nil, fmt.Errorf("there is no operation %q", operation)
	}
	if r.asCaller, err = choice(args, hostabi.TagAs, "caller", "module"); err != nil {
		return nil, err
	}
	live, err := choice(args, hostabi.TagSource, "live", "cache")
	if err != nil {
		return nil, err
	}
	if err := r.body(args, operation); err != nil {
		return nil, err
	}
	sub := args.Get(hostabi.TagSubresource)
	if err := r.address(s.base, operation, sub); err != nil {
		return nil, err
	}
	query, err := r.query(args, operation, call.Module)
	if err != nil {
		return nil, err
	}
	r.url.RawQuery = query.Encode()
	r.cached = !live && sub == "" && r.method == http.MethodGet && !query.Has("limit") && !query.Has("continue")
	return r, r.understand(s.base, operation, sub)
}

// choice is true when tag has the first of two values, the default.
func choice(args service.Args, tag hostabi.Tag, first, second string) (bool, error) {
	switch v := args.Default(tag, first); v {
	case first, second:
		return v == first, nil
	default:
		return false, fmt.Errorf("%q is neither %q nor %q", v, first, second)
	}
}

// body chooses the content type.
func (r *request) body(args service.Args, operation string) error {
	r.contentType = "application/json"
	if operation == "patch" {
		r.contentType = args.Default(hostabi.TagPatchType, patchTypes[0])
		if !slices.Contains(patchTypes, r.contentType) {
			return fmt.Errorf("%q is not a patch type", r.contentType)
		}
	}
	return nil
}

// address builds the URL's path.
func (r *request) address(base *url.URL, operation, sub string) error {
	path := []string{"api", r.version}
	if r.group != "" {
		path = []string{"apis", r.group, r.version}
	}
	if r.namespace != "" {
		path = append(path, "namespaces", r.namespace)
	}
	path = append(path, r.resource)
	switch {
	case operation == "list" && (r.name != "" || sub != ""):
		return errors.New("a list has neither name nor subresource")
	case r.name == "" && (sub != "" || operation != "list" && operation != "create"):
		return errors.New("the name is missing")
	case slices.Contains(streaming, sub):
		return fmt.Errorf("subresource %q streams: it cannot be had here", sub)
	case r.name != "":
		path = append(path, r.name)
	}
	if sub != "" {
		path = append(path, sub)
	}
	escaped := make([]string, len(path))
	for i, segment := range path {
		if err := checkSegment(segment); err != nil {
			return err
		}
		escaped[i] = url.PathEscape(segment)
	}
	r.url = base.JoinPath(escaped...)
	return nil
}

// maxSegment bounds a path segment, bytes: Kubernetes' names have at most 253.
const maxSegment = 512

// checkSegment refuses what would not arrive as one segment of a path, or as another one. Kubernetes' own names have none of it.
func checkSegment(s string) error {
	switch {
	case s == "":
		return errors.New("version, resource or another part of the address is missing")
	case s == "." || s == "..", len(s) > maxSegment, strings.ContainsAny(s, "/\\%?#;"), strings.ContainsFunc(s, control):
		return fmt.Errorf("%.80q cannot be part of an address", s)
	}
	return nil
}

func control(c rune) bool { return c <= ' ' || c == 0x7f || c == '\uFFFD' }

// query builds the URL's query. Writes name the module as field manager, so that it shows who owns which field.
func (r *request) query(args service.Args, operation, module string) (url.Values, error) {
	q := url.Values{}
	switch operation {
	case "create", "update", "patch", "delete":
		if operation != "delete" {
			q.Set("fieldManager", "postern-"+module)
		}
		if dry := args.Get(hostabi.TagDryRun); dry != "" {
			q.Set("dryRun", dry) // what is not All kube-apiserver refuses
		}
	case "list":
		for name, tag := range map[string]hostabi.Tag{
			"labelSelector": hostabi.TagLabelSelector, "fieldSelector": hostabi.TagFieldSelector,
			"limit": hostabi.TagLimit, "continue": hostabi.TagContinue,
		} {
			if v := args.Get(tag); v != "" {
				q.Set(name, v)
			}
		}
	}
	if limit := q.Get("limit"); limit != "" {
		if _, err := strconv.ParseUint(limit, 10, 31); err != nil {
			return nil, fmt.Errorf("limit %q is not a number of objects", limit)
		}
	}
	return q, nil
}

// understand has the gateway's own parser read the request, as it would had it come in, so that what is granted and
// authorized is what kube-apiserver will do. A URL that reads differently from what the module asked (a resource named
// watch, pods as a subresource of a namespace) is refused.
func (r *request) understand(base *url.URL, operation, sub string) error {
	path := strings.TrimPrefix(r.url.EscapedPath(), strings.TrimSuffix(base.EscapedPath(), "/"))
	info, _, err := requestinfo.Parse([]byte(r.method), []byte(path), []byte(r.url.RawQuery), nil)
	if err != nil {
		return err
	}
	r.info = info
	namespace := r.namespace
	if namespace == "" && r.resource == "namespaces" {
		namespace = r.name
	}
	same := info.IsResourceRequest && info.IsKubernetesRequest && info.Cluster == "" && info.APIGroup == r.group &&
		info.APIVersion == r.version && info.Namespace == namespace && info.Resource == r.resource && info.Subresource == sub &&
		info.Verb == operation && (info.Name == r.name || operation == "list")
	if !same {
		return fmt.Errorf("%q is not a resource that can be asked for", r.resource+"/"+sub)
	}
	return nil
}
