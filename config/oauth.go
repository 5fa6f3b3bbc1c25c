package config

// OAuth holds what the OAuth server does only when it is asked to, for clients of before.
type OAuth struct {
	Implicit             bool `json:"implicit" default:"false" doc:"response_type token: tokens in the redirect, for clients that know no code; whoever sees the URL has them"`
	CommandLine          bool `json:"commandLine" default:"true" doc:"the client postern, which postern login is: public, for passwords and for codes to the user's own machine; false: only the clients of oauthOptions"`
	CallbackWithoutState bool `json:"callbackWithoutState" default:"false" doc:"/oauth/callback answers with tokens also when the login did not begin here: for consoles with a button of their own, which check the state themselves"`
}
