package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of a token, bytes: shorter ones can be guessed.
const (
	minToken = 16
	maxToken = 4096
)

// DefaultTokenFile is where the token of operators is when nothing is configured: in the state folder of the user that runs
// the gateway, where the command line finds it too; empty when that user has none.
func DefaultTokenFile() string {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return ""
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "postern", "admin.token")
}

// Token reads the token in a file, white space around it left out. A file that does not exist is made, readable by its owner
// alone, with a random token of 256 bits.
func Token(path string) (string, error) {
	token, err := ReadToken(path)
	if !errors.Is(err, os.ErrNotExist) {
		return token, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("cannot make the token of the admin listener: %w", err)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails: crypto/rand ends the process instead
	token = hex.EncodeToString(secret)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) { // another gateway was faster
		return ReadToken(path)
	}
	if err == nil {
		_, err = f.WriteString(token + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return "", fmt.Errorf("cannot make the token of the admin listener: %w", err)
	}
	return token, nil
}

// ReadToken is Token for a file that is there.
func ReadToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the token of the admin listener: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("cannot read the token of the admin listener: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minToken {
		return "", fmt.Errorf("cannot use the token in %q: it has fewer than %d characters", path, minToken)
	}
	return token, nil
}

// bears says whether a request has the token. How long it takes tells nothing of it.
func bears(r *http.Request, token string) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	have, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(have[:], want[:]) == 1 && ok && token != ""
}
