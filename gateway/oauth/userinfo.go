package oauth

import (
	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
)

// userInfo is the answer of OpenID Connect Core 1.0, section 5.3.2. What is not known of a user is left out.
type userInfo struct {
	Subject           string `json:"sub"`
	Name              string `json:"name,omitempty"`
	Email             string `json:"email,omitempty"`
	Locale            string `json:"locale,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`
}

// userinfo says who asks. The scopes of the token make no difference: whoever has it may read the user anyway.
func (s *Stage) userinfo(x *exchange.Exchange, _ string) {
	if x.User == nil || x.User.Method == anonymous {
		refuse(x, &fault{status: 401, code: codeLogin, text: "an access token is needed", challenge: `Bearer realm="postern"`})
		return
	}
	info := userInfo{Subject: x.User.Name, Name: x.User.Name, PreferredUsername: x.User.Name}
	if a := s.o.Users.Account(x.User.Name); a != nil && a.State != account.Disabled {
		info.Name, info.Email, info.Locale = displayName(a), a.Email, a.Lang
	}
	writeJSON(x, info)
}
