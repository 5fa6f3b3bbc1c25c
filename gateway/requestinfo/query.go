package requestinfo

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/posternhq/postern/gateway/exchange"
)

// maxParams is where Go's net/url stops reading a query altogether (its default since 1.26): kube-apiserver would see a
// list where a watch was asked for.
const maxParams = 10000

// workspaceLabel is the label by which the platform marks what belongs to a workspace.
const workspaceLabel = "kubesphere.io/workspace"

// checkQuery refuses what no query may have, whoever reads it.
func checkQuery(q []byte) error {
	for _, c := range q {
		switch classes[c] {
		case control:
			return errControl
		case literal:
			return errLiteral
		}
	}
	if len(q) > maxParams && bytes.Count(q, []byte("&")) >= maxParams {
		return errParams
	}
	return nil
}

// params are the first values of the three parameters that matter here, not decoded yet.
type params struct {
	watch, fields, labels          []byte
	hasWatch, hasFields, hasLabels bool
}

// readParams finds them as net/url does: pairs with a semicolon or an invalid escape do not count.
func readParams(q []byte) (p params) {
	for len(q) > 0 {
		var pair []byte
		pair, q, _ = bytes.Cut(q, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		var to *[]byte
		var has *bool
		switch {
		case equalUnescaped(key, "watch"):
			to, has = &p.watch, &p.hasWatch
		case equalUnescaped(key, "fieldSelector"):
			to, has = &p.fields, &p.hasFields
		case equalUnescaped(key, "labelSelector"):
			to, has = &p.labels, &p.hasLabels
		default:
			continue
		}
		if *has || bytes.IndexByte(pair, ';') >= 0 || !validEscapes(value) {
			continue
		}
		*to, *has = value, true
	}
	return p
}

// readQuery settles what the path leaves open: list and watch, deletecollection, the selectors, and what a selector
// narrows. Selectors narrow a request to kube-apiserver only, because it applies them; a module may overlook them (upstream
// reads a malformed labelSelector as "everything"), and then whoever may see one object would see all.
func readQuery(info *exchange.RequestInfo, q []byte, viaPath bool, scratch []byte) ([]byte, error) {
	listing := info.Verb == "get" && info.Name == ""
	if info.Verb == "delete" && info.Name == "" {
		info.Verb = "deletecollection"
	} else if listing {
		info.Verb = "list"
	}
	// With the verb in the path Kubernetes does not apply selectors to every form, so they say nothing.
	if viaPath || info.Verb != "list" && info.Verb != "deletecollection" || len(q) == 0 {
		return scratch, nil
	}
	p := readParams(q)
	if listing && p.hasWatch && truthy(p.watch, scratch) {
		info.Verb = "watch"
	}
	info.FieldSelector, scratch = unescapeQuery(p.fields, scratch)
	info.LabelSelector, scratch = unescapeQuery(p.labels, scratch)
	if !utf8.ValidString(info.FieldSelector) || !utf8.ValidString(info.LabelSelector) {
		return scratch, errSelector
	}
	if !info.IsKubernetesRequest || !listing {
		return scratch, nil
	}
	info.Name, scratch = nameInFields(info.FieldSelector, scratch)
	if info.Verb == "watch" && info.Namespace == "" {
		if w := workspaceInLabels(info.LabelSelector); w != "" {
			info.Workspace, info.Scope = w, exchange.ScopeWorkspace
		}
	}
	return scratch, nil
}

// truthy is Kubernetes' reading of a boolean parameter that is present: all but 0 and false, also nothing at all.
func truthy(value, scratch []byte) bool {
	s, _ := unescapeQuery(value, scratch)
	return s != "0" && !strings.EqualFold(s, "false")
}

// workspaceInLabels is w if the selector begins with the workspace label being equal to w, and with nothing but a name
// as w: whatever follows a comma narrows further. An empty w would mean "objects of no workspace", and does not count:
// upstream takes it for the bindings of every workspace.
func workspaceInLabels(selector string) string {
	rest, ok := strings.CutPrefix(selector, workspaceLabel+"=")
	if !ok {
		return ""
	}
	rest = strings.TrimPrefix(rest, "=")
	w, _, _ := strings.Cut(rest, ",")
	for i := range len(w) {
		switch c := w[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-' && i > 0, c == '.' && i > 0:
		default:
			return ""
		}
	}
	return w
}
