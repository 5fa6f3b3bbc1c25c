package kube

import (
	"net/http"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// granted says whether one of the rules covers the request.
func granted(g *service.Grants, info *exchange.RequestInfo) bool {
	return g != nil && slices.ContainsFunc(g.Kube, func(rule service.KubeGrant) bool {
		return covers(rule.Verbs, info.Verb) && covers(rule.Groups, info.APIGroup) && coversResource(rule.Resources, info) &&
			(len(rule.Namespaces) == 0 || info.Namespace != "" && covers(rule.Namespaces, info.Namespace))
	})
}

func covers(rule []string, v string) bool {
	return slices.Contains(rule, v) || slices.Contains(rule, "*")
}

// coversResource reads resources as RBAC does: pods is not pods/log, and */log is that of everything.
func coversResource(rule []string, info *exchange.RequestInfo) bool {
	if info.Subresource == "" {
		return covers(rule, info.Resource)
	}
	return covers(rule, info.Resource+"/"+info.Subresource) || slices.Contains(rule, "*/"+info.Subresource)
}

// describe is the request in words, for refusals.
func describe(info *exchange.RequestInfo) string {
	s := info.Verb + " " + info.Resource
	if info.Subresource != "" {
		s += "/" + info.Subresource
	}
	if info.APIGroup != "" {
		s += " of " + info.APIGroup
	}
	if info.Namespace != "" {
		s += " in namespace " + info.Namespace
	}
	return s
}

// allow lets the caller in, with the headers that tell kube-apiserver who it is; or says why not.
func (s *Service) allow(caller *exchange.User, req *request, header http.Header) *service.Result {
	if caller == nil || caller.Name == "" {
		return denied("the request has no user to act as")
	}
	if s.opt.Authorize == nil {
		return denied("calls as the caller are not possible here")
	}
	if d := s.opt.Authorize(caller, &req.info); !d.Allowed {
		return denied("user " + caller.Name + " may not " + describe(&req.info) + ": " + d.Reason)
	}
	if s.opt.Identity == Strict { // Kubernetes has the last word, and the cache cannot ask it
		req.cached = false
	}
	if !s.impersonate(caller, header) {
		return denied("the user's name or groups cannot be sent to kube-apiserver")
	}
	return nil
}

func denied(text string) *service.Result {
	r := service.Failf(hostabi.Denied, "%s", text)
	return &r
}

// impersonate adds the headers of the identity. It is false when one cannot be sent as it is.
func (s *Service) impersonate(u *exchange.User, h http.Header) bool {
	if s.opt.Identity == Plain {
		return true
	}
	h.Set("Impersonate-User", u.Name)
	if s.opt.Identity == Impersonate {
		h.Set("Impersonate-Group", s.opt.DecidedGroup)
		return sendable(h)
	}
	if u.UID != "" {
		h.Set("Impersonate-Uid", u.UID)
	}
	for _, group := range u.Groups {
		if group != "" && group != s.opt.DecidedGroup { // which nobody has by membership
			h.Add("Impersonate-Group", group)
		}
	}
	for key, values := range u.Extra {
		for _, v := range values {
			h.Add("Impersonate-Extra-"+escapeKey(key), v)
		}
	}
	return sendable(h)
}

// escapeKey makes a key part of a header name: kube-apiserver decodes percent-encoding there.
func escapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b []byte
	for _, c := range []byte(strings.ToLower(key)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// sendable says whether every value arrives as it is: net/http trims white space, and refuses control characters late.
func sendable(h http.Header) bool {
	for _, values := range h {
		for _, v := range values {
			if strings.TrimSpace(v) != v || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) {
				return false
			}
		}
	}
	return true
}
