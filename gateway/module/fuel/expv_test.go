package fuel

import "runtime"

func runtimeLock() { runtime.LockOSThread() }

func variant(form, check int, max uint32, heavy uint64, n int32) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		f, c, m, h := expForm, expCheck, expMax, heavyBytes
		defer func() { expForm, expCheck, expMax, heavyBytes = f, c, m, h }()
		expForm, expCheck, expMax, heavyBytes = form, check, max, heavy
		return Rewrite(b, Options{Interval: n})
	}
}

var variants = []struct {
	name string
	f    func([]byte) ([]byte, error)
}{
	{"header", variant(1, 0, 0, 1024, 1000)},
	{"headerfloor", variant(1, 2, 0, 1024, 1<<28)},
	{"branch", variant(1, 0, 1<<20, 1024, 1000)},
	{"branchfloor", variant(1, 2, 1<<20, 1024, 1<<28)},
	{"k2-inline", variant(0, 0, 2, 1024, 1000)},
	{"k2-5000", variant(1, 0, 2, 1024, 5000)},
	{"k2-100", variant(1, 0, 2, 1024, 100)},
}
