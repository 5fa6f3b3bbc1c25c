// Package variant lets tests load modules in ways that no configuration offers, to hold them against the usual one.
package variant

import "context"

// Variant says what is different. The zero value is the usual way.
type Variant struct {
	// NoFuel leaves out what makes guests interruptible. A guest that loops then hangs the process.
	NoFuel bool
	// NoCopies makes every instance on its own.
	NoCopies bool
	// OnlyCopies throws the first instance away once there is a snapshot: a copy answers every request.
	OnlyCopies bool
}

type key struct{}

// With is a context in which modules are loaded the way v says.
func With(ctx context.Context, v Variant) context.Context { return context.WithValue(ctx, key{}, v) }

// Of is the variant of a context.
func Of(ctx context.Context) Variant {
	v, _ := ctx.Value(key{}).(Variant)
	return v
}
