package main

import (
	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway"
)

// loadOptions are what the flags ask for, with all checks that the gateway makes of a configuration.
func loadOptions(flags *config.Flags) (config.Options, error) {
	o, err := flags.Options()
	o.Check = gateway.CheckConfig
	return o, err
}
