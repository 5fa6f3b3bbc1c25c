package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// opened is a Keeper with a journal; it is closed at the end of the test, should the test not.
func opened(t *testing.T, path string, s Settings) *Keeper {
	t.Helper()
	k := newKeeper(s)
	must(t, k.Open(path))
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func TestAJournalOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "sessions.journal")
	ctx := t.Context()
	k := opened(t, path, Settings{})
	gone, kept, other := NewID(), NewID(), NewID()
	must(t, k.EndSession(ctx, gone, inAnHour()))
	must(t, k.EndUser(ctx, "älice \"x\"\n", kept, inAnHour()))
	if first, err := k.Once(ctx, "code", inAnHour()); !first || err != nil {
		t.Fatal(first, err)
	}
	must(t, k.Close())
	for range 2 { // the second time from what the first has written anew
		k = opened(t, path, Settings{})
		if !k.Ended("bob", gone, time.Now()) || !k.Ended("älice \"x\"\n", other, time.Now()) {
			t.Error("an ended session is alive after a restart")
		}
		if k.Ended("älice \"x\"\n", kept, time.Now()) || k.Ended("bob", other, time.Now()) {
			t.Error("others have ended")
		}
		if first, err := k.Once(ctx, "code", inAnHour()); first || err != nil {
			t.Errorf("a used code is good again: %v, %v", first, err)
		}
		must(t, k.Close())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestACrashLosesNothing reads a journal that was never closed, and one that ends in half of a line.
func TestACrashLosesNothing(t *testing.T) {
	dir := t.TempDir()
	k := opened(t, filepath.Join(dir, "a"), Settings{})
	var all sync.WaitGroup
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = NewID()
		all.Go(func() {
			if err := k.EndSession(context.Background(), ids[i], inAnHour()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(filepath.Join(dir, "a")) // as it is on the disk now
	must(t, err)
	for name, content := range map[string][]byte{
		"whole":       text,
		"half a line": append(slices.Clone(text), text[len(text)-30:len(text)-10]...),
		"garbage":     append(slices.Clone(text), append(bytes.Repeat([]byte("x"), 3*maxLine), '\n')...),
		"zeros":       append(slices.Clone(text), make([]byte, 4096)...),
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		must(t, os.WriteFile(path, content, 0o600))
		after := opened(t, path, Settings{})
		for _, id := range ids {
			if !after.Ended("alice", id, time.Now()) {
				t.Errorf("%s: %s is alive", name, id)
			}
		}
		must(t, after.Close())
	}
}

func TestAJournalOfOthersIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "notes.txt")
	must(t, os.WriteFile(path, []byte("dear diary\n"), 0o600))
	if err := newKeeper(Settings{}).Open(path); !errors.Is(err, errNoJournal) {
		t.Errorf("opened: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "dear diary\n" {
		t.Errorf("it says %q now, %v", text, err)
	}
	path = filepath.Join(dir, "used")
	opened(t, path, Settings{})
	if err := newKeeper(Settings{}).Open(path); err == nil || !strings.Contains(err.Error(), "another gateway") {
		t.Errorf("two gateways share a journal: %v", err)
	}
}

// TestAnEndThatCannotBeWritten is in force, says so, and is written when that can be done again.
func TestAnEndThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "j")
	k := opened(t, path, Settings{})
	must(t, os.Rename(dir, dir+".away")) // and not closed: root may write everywhere
	k.journal.file.Close()               // and the disk breaks
	lost, code := NewID(), NewID()
	if err := k.EndSession(t.Context(), lost, inAnHour()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("it was written: %v", err)
	}
	if first, err := k.Once(t.Context(), code, inAnHour()); first || !errors.Is(err, ErrUnavailable) {
		t.Errorf("a code was taken: %v, %v", first, err)
	}
	if !k.Ended("alice", lost, time.Now()) {
		t.Error("it is not in force")
	}
	k.Configure(Settings{Local: true})
	must(t, k.EndSession(t.Context(), NewID(), inAnHour()))
	must(t, os.Rename(dir+".away", dir))
	eventually(t, "the journal is written again", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), lost) && strings.Contains(string(text), code)
	})
	eventually(t, "nobody complains", func() bool { return !k.unkept.Load() })
}

func TestAJournalDoesNotGrowForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	k := opened(t, path, Settings{})
	r := record{kind: kindSession, id: strings.Repeat("x", maxName)}
	biggest := int64(0)
	for i := range 2000 {
		r.until = lasting(time.Now().Add(time.Hour + time.Duration(i)*time.Second))
		_, err := k.memory.learn(r, time.Now().UnixMilli())
		must(t, err)
		batch := []entry{{line: appendLine(nil, r), done: make(chan error, 1)}}
		k.journal.queue <- batch[0]
		must(t, <-batch[0].done)
		if info, err := os.Stat(path); err == nil {
			biggest = max(biggest, info.Size())
		}
	}
	if biggest > 2*journalSmall {
		t.Errorf("%d bytes for one session", biggest)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func FuzzJournal(f *testing.F) {
	good := []byte(journalHeader)
	for _, r := range []record{
		{kind: kindSession, id: "a", until: 1 << 41},
		{kind: kindUser, id: "älice \"x\"", keep: NewID(), before: 17, until: 5},
		{kind: kindOnce, id: "\x00\xff", until: -1},
	} {
		good = appendLine(good, r)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte("postern sessions 2\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var records []record
		if _, err := readJournal(bytes.NewReader(data), func(r record) error {
			records = append(records, r)
			return nil
		}); err != nil {
			return
		}
		text := []byte(journalHeader)
		for _, r := range records {
			if r.check() != nil {
				t.Fatalf("read %+v", r)
			}
			text = appendLine(text, r)
		}
		n := 0
		damaged, err := readJournal(bytes.NewReader(text), func(r record) error {
			if r != records[n] {
				return fmt.Errorf("wrote %+v, read %+v", records[n], r)
			}
			n++
			return nil
		})
		if err != nil || damaged != 0 || n != len(records) {
			t.Fatalf("%d of %d records, %d damaged, %v", n, len(records), damaged, err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	for _, text := range []string{`1 s "a"`, `99 u 5 "" "alice"`, `1 o "x" y`, `1 u 5 "a"b "c"`, "", "1 s `a`"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(string(r.append(nil)))
		if err != nil || again != r {
			t.Fatalf("%q is %+v, then %+v, %v", text, r, again, err)
		}
	})
}
