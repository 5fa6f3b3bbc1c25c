package visible

import (
	"context"
	"net/url"
)

// maxLabelled bounds the names that a watch remembers. A watch that would have to remember more begins anew.
const maxLabelled = 50_000

const mediaMetadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// seed remembers the objects of the caller's workspaces at the watch's version, if they are watched for in all objects of
// the kind, because roles name others: one whose label is taken away is just another object then, and only by its name it can
// be told that the client has to hear of it. Where kube-apiserver selects by label, or authorization follows the label itself,
// as of namespaces, nothing has to be remembered.
func (v *view) seed(ctx context.Context) error {
	if v.namespaced || v.rights.isSpaces || len(v.rights.names) == 0 || len(v.rights.workspaces) == 0 {
		return nil
	}
	v.labelled = map[string]bool{}
	if v.query.version == "" || v.query.version == "0" {
		return nil // the watch begins with all that there is
	}
	c := v.caller
	c.accept, c.info.Verb = mediaMetadata, "list"
	q := url.Values{"labelSelector": {v.ofWorkspaces()}, "resourceVersion": {v.query.version}, "resourceVersionMatch": {"Exact"}}
	return v.stage.ask(ctx, &c, listPath(&c.info, "")+"?"+q.Encode(), func(a *answer) error {
		if a.code != 200 {
			return refused(a)
		}
		l := listing{
			in:    newValues(a.body),
			field: func(field) error { return nil },
			array: func(string) error { return nil },
			item: func(b []byte) error {
				if len(v.labelled) >= maxLabelled {
					return errSize
				}
				if id, ok := identify(b, false); ok {
					v.labelled[string(id.name)] = true
				}
				return nil
			},
		}
		return l.read()
	})
}
