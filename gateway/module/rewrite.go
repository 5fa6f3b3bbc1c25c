package module

import (
	"context"

	"github.com/posternhq/postern/gateway/module/fuel"
	"github.com/posternhq/postern/gateway/module/internal/variant"
	"github.com/posternhq/postern/gateway/module/snapshot"
	"github.com/posternhq/postern/hostabi"
)

// rewrite is the code that is compiled for a module: it can be interrupted and, if it is of that kind, its instances can be
// copied. The copies' part says so.
func rewrite(ctx context.Context, code []byte) ([]byte, *copies, error) {
	v := variant.Of(ctx)
	if !v.NoFuel {
		metered, err := fuel.Rewrite(code, fuel.Options{Module: hostabi.ModuleFuel, Name: "spend"})
		if err != nil {
			return nil, nil, err
		}
		code = metered
	}
	if v.NoCopies {
		return code, &copies{why: "off"}, nil
	}
	prepared, plan, err := snapshot.Prepare(code)
	if err != nil {
		return code, &copies{why: err.Error()}, nil
	}
	return prepared, &copies{plan: plan}, nil
}
