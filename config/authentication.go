package config

import "time"

// Authentication says who may log in, and how often they may fail.
type Authentication struct {
	AuthenticateRateLimiterMaxTries int           `json:"authenticateRateLimiterMaxTries" default:"5" check:"nonnegative" doc:"failed logins in the window before a user is locked; at most loginHistoryMaximumEntries"`
	AuthenticateRateLimiterDuration time.Duration `json:"authenticateRateLimiterDuration" default:"30m0s" check:"nonnegative" doc:"the window, and how long the lock lasts"`
	MaximumClockSkew                time.Duration `json:"maximumClockSkew" default:"10s" check:"nonnegative" doc:"how far in the future a token may have been issued"`
	LoginHistoryRetentionPeriod     time.Duration `json:"loginHistoryRetentionPeriod" default:"168h0m0s" check:"nonnegative" doc:"older login records are deleted"`
	LoginHistoryMaximumEntries      int           `json:"loginHistoryMaximumEntries" default:"100" check:"nonnegative" doc:"login records kept for each user"`
	MultipleLogin                   bool          `json:"multipleLogin" default:"false" doc:"a user may have several sessions at once; false: a login ends the ones before"`
	JWTSecret                       string        `json:"jwtSecret" secret:"true" doc:"signs tokens (HS256); empty: made once and kept in a Secret that replicas share"`
	KubectlImage                    string        `json:"kubectlImage" default:"kubesphere/kubectl:v1.0.0" doc:"image of the kubectl pod"`
	OAuthOptions                    OAuthOptions  `json:"oauthOptions" doc:"tokens, identity providers, clients"`
}

// OAuthOptions configures the OAuth and OIDC server.
type OAuthOptions struct {
	Issuer                       string             `json:"issuer" default:"kubesphere" doc:"iss of our tokens; a URL as clients see it (https://host or https://host/oauth) makes the gateway an OIDC provider"`
	SignKey                      string             `json:"signKey" doc:"file with the key (PEM; RSA, or EC P-256) that signs id tokens; none: made once and kept in a Secret that replicas share"`
	SignKeyData                  string             `json:"signKeyData" secret:"true" doc:"the same key, base64 of the PEM"`
	AccessTokenMaxAge            time.Duration      `json:"accessTokenMaxAge" default:"2h0m0s" check:"nonnegative" doc:"life of an access token; 0: for ever, and not looked up in the cache"`
	AccessTokenInactivityTimeout time.Duration      `json:"accessTokenInactivityTimeout" default:"2h0m0s" check:"nonnegative" doc:"added to accessTokenMaxAge: life of a refresh token"`
	IdentityProviders            []IdentityProvider `json:"identityProviders" doc:"tried in this order"`
	Clients                      []OAuthClient      `json:"clients" doc:"programs that may ask for tokens"`
}

// IdentityProvider is a directory or service that knows users.
type IdentityProvider struct {
	Name                     string         `json:"name" doc:"unique; part of the callback's path"`
	MappingMethod            string         `json:"mappingMethod" default:"auto" enum:"auto,lookup,mixed" doc:"auto makes the user, lookup wants it to exist; mixed is not supported"`
	DisableLoginConfirmation bool           `json:"disableLoginConfirmation" default:"false" doc:"no page that asks the new user's name"`
	Type                     string         `json:"type" doc:"LDAPIdentityProvider, OIDCIdentityProvider, GitHubIdentityProvider, …"`
	Provider                 map[string]any `json:"provider" doc:"options of the type"`
}

// OAuthClient is a program that may ask for tokens.
type OAuthClient struct {
	Name                         string         `json:"name" doc:"client_id"`
	Secret                       string         `json:"secret" secret:"true" doc:"client_secret; empty: a public client, which cannot keep one and needs PKCE"`
	RedirectURIs                 []string       `json:"redirectURIs" doc:"allowed redirect_uri and post_logout_redirect_uri, byte for byte; http://127.0.0.1/… and http://[::1]/… are good with any port; * allows any http or https URL, but none after a logout"`
	RespondWithChallenges        bool           `json:"respondWithChallenges" default:"false" doc:"not used, as upstream"`
	GrantMethod                  string         `json:"grantMethod" default:"auto" enum:"auto,prompt,deny" doc:"at /oauth/authorize: auto grants, prompt asks the user, deny refuses"`
	ScopeRestrictions            []string       `json:"scopeRestrictions" doc:"scopes the client may ask for; empty: all"`
	AccessTokenMaxAge            *time.Duration `json:"accessTokenMaxAge" check:"nonnegative" doc:"of tokens for this client; not set: oauthOptions' value"`
	AccessTokenInactivityTimeout *time.Duration `json:"accessTokenInactivityTimeout" check:"nonnegative" doc:"of tokens for this client; not set: oauthOptions' value"`
}
