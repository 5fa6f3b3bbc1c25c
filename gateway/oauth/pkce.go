package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// challengeLength is a SHA-256 sum in base64url. A verifier has 43 to 128 characters (RFC 7636, section 4).
const (
	challengeLength = 43
	minVerifier     = 43
	maxVerifier     = 128
)

// goodChallenge says whether text can be the sum of a verifier.
func goodChallenge(text string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(text) == challengeLength && len(sum) == sha256.Size
}

// verified says whether verifier is what challenge is the sum of. A code without a challenge takes no verifier: somebody
// has then taken the challenge away from the client's request.
func verified(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == "" && verifier == ""
	}
	if len(verifier) < minVerifier || len(verifier) > maxVerifier || strings.ContainsFunc(verifier, reserved) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

func reserved(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-._~", r):
		return false
	}
	return true
}
