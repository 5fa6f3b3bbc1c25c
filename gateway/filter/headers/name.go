package headers

import (
	"fmt"
	"strings"
)

// checkName wants a header's name that is not one of forbidden; those may end in *.
func checkName(name string, forbidden []string) error {
	if name == "" || strings.IndexFunc(name, func(r rune) bool { return !isToken(r) }) >= 0 {
		return fmt.Errorf("%q is no header's name", name)
	}
	lower := strings.ToLower(name)
	for _, f := range forbidden {
		prefix, open := strings.CutSuffix(f, "*")
		if lower == f || open && strings.HasPrefix(lower, prefix) {
			return fmt.Errorf("header %s is the gateway's own: it frames the message or says who asks", name)
		}
	}
	return nil
}

// isToken says whether r may be in a header's name (RFC 9110, section 5.6.2).
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
