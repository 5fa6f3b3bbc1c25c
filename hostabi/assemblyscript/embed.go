// Package assemblyscript holds the SDK of modules written in AssemblyScript: one file, which `postern module new --lang
// assemblyscript` puts into a new module, and the compiler's version with its lock file.
package assemblyscript

import _ "embed"

// The SDK, and the files that `npm ci` fetches the compiler by.
var (
	//go:embed postern.ts
	Source []byte
	//go:embed package.json
	Package []byte
	//go:embed package-lock.json
	Lock []byte
)
