package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// ABI is the least version of the contract that a module needs, as major.minor. Within a major, minors only add, so a
// host of 1.4 runs what was made for 1.0; a host that has a second major keeps the first one.
type ABI struct{ Major, Minor int }

// UnmarshalYAML reads "1" or "1.2"; YAML may take either for a number.
func (a *ABI) UnmarshalYAML(text []byte) error {
	form := strings.Trim(strings.TrimSpace(string(text)), `"'`)
	major, minor, dotted := strings.Cut(form, ".")
	var err1, err2 error
	a.Major, err1 = strconv.Atoi(major)
	if dotted {
		a.Minor, err2 = strconv.Atoi(minor)
	}
	if err1 != nil || err2 != nil || a.Major < 1 || a.Minor < 0 || len(form) > 8 {
		return fmt.Errorf("abi %q is not a version such as 1 or 1.2", form)
	}
	return nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *ABI) UnmarshalJSON(text []byte) error { return a.UnmarshalYAML(text) }

// MarshalJSON writes "1.2".
func (a ABI) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(a.String())), nil }

// String is "1.2"; "1.0" of a manifest that says nothing.
func (a ABI) String() string { return fmt.Sprintf("%d.%d", max(a.Major, 1), a.Minor) }

// Runs says why a host of these versions, one for each major, does not run the module.
func (a ABI) Runs(host []ABI) error {
	var have []string
	for _, h := range host {
		if h.Major == max(a.Major, 1) {
			if h.Minor >= a.Minor {
				return nil
			}
			return fmt.Errorf("needs ABI %s, this gateway has %s: a newer gateway, or a module built for it", a, h)
		}
		have = append(have, h.String())
	}
	return fmt.Errorf("needs ABI %s, this gateway has %s only", a, strings.Join(have, ", "))
}

// HostABI are the versions of the contract that this gateway has.
var HostABI = []ABI{{hostabi.Major, hostabi.Minor}}
