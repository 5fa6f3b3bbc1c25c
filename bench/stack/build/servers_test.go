package build

import "testing"

// TestNeededByServers: a server and the libraries it is linked with, in whatever release; nothing that is on every machine or
// runs at installation.
func TestNeededByServers(t *testing.T) {
	for name, want := range map[string]bool{
		"slapd": true, "libldap-2.5-0": true, "libldap2": true, "libgnutls30": true, "libgnutls30t64": true, "libhogweed6t64": true, "libtirpc3t64": true,
		"redis-server": true, "redis-tools": true, "libjemalloc2": true, "libssl3": true, "libssl3t64": true, "liblzf1": true,
		"libc6": false, "perl": false, "psmisc": false, "debconf": false, "coreutils": false, "libldap-common-extra x": false, "adduser": false,
	} {
		if servers.needed.MatchString(name) != want {
			t.Errorf("%s: needed is %v", name, !want)
		}
	}
}
