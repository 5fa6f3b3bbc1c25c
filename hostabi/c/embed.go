// Package c holds the SDK of modules written in C: one header, which `postern module new --lang c` puts into a new module.
package c

import _ "embed"

// Header is postern.h.
//
//go:embed postern.h
var Header []byte
