package module

import (
	"context"

	"github.com/posternhq/postern/gateway/module/fuel"
	"github.com/posternhq/postern/gateway/module/internal/variant"
	"github.com/posternhq/postern/gateway/module/snapshot"
	"github.com/posternhq/postern/hostabi"
)

// metered is a module's code so that it can be interrupted.
func metered(ctx context.Context, code []byte) ([]byte, error) {
	if variant.Of(ctx).NoFuel {
		return code, nil
	}
	return fuel.Rewrite(code, fuel.Options{Module: hostabi.ModuleFuel, Name: "spend"})
}

// prepare is the code that is compiled of what metered made: if it is of that kind, its instances can be copied. The image's
// copies say so.
func (img *image) prepare(ctx context.Context, code []byte) []byte {
	if variant.Of(ctx).NoCopies {
		img.copies.begun(nil, "off")
		return code
	}
	prepared, plan, err := snapshot.Prepare(code)
	if err != nil {
		img.copies.begun(nil, err.Error())
		return code
	}
	img.copies.begun(plan, "")
	return prepared
}
