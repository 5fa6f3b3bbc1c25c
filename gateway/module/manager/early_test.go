package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestFirstLookTakesWhatIsLoadedEarly starts with good modules, a bad one and two that want the same route.
func TestFirstLookTakesWhatIsLoadedEarly(t *testing.T) {
	f := newFolder(t, plain)
	for n := range 4 {
		f.put(fmt.Sprintf("m%d.wasm", n), saying(t, fmt.Sprint("from ", n), serving(fmt.Sprint("m", n), fmt.Sprintf("g%d.io/v1", n))))
	}
	f.put("twin.wasm", saying(t, "twin", serving("twin", "g3.io/v1")))
	f.put("bad.wasm", []byte("not a module"))
	f.loadEarly(context.Background())
	if n := len(f.early); n != 5 {
		t.Errorf("%d modules were loaded early, want 5", n)
	}
	first := f.early
	if err := os.Remove(filepath.Join(f.dir, "m2.wasm")); err != nil { // between the two
		t.Fatal(err)
	}
	f.look()
	if len(first) != 1 {
		t.Errorf("%d are left after the first look, want that of the file that has gone", len(first))
	}
	f.dropEarly()
	f.want("g0.io/v1", "from 0", "g1.io/v1", "from 1", "g2.io/v1", "", "g3.io/v1", "from 3")
	for _, file := range []string{"bad.wasm", "twin.wasm"} {
		if f.failing(file) == "" {
			t.Errorf("%s does not say why it does not serve", file)
		}
	}
	eventually(t, "what is not used closes", func() bool { f.sweep(); return len(f.retired) == 0 })
}
