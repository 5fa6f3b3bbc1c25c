package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// servers are the Debian packages of servers that tests start for themselves: OpenLDAP and Redis.
var servers = tree{
	roots: []string{"slapd", "redis-server"},
	needed: regexp.MustCompile(`^(slapd|libldap\S+|libodbc2|libltdl7|libsasl2-2|libwrap0|libcrypt1|libargon2-1|libgnutls30\S*|libp11-kit0|libidn2-0|` +
		`libunistring\d+|libtasn1-6|libnettle\d\S*|libhogweed\d\S*|libgmp10|libnsl2|libtirpc3\S*|libffi\d+|libgssapi-krb5-2|libkrb5-3|libk5crypto3|` +
		`libcom-err2|libkrb5support0|libkeyutils1|` +
		`redis-server|redis-tools|libjemalloc2|liblzf1|libatomic1|libssl3\S*|libsystemd0|libelogind0|libcap2|libgcrypt20|libgpg-error0|liblz4-1|` +
		`liblzma5|libzstd1|liblua5\.1-0|lua-cjson|lua-bitop|libhiredis\S+)$`),
}

// serverCommands are the commands of the tree. Data and configuration are given by those who start them; slapd -Tadd is
// slapadd, and so on.
var serverCommands = map[string]string{
	"redis-server": `exec "$root/usr/bin/redis-server" "$@"`,
	"slapd":        `LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$(echo "$root"/lib/*-linux-*)" exec "$root/usr/sbin/slapd" "$@"`,
}

// Servers puts the servers that tests need into dir: dir/bin has their commands. Nothing is installed or started, and no root
// is needed.
func (b *Builder) Servers(ctx context.Context, dir string) error {
	return b.exclusive(ctx, "apt", func() error { return b.servers(ctx, dir) })
}

func (b *Builder) servers(ctx context.Context, dir string) error {
	h := sha256.New()
	fmt.Fprintln(h, servers.roots, servers.needed, wrapper, serverCommands)
	sum, stamp := hex.EncodeToString(h.Sum(nil)), filepath.Join(dir, "sum")
	if old, err := os.ReadFile(stamp); err == nil && string(old) == sum {
		return nil
	}
	b.Say("fetching the servers that tests start (Debian packages, 10 MB); they are unpacked under %s, not installed", dir)
	if err := b.debianTree(ctx, servers, dir); err != nil {
		return err
	}
	if err := writeWrappers(filepath.Join(dir, "bin"), serverCommands); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, []byte(sum), 0o644); err != nil {
		return fmt.Errorf("cannot note what the servers were made of: %w", err)
	}
	return nil
}
