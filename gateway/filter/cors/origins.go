package cors

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/filter"
)

// origins are the origins that may read answers.
type origins struct {
	any      bool
	exact    []string
	suffixes []wildcard
	patterns []*regexp.Regexp
}

// wildcard is an origin whose host begins with *: any number of labels stand for it.
type wildcard struct{ scheme, rest string }

// maxOrigin is the longest origin that is looked at, bytes: a scheme, a host of 253 and a port.
const maxOrigin = 300

func newOrigins(list, patterns []string, credentials bool) (o origins, err error) {
	for i, text := range list {
		key := fmt.Sprintf("origins[%d]", i)
		switch {
		case text == "*" && credentials, text == "null" && credentials:
			return o, filter.Wrong(key, "%q with credentials would let every site act as the user: name the origins", text)
		case text == "*":
			o.any = true
		case text == "null":
			o.exact = append(o.exact, text)
		default:
			if err := o.add(text); err != nil {
				return o, filter.Wrong(key, "%w", err)
			}
		}
	}
	for i, text := range patterns {
		p, err := regexp.Compile("^(?:" + text + ")$")
		if err != nil {
			return o, filter.Wrong(fmt.Sprintf("originPatterns[%d]", i), "cannot parse %q: %w", text, err)
		}
		// Of one that matches a name nobody has named, the author has said more than was meant.
		if credentials && (p.MatchString("https://any.invalid") || p.MatchString("null")) {
			return o, filter.Wrong(fmt.Sprintf("originPatterns[%d]", i), "%q with credentials would let every site act as the user", text)
		}
		o.patterns = append(o.patterns, p)
	}
	return o, nil
}

// add takes an origin as browsers write it: scheme://host[:port], lower case, nothing behind.
func (o *origins) add(text string) error {
	scheme, rest, ok := strings.Cut(text, "://*.")
	probe := text
	if ok {
		probe = scheme + "://" + rest
	}
	u, err := url.Parse(probe)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != probe || strings.Contains(probe, "*") || probe != strings.ToLower(probe) {
		return fmt.Errorf("want an origin as https://console.example.com or https://*.example.com, have %q", text)
	}
	if !ok {
		o.exact = append(o.exact, text)
		return nil
	}
	o.suffixes = append(o.suffixes, wildcard{scheme + "://", "." + rest})
	return nil
}

// allows says whether answers may be read by origin, as browsers write it.
func (o *origins) allows(origin string) bool {
	if origin == "" || len(origin) > maxOrigin {
		return false
	}
	return o.any || slices.Contains(o.exact, origin) ||
		slices.ContainsFunc(o.suffixes, func(w wildcard) bool { return w.matches(origin) }) ||
		slices.ContainsFunc(o.patterns, func(p *regexp.Regexp) bool { return p.MatchString(origin) })
}

// matches wants host labels and nothing else in the place of *.
func (w wildcard) matches(origin string) bool {
	host, ok := strings.CutPrefix(origin, w.scheme)
	if !ok {
		return false
	}
	if host, ok = strings.CutSuffix(host, w.rest); !ok || host == "" {
		return false
	}
	return strings.IndexFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	}) < 0
}
