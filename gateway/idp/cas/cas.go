// Package cas is the identity provider CASIdentityProvider: a server of the Central Authentication Service, protocol 2 or 3.
package cas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/outbound"
)

// Type is CASIdentityProvider.
var Type = idp.Type{Name: "CASIdentityProvider", New: newProvider}

// options; the first two and insecureSkipVerify are KubeSphere's.
type options struct {
	CASServerURL string `json:"casServerURL"`
	RedirectURL  string `json:"redirectURL"` // empty: the gateway's own
	outbound.Trust

	Protocol             int    `json:"protocol"` // 2; 3 asks for attributes
	MailAttribute        string `json:"mailAttribute"`
	DisplayNameAttribute string `json:"displayNameAttribute"`
	GroupAttribute       string `json:"groupAttribute"`
}

type provider struct {
	o      *options
	client *outbound.Client
}

var _ idp.OAuthProvider = (*provider)(nil)

func newProvider(raw json.RawMessage) (idp.Provider, error) {
	o := &options{Protocol: 2}
	if err := idp.Decode(raw, o); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	client, err := outbound.NewClient(o.Trust)
	if err != nil {
		return nil, err
	}
	return &provider{o, client}, nil
}

func (o *options) check() error {
	if _, err := idp.URL("casServerURL", o.CASServerURL); err != nil {
		return err
	}
	o.CASServerURL = strings.TrimSuffix(o.CASServerURL, "/")
	if o.RedirectURL != "" {
		if _, err := idp.URL("redirectURL", o.RedirectURL); err != nil {
			return err
		}
	}
	if o.Protocol != 2 && o.Protocol != 3 {
		return idp.Wrong("protocol", "want 2 or 3, have %d", o.Protocol)
	}
	if o.Protocol == 2 && o.MailAttribute+o.DisplayNameAttribute+o.GroupAttribute != "" {
		return idp.Wrong("protocol", "attributes need protocol 3")
	}
	return nil
}

// Close implements idp.Provider.
func (p *provider) Close() { p.client.Close() }

// AuthorizeURL implements idp.OAuthProvider. CAS knows no state, so the URL it sends the browser back to has it.
func (p *provider) AuthorizeURL(_ context.Context, v idp.Visit) (string, error) {
	service, err := p.service(v)
	if err != nil {
		return "", err
	}
	return p.o.CASServerURL + "/login?" + url.Values{"service": {service}}.Encode(), nil
}

// service is the URL that tickets are for: the same at both ends of a visit.
func (p *provider) service(v idp.Visit) (string, error) {
	redirect := p.o.RedirectURL
	if redirect == "" {
		redirect = v.Redirect
	}
	if redirect == "" {
		return "", idp.NoRedirect()
	}
	u, err := url.Parse(redirect)
	if err != nil {
		return "", fmt.Errorf("cannot parse the URL to come back to: %w", err)
	}
	if v.State != "" {
		query := u.Query()
		query.Set("state", v.State)
		u.RawQuery = query.Encode()
	}
	return u.String(), nil
}

// maxTicket is the most bytes that a ticket may have; servers must do with 256 (CAS protocol, section 3.7).
const maxTicket = 1024

// Exchange implements idp.OAuthProvider.
func (p *provider) Exchange(ctx context.Context, v idp.Visit, callback url.Values) (idp.Identity, error) {
	ticket := callback.Get("ticket")
	if ticket == "" || len(ticket) > maxTicket || len(callback["ticket"]) > 1 {
		return idp.Identity{}, fmt.Errorf("no ticket: %w", idp.ErrRefused)
	}
	service, err := p.service(v)
	if err != nil {
		return idp.Identity{}, err
	}
	path := "/serviceValidate?"
	if p.o.Protocol == 3 {
		path = "/p3/serviceValidate?"
	}
	data, err := p.client.Get(ctx, p.o.CASServerURL+path+url.Values{"service": {service}, "ticket": {ticket}}.Encode(), "", "application/xml")
	if err != nil {
		return idp.Identity{}, fmt.Errorf("cannot validate the ticket: %w", err)
	}
	a, err := parse(data)
	if err != nil {
		return idp.Identity{}, fmt.Errorf("cannot validate the ticket: %w", err)
	}
	return p.identity(a), nil
}

// identity is what the answer says; of protocol 2, the name alone.
func (p *provider) identity(a *answer) idp.Identity {
	first := func(attribute string) string {
		if all := a.attributes[attribute]; attribute != "" && len(all) > 0 {
			return all[0]
		}
		return ""
	}
	id := idp.Identity{UID: a.user, Name: a.user, Email: first(p.o.MailAttribute), DisplayName: first(p.o.DisplayNameAttribute)}
	if p.o.GroupAttribute != "" {
		id.Groups = a.attributes[p.o.GroupAttribute]
	}
	return id
}

var errAnswer = errors.New("the answer is none of CAS")
