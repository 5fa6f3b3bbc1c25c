package codecache

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// entry is what the index knows of a module's machine code.
type entry struct {
	File string `json:"file"` // below the store's folder
	Size int64  `json:"size"` // bytes
	// CRC is the Castagnoli checksum of the file: wazero's own leaves out the functions' offsets, and runs what they
	// point to. It finds damage; against malice stand the folder's permissions.
	CRC uint32 `json:"crc"`
}

// maxEntry bounds the index's files, bytes: they hold one path and two numbers.
const maxEntry = 4 << 10

// fileForm is how wazero names its files.
var fileForm = regexp.MustCompile(`^wazero-[0-9A-Za-z.+-]+/[0-9a-f]{64}$`)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum reads a file through: its size and checksum.
func sum(path string) (size int64, crc uint32, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = f.Close() }()
	h := crc32.New(castagnoli)
	size, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 64<<10))
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read %q: %w", path, err)
	}
	return size, h.Sum32(), nil
}

// Find says whether the code of key is there and whole, and notes that it is used. What is damaged is removed.
func (s *Store) Find(key Key) bool {
	e, err := s.read(key)
	if err != nil {
		return false
	}
	size, crc, err := sum(filepath.Join(s.dir, e.File))
	if err != nil || size != e.Size || crc != e.CRC {
		s.Forget(key)
		return false
	}
	now := time.Now()
	_ = os.Chtimes(s.index(key), now, now) // else it is trimmed too early, and made again
	return true
}

// Forget removes the code of key, so that it is made anew.
func (s *Store) Forget(key Key) {
	if e, err := s.read(key); err == nil {
		_ = os.Remove(filepath.Join(s.dir, e.File))
	}
	_ = os.Remove(s.index(key))
}

func (s *Store) index(key Key) string { return filepath.Join(s.dir, "index", string(key)) }

func (s *Store) read(key Key) (e entry, err error) {
	text, err := readFile(s.index(key), maxEntry)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, err
	}
	if !fileForm.MatchString(filepath.ToSlash(e.File)) {
		return e, fmt.Errorf("not a file of the cache: %q", e.File)
	}
	return e, nil
}

func (s *Store) write(key Key, e entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return writeFile(s.index(key), text)
}

// readFile reads a file of at most so many bytes, into a slice of just its size.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%q has %d bytes, more than %d", path, info.Size(), most)
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	return b, nil
}

// writeFile writes a file beside and renames it over, so that nobody reads half of it.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("cannot write to the cache of compiled modules: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("cannot write to the cache of compiled modules: %w", err)
	}
	return nil
}
