package module

import (
	"fmt"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/signature"
)

// open splits a module into its manifest and its code, once those have signed it who must. Without manifest and signatures
// the code's key in the cache stays when they change.
func open(wasm []byte, policy func(name string) Policy) (about *manifest.Manifest, code []byte, err error) {
	about, code, err = manifest.Split(signature.Unsigned(wasm))
	if err != nil {
		return nil, nil, err
	}
	if err := signature.Require(wasm, policy(about.Name).SignedBy); err != nil {
		return nil, nil, fmt.Errorf("module %q: %w", about.Name, err)
	}
	return about, code, nil
}
