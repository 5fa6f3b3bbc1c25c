package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
)

// variablePrefix starts the name of each variable that is ours. The rest is
// the path with underscores: KUBESPHERE_MONITORING_ENDPOINT.
const variablePrefix = "KUBESPHERE_"

// serviceLink matches what the kubelet puts into every container for a Service
// whose name begins with kubesphere, as NAME=value.
var serviceLink = regexp.MustCompile(`^KUBESPHERE_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?=|PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://|PORT_\d+_(TCP|UDP|SCTP)_)`)

// deepest bounds the number of words in the path of a variable.
const deepest = 8

// addVariables adds the environment, shorter paths first: a variable may set a
// whole map, as JSON, and another one a key in it. Empty variables count as
// not set, as upstream.
func (l *loader) addVariables(environ []string) {
	ours := func(variable string) bool { return strings.HasPrefix(variable, variablePrefix) }
	environ = slices.Sorted(slices.Values(environ)) // the report's order
	if !slices.ContainsFunc(environ, ours) {
		return
	}
	var rounds [deepest + 1]bool // by number of words
	l.eachVariable(environ, func(name, text string, t target, ok bool) any {
		switch {
		case !ok:
			l.unknownVariable(name, text)
		case text != "" && len(t.at) <= deepest:
			rounds[len(t.at)] = true
		}
		return nil
	})
	for words, used := range rounds {
		if used {
			l.eachVariable(environ, func(name, text string, t target, ok bool) any {
				if !ok || text == "" || len(t.at) != words {
					return nil
				}
				return l.fromText(t, text, origin{file: name})
			})
		}
	}
}

// eachVariable shows each of our variables to value, and adds what it returns;
// nil adds nothing.
func (l *loader) eachVariable(environ []string, value func(name, text string, t target, ok bool) any) {
	have := l.layers.Raw()
	provider := env.Provider(separator, env.Opt{
		Prefix:      variablePrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, text string) (string, any) {
			t, ok := resolveVariable(strings.TrimPrefix(name, variablePrefix), have)
			if v := value(name, text, t, ok); v != nil {
				return strings.Join(t.at, separator), v
			}
			return "", nil
		},
	})
	if err := l.layers.Load(provider, nil); err != nil {
		l.report.fail(Problem{Message: "cannot read the environment: " + err.Error()})
	}
}

// unknownVariable only warns, also in strict mode: the environment belongs to
// others too.
func (l *loader) unknownVariable(name, text string) {
	if serviceLink.MatchString(name + "=" + text) {
		return
	}
	var names []string
	for _, at := range leafPaths() {
		names = append(names, variableName(at))
	}
	l.report.warn(Problem{File: name, Message: "unknown variable, ignored", Nearest: nearestWord(name, names)})
}

// variableName returns the variable that overrides a key.
func variableName(at path) string {
	return variablePrefix + strings.ToUpper(strings.Join(at, "_"))
}
