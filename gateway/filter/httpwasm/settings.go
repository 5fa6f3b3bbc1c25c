package httpwasm

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/signature"
)

// maxFile bounds a guest's file, bytes: as that of a module.
const maxFile = 64 << 20

// settings of one use of the kind.
type settings struct {
	File            string          `json:"file" jsonschema:"required,description=the guest: a .wasm file. When it changes\\, the new one is loaded and takes over"`
	Digest          string          `json:"digest,omitempty" jsonschema:"description=sha256 that the file must have\\, in hex; empty: any"`
	RequireSignedBy []string        `json:"requireSignedBy,omitempty" jsonschema:"description=files of public keys (PEM); the guest must be signed by a key of each file"`
	Config          json.RawMessage `json:"config,omitempty" jsonschema:"description=what the guest gets as its configuration: a text as it is\\, an object as JSON"`
	PoolSize        int             `json:"poolSize,omitempty" jsonschema:"default=32,description=instances at most\\, each serves one request at a time; half of them may be held by requests that last as long as the client wants\\, until their answer begins"`
	QueueWait       filter.Duration `json:"queueWait,omitempty" jsonschema:"default=1s,description=how long a request waits for an instance; then 503"`
	Reload          filter.Duration `json:"reload,omitempty" jsonschema:"default=2s,description=how often the file is looked at"`
	FailOpen        bool            `json:"failOpen,omitempty" jsonschema:"description=requests pass when the guest fails\\, unless it has changed them by then"`
	Limits          limits          `json:"limits"`
}

type limits struct {
	Memory            filter.Size     `json:"memory,omitempty" jsonschema:"default=64MiB,description=memory of one instance"`
	CPUPerCall        filter.Duration `json:"cpuPerCall,omitempty" jsonschema:"default=100ms,description=CPU of one entry into the guest; then 504"`
	StartCPU          filter.Duration `json:"startCPU,omitempty" jsonschema:"default=2s,description=CPU of an instance's start"`
	RequestBytes      filter.Size     `json:"requestBytes,omitempty" jsonschema:"default=8MiB,description=of a request's body that is buffered; then 413"`
	ResponseBytes     filter.Size     `json:"responseBytes,omitempty" jsonschema:"default=8MiB,description=of an answer's body that is buffered; then 502"`
	BodyTimeout       filter.Duration `json:"bodyTimeout,omitempty" jsonschema:"default=30s,description=how long an answer's body is waited for when it is buffered; then 504"`
	LogLinesPerSecond int             `json:"logLinesPerSecond,omitempty" jsonschema:"default=100,description=of the guest's own log lines"`
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// decode reads settings and fills the defaults in.
func decode(raw json.RawMessage) (*settings, error) {
	s := &settings{
		PoolSize: 32, QueueWait: filter.Duration(time.Second), Reload: filter.Duration(2 * time.Second),
		Limits: limits{
			Memory: 64 << 20, CPUPerCall: filter.Duration(100 * time.Millisecond), StartCPU: filter.Duration(2 * time.Second), RequestBytes: 8 << 20, ResponseBytes: 8 << 20,
			BodyTimeout: filter.Duration(30 * time.Second), LogLinesPerSecond: 100,
		},
	}
	if err := filter.Decode(raw, s); err != nil {
		return nil, err
	}
	switch l := &s.Limits; {
	case s.File == "":
		return nil, filter.Wrong("file", "is not set")
	case s.Digest != "" && !digestForm.MatchString(s.Digest):
		return nil, filter.Wrong("digest", "want 64 hex digits in lower case, have %q", s.Digest)
	case s.PoolSize < 1 || s.PoolSize > 1024:
		return nil, filter.Wrong("poolSize", "want 1 to 1024, have %d", s.PoolSize)
	case s.QueueWait < 0 || s.QueueWait > filter.Duration(time.Minute):
		return nil, filter.Wrong("queueWait", "want 0s to 1m, have %s", time.Duration(s.QueueWait))
	case s.Reload < filter.Duration(10*time.Millisecond):
		return nil, filter.Wrong("reload", "want at least 10ms, have %s", time.Duration(s.Reload))
	case l.Memory < 64<<10 || l.Memory > 4<<30:
		return nil, filter.Wrong("limits.memory", "want 64KiB to 4GiB, have %d", l.Memory)
	case l.CPUPerCall <= 0 || l.StartCPU <= 0 || l.BodyTimeout <= 0 || l.LogLinesPerSecond < 0 || l.RequestBytes < 0 || l.ResponseBytes < 0:
		return nil, filter.Wrong("limits", "times must be above 0, numbers not below")
	}
	return s, nil
}

// forEngine are the limits that the engine holds.
func (l *limits) forEngine() module.Limits {
	return module.Limits{Memory: int64(l.Memory), CPUPerCall: time.Duration(l.CPUPerCall), LogLinesPerSecond: l.LogLinesPerSecond}
}

// forGuest is the guest's configuration as it gets it.
func (s *settings) forGuest() []byte {
	var text string
	if json.Unmarshal(s.Config, &text) == nil {
		return []byte(text)
	}
	var b bytes.Buffer
	_ = json.Compact(&b, s.Config) // it has been decoded before: it is JSON, or empty
	return b.Bytes()
}

// read is the guest's file, if it is the one that is wanted.
func (s *settings) read() ([]byte, error) {
	f, err := os.Open(s.File)
	if err != nil {
		return nil, filter.Wrong("file", "cannot read the guest: %w", err)
	}
	defer f.Close()
	wasm, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, filter.Wrong("file", "cannot read the guest: %w", err)
	case len(wasm) > maxFile:
		return nil, filter.Wrong("file", "%q has more than %d bytes", s.File, maxFile)
	}
	if digest := module.Digest(wasm); s.Digest != "" && digest != s.Digest {
		return nil, filter.Wrong("digest", "%q has %s, not %s", s.File, digest, s.Digest)
	}
	signers, err := signature.ReadSigners(s.RequireSignedBy)
	if err == nil && len(signers) > 0 {
		err = signature.Require(wasm, signers)
	}
	if err != nil {
		return nil, filter.Wrong("requireSignedBy", "%q: %w", s.File, err)
	}
	return wasm, nil
}

// check finds what is wrong with raw without running anything: the guest is compiled when the filter is made.
func check(raw json.RawMessage, _ filter.Env) error {
	s, err := decode(raw)
	if err != nil {
		return err
	}
	wasm, err := s.read()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(wasm, []byte("\x00asm\x01\x00\x00\x00")) {
		return filter.Wrong("file", "%q is no WebAssembly module", s.File)
	}
	return nil
}

// changed says whether the file is not what it was at the look before, by what the system says of it.
func changed(before, now os.FileInfo) bool {
	return !os.SameFile(before, now) || before.Size() != now.Size() || !before.ModTime().Equal(now.ModTime())
}
