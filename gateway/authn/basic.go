package authn

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"unsafe"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/login"
)

// maxBasic is the longest Basic credentials that are looked at, in bytes of base64.
const maxBasic = 2048

// decoded are buffers of names and passwords.
var decoded = sync.Pool{New: func() any { return new([maxBasic]byte) }}

// basic says whose name and password are encoded. Only active users may pass.
func (s *Stage) basic(x *exchange.Exchange, encoded []byte) (*exchange.User, error) {
	if len(encoded) > maxBasic {
		return nil, errTooLong
	}
	buf := decoded.Get().(*[maxBasic]byte)
	defer decoded.Put(buf)
	n, err := base64.StdEncoding.Decode(buf[:], encoded)
	if err != nil {
		return nil, errMalformed
	}
	name, password, ok := bytes.Cut(buf[:n], []byte(":"))
	if !ok || len(name) == 0 {
		return nil, errMalformed
	}
	if len(name) > login.MaxName || len(password) > login.MaxPassword {
		return nil, errTooLong
	}
	// Both alias the buffer: Known keeps neither.
	nameText, passwordText := unsafe.String(&name[0], len(name)), unsafe.String(unsafe.SliceData(password), len(password))
	a := s.o.Logins.Known(nameText, passwordText)
	if a == nil {
		a, err = s.o.Logins.Password(x.Context(), login.Attempt{
			Name: strings.Clone(nameText), Password: strings.Clone(passwordText),
			Address: address(x), UserAgent: string(x.HTTP.UserAgent()),
		})
		if err != nil {
			return nil, err
		}
	}
	return s.users.of(s, a, Basic), nil
}

// address is where x comes from, for counts and records; empty when that is not known.
func address(x *exchange.Exchange) string {
	if a := x.Client(); a.IsValid() {
		return a.String()
	}
	return ""
}
