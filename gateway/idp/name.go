package idp

import (
	"crypto/sha256"
	"encoding/hex"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The labels that link a user to somebody at a provider. They are KubeSphere's.
const (
	LabelProvider = "iam.kubesphere.io/identify-provider"
	LabelUID      = "iam.kubesphere.io/origin-uid"
)

// maxName is the most bytes of an account's name: that of a label's value, in which bindings name their user.
const maxName = 63

// hashed begins labels that stand for a UID which is no label itself. A UID that begins like that is hashed, too, so that
// nobody's UID can be made to be another's.
const hashed = "sha256-"

var labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

func validLabel(text string) bool { return labelValue.MatchString(text) }

// label is a UID as a value of a label: the UID itself if it can be, so that links made by KubeSphere and by hand hold.
func label(uid string) string {
	if validLabel(uid) && !strings.HasPrefix(uid, hashed) {
		return uid
	}
	return hashed + digest(uid, 20)
}

// digest is so many bytes of a text's SHA-256, in hex.
func digest(text string, n int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:n])
}

// What a name in Kubernetes cannot have, and what it cannot have around a dot.
var (
	foreign = regexp.MustCompile(`[^a-z0-9.]+`)
	dots    = regexp.MustCompile(`[-.]*\.[-.]*`)
)

// accountName makes a name that Kubernetes takes of one that a provider has: small letters, digits and dots are kept, the rest
// becomes -. A name of which nothing is left becomes one made of provider and UID.
func accountName(name, provider, uid string) string {
	name = strings.ToLower(name[:min(len(name), maxText)])
	name = dots.ReplaceAllString(foreign.ReplaceAllString(name, "-"), ".")
	name = strings.Trim(name, "-.")
	name = strings.TrimRight(name[:min(len(name), maxName)], "-.")
	if name == "" {
		return "user-" + digest(provider+"\x00"+uid, 5)
	}
	return name
}

// reserved says whether nobody from elsewhere may have the name: rights are bound to it before there is such a user.
func reserved(name string) bool { return slices.Contains([]string{"admin", "anonymous"}, name) }

// email is an address that can be written into an account, or empty.
func email(text string) string {
	if len(text) > maxEmail {
		return ""
	}
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text {
		return ""
	}
	return text
}

// text is what people read, without what does not belong into a line.
func text(s string) string {
	if !utf8.ValidString(s) {
		return ""
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
	for len(s) > maxText {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
