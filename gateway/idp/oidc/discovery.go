package oidc

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/authcode"
)

// fresh is how long what a provider says of itself is believed. After that it is asked again, and believed for longer if it does
// not answer.
const fresh = time.Hour

// metadata is what is known of a provider.
type metadata struct {
	endpoint   authcode.Endpoint
	methods    []string // in which a client may prove who it is; none: as the standard's default
	algorithms []string // of id tokens
	keys       oidc.KeySet
	until      time.Time
}

// discovery asks for metadata when somebody needs it: the gateway starts without its providers.
type discovery struct {
	ask    func(context.Context) (*metadata, error)
	last   atomic.Pointer[metadata]
	flight singleflight.Group
}

func (d *discovery) get(ctx context.Context) (*metadata, error) {
	last := d.last.Load()
	if last != nil && time.Now().Before(last.until) {
		return last, nil
	}
	asked := d.flight.DoChan("", func() (any, error) {
		m, err := d.ask(context.WithoutCancel(ctx)) // for all who wait; the client's deadline holds
		if err != nil {
			return nil, err
		}
		d.last.Store(m)
		return m, nil
	})
	select {
	case r := <-asked:
		switch {
		case r.Err == nil:
			return r.Val.(*metadata), nil
		case last != nil:
			return last, nil
		}
		return nil, fmt.Errorf("cannot ask the provider about itself: %w", r.Err)
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot ask the provider about itself: %w: %w", idp.ErrUnavailable, ctx.Err())
	}
}

// document is the part of the provider's metadata that is used (OpenID Connect Discovery 1.0, section 3).
type document struct {
	Issuer     string   `json:"issuer"`
	Auth       string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	UserInfo   string   `json:"userinfo_endpoint"`
	Keys       string   `json:"jwks_uri"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
	Methods    []string `json:"token_endpoint_auth_methods_supported"`
}

// discover reads the metadata. URLs of the configuration go over it; when they are complete, nobody is asked.
func (p *provider) discover(ctx context.Context) (*metadata, error) {
	own := p.o.Endpoint
	var d document
	if own.AuthURL == "" || own.TokenURL == "" || own.JWKSURL == "" {
		if err := p.client.JSON(ctx, strings.TrimSuffix(p.o.Issuer, "/")+"/.well-known/openid-configuration", "", &d); err != nil {
			return nil, misconfigured(err)
		}
		if d.Issuer != p.o.Issuer {
			return nil, fmt.Errorf("%w: it calls itself %.100q, not %q", idp.ErrUnavailable, d.Issuer, p.o.Issuer)
		}
	}
	m := &metadata{methods: d.Methods, algorithms: algorithms(d.Algorithms), until: time.Now().Add(fresh)}
	if len(m.algorithms) == 0 {
		return nil, fmt.Errorf("%w: it signs id tokens with none of %s", idp.ErrUnavailable, strings.Join(asymmetric, ", "))
	}
	m.endpoint = authcode.Endpoint{
		AuthURL: cmp.Or(own.AuthURL, d.Auth), TokenURL: cmp.Or(own.TokenURL, d.Token), UserInfoURL: cmp.Or(own.UserInfoURL, d.UserInfo),
		JWKSURL: cmp.Or(own.JWKSURL, d.Keys),
	}
	for name, url := range map[string]string{
		"authorization_endpoint": m.endpoint.AuthURL, "token_endpoint": m.endpoint.TokenURL, "jwks_uri": m.endpoint.JWKSURL,
	} {
		if _, err := idp.URL(name, url); err != nil {
			return nil, misconfigured(err)
		}
	}
	// Keys are asked for when one is missing, with the client's deadline.
	m.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &p.client.Client), m.endpoint.JWKSURL)
	return m, nil
}

// misconfigured is err as nobody's fault who logs in.
func misconfigured(err error) error { return fmt.Errorf("%w: %v", idp.ErrUnavailable, err) }
