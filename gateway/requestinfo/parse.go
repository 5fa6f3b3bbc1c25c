package requestinfo

import "github.com/posternhq/postern/gateway/exchange"

const groupTenant = "tenant.kubesphere.io"

// Parse reads a request's method, path and query, the latter two as received and without the `?`. The strings of info
// alias scratch, which is appended to and returned, and nothing else; with room in scratch nothing is allocated. An
// error says in plain words why the request must be refused with 400; info then holds the verb at most.
func Parse(method, rawPath, rawQuery, scratch []byte) (info exchange.RequestInfo, grown []byte, err error) {
	info.Verb, scratch = lower(method, scratch)
	var p path
	if scratch, err = p.decode(scratch, rawPath); err != nil {
		return info, scratch, err
	}
	if err := checkQuery(rawQuery); err != nil {
		return info, scratch, err
	}
	full := info
	full.Path = p.text
	viaPath, free, err := p.read(&full, method)
	if err != nil {
		return info, scratch, err
	}
	if p.odd <= free {
		return info, scratch, p.oddErr
	}
	if !full.IsResourceRequest {
		return full, scratch, nil
	}
	if scratch, err = readQuery(&full, rawQuery, viaPath, scratch); err != nil {
		return info, scratch, err
	}
	return full, scratch, nil
}

// read fills info from the segments. viaPath is true when the verb is a segment of the path (`watch`, `proxy`). Up to
// offset free the path must be without empty segments and encoded slashes.
func (p *path) read(info *exchange.RequestInfo, method []byte) (viaPath bool, free int, err error) {
	free = len(p.text)
	if p.left() == 0 || !isPrefix(p.at(0)) {
		return false, free, nil
	}
	if !p.head(info) {
		return false, free, nil
	}
	info.IsResourceRequest = true
	if s := p.at(0); s == "watch" || s == "proxy" {
		if p.left() < 2 {
			return false, free, errVerbAlone
		}
		info.Verb, viaPath = s, true
		p.drop(1)
	} else {
		info.Verb = verbOf(method)
	}
	p.levels(info)
	p.object(info)
	if info.IsKubernetesRequest && info.Subresource == "proxy" {
		free = int(p.spans[p.pos+2].to)
	}
	info.Scope = exchange.ScopeOf(info)
	return viaPath, free, nil
}

// The segments that have not been read yet: their number, the i-th of them, and going on behind n of them.
func (p *path) left() int       { return p.n - p.pos }
func (p *path) at(i int) string { s := p.spans[p.pos+i]; return p.text[s.from:s.to] }
func (p *path) drop(n int)      { p.pos += n }

// head reads prefix, cluster, group and version. It returns false for what has no resource: discovery, mostly. Unlike
// upstream it counts what is left behind `clusters/{c}`, so that /api/clusters/c1/v1 is that cluster's discovery.
func (p *path) head(info *exchange.RequestInfo) bool {
	prefix := p.at(0)
	info.IsKubernetesRequest = prefix == "api" || prefix == "apis"
	if p.left() < 3 { // as Kubernetes, which gives such paths no prefix
		return false
	}
	info.APIPrefix = prefix
	p.drop(1)
	if p.at(0) == "clusters" {
		info.Cluster = p.at(1)
		p.drop(2)
	}
	if prefix == "apis" || prefix == "kapis" {
		if p.left() < 3 {
			return false
		}
		info.APIGroup = p.at(0)
		p.drop(1)
	}
	if p.left() < 2 {
		return false
	}
	info.APIVersion = p.at(0)
	p.drop(1)
	return true
}

// levels reads workspace, namespace and devops project. kube-apiserver knows the namespace alone: for it, `workspaces/w/status`
// is a subresource, and had we taken it for something inside of workspace w, that workspace's members could write it.
func (p *path) levels(info *exchange.RequestInfo) {
	if !info.IsKubernetesRequest {
		info.Workspace = p.level("workspaces")
	} else if info.APIGroup == groupTenant && p.at(0) == "workspaces" && p.left() > 1 {
		info.Workspace = p.at(1)
	}
	if p.at(0) == "namespaces" && p.left() > 1 {
		info.Namespace = p.at(1)
		if p.left() > 2 && p.at(2) != "status" && p.at(2) != "finalize" {
			p.drop(2)
		}
	} else if !info.IsKubernetesRequest {
		info.DevOps = p.level("devops")
	}
}

// level reads word/{name}; it stays unread, as resource and name, if nothing follows.
func (p *path) level(word string) (name string) {
	if p.at(0) != word || p.left() < 2 {
		return ""
	}
	name = p.at(1)
	if p.left() > 2 {
		p.drop(2)
	}
	return name
}

// object reads resource, name and subresource.
func (p *path) object(info *exchange.RequestInfo) {
	info.Resource = p.at(0)
	if p.left() > 1 {
		info.Name = p.at(1)
	}
	if p.left() > 2 && info.Verb != "proxy" {
		info.Subresource = p.at(2)
	}
}

func isPrefix(s string) bool {
	switch s {
	case "api", "apis", "kapis", "kapi":
		return true
	}
	return false
}
