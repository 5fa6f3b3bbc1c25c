package visible

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// place is where a list goes on: what a continue token says. It is not signed, since it can show nothing by itself: each
// page is made of places that the caller may see when it is made, whatever the token says, and within one place
// kube-apiserver reads Continue as it reads that of a client who lists there himself.
type place struct {
	Version  string `json:"rv,omitempty"` // the one at which all pages are read
	At       string `json:"at,omitempty"` // namespace or name that comes next; those before it have been listed
	Continue string `json:"c,omitempty"`  // kube-apiserver's token within it
	Whole    bool   `json:"w,omitempty"`  // the list is filtered from the whole, not put together
}

// tokenPrefix tells our tokens from kube-apiserver's, whose text is base64 of JSON.
const tokenPrefix = "postern1."

// maxToken bounds a token, in bytes: a namespace's name has 63, an object's 253, and kube-apiserver's own token twice that.
const maxToken = 4096

var errToken = errors.New("continue key is not valid")

func (p place) encode() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("cannot encode a place: " + err.Error()) // strings alone always encode
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// parsePlace reads a token. Version is a number or empty: nothing else is sent on as one.
func parsePlace(token string) (p place, err error) {
	text, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(token) > maxToken {
		return p, errToken
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &p) != nil {
		return place{}, errToken
	}
	if strings.Trim(p.Version, "0123456789") != "" || p.Version == "0" || p.At == "" && p.Continue == "" || p.Whole && p.At != "" {
		return place{}, errToken
	}
	return p, nil
}
