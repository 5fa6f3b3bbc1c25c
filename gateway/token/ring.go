package token

import "sync/atomic"

// Ring holds the keys in force. A new one has none, and so has a nil one.
type Ring struct{ current atomic.Pointer[Keys] }

// Keys are the keys in force, nil while there are none; all their methods take that. They are asked for with each request:
// keys are exchanged while the gateway serves.
func (r *Ring) Keys() *Keys {
	if r == nil {
		return nil
	}
	return r.current.Load()
}

// Set puts k in force, unless it is the same as what is: what was verified with that stays verified.
func (r *Ring) Set(k *Keys) {
	if old := r.current.Load(); old == nil || !old.Same(k) {
		r.current.Store(k)
	}
}
