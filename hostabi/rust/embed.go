// Package rust holds the SDK of modules written in Rust: one file, which `postern module new --lang rust` puts into a new
// module.
package rust

import _ "embed"

// Source is postern.rs.
//
//go:embed postern.rs
var Source []byte
