package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/oci"
	"github.com/posternhq/postern/gateway/module/signature"
)

// Bounds of pulling modules.
const (
	pullsAtOnce  = 4
	firstRetry   = 5 * time.Second // after what failed; then ever later
	longestRetry = 5 * time.Minute
)

// pullSource is the manager's name for the modules of postern.modules.pull.
const pullSource = "oci"

// pulls is what a configuration wants pulled.
type pulls struct {
	refs    []oci.Reference
	lock    string
	options oci.Options
}

// registries says how they are reached.
func registries(r config.Registry) oci.Options {
	return oci.Options{DockerConfig: r.Config, CAFile: r.CAFile, PlainHTTP: r.PlainHTTP}
}

// readPulls reads the references of c.
func readPulls(c *config.Config) (*pulls, error) {
	m := c.Postern.Modules
	p := &pulls{lock: m.Lock, options: registries(m.Registry)}
	if p.lock == "" {
		p.lock = filepath.Join(m.Dir, oci.LockFile)
	}
	for i, text := range m.Pull {
		ref, err := oci.ParseReference(text)
		if err == nil && slices.Contains(p.refs, ref) {
			err = fmt.Errorf("%q is there twice", text)
		}
		if err != nil {
			return nil, fmt.Errorf("postern.modules.pull[%d]: %w", i, err)
		}
		p.refs = append(p.refs, ref)
	}
	return p, nil
}

// artifacts opens the cache of what was pulled: dir, or by default a folder in the user's cache.
func artifacts(dir string) (*oci.Cache, error) {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("cannot keep pulled modules: %w", err)
		}
		dir = filepath.Join(base, "postern", "artifacts")
	}
	return oci.OpenCache(dir, 0)
}

// puller pulls what the configuration lists, and has the manager serve it. What fails is tried again; what was served before
// serves on meanwhile.
type puller struct {
	set   func(source string, wanted []manager.Wanted) error
	cache *oci.Cache // nil: there is none
	log   zerolog.Logger
	news  chan *pulls
	known map[string]oci.Entry // by reference, what was pulled; bounded by the configuration's list

	missing atomic.Pointer[[]string] // why what is listed does not serve, as of the last round
}

func newPuller(set func(string, []manager.Wanted) error, cache *oci.Cache, log zerolog.Logger) *puller {
	u := &puller{set: set, cache: cache, log: log, news: make(chan *pulls, 1), known: map[string]oci.Entry{}}
	u.missing.Store(new([]string))
	return u
}

// follow has p take the place of what was to be pulled. One reload at a time calls it.
func (u *puller) follow(p *pulls) {
	select {
	case <-u.news: // nobody has begun with it
	default:
	}
	u.news <- p
}

// run pulls until ctx ends. News end what is being pulled.
func (u *puller) run(ctx context.Context) error {
	var now *pulls
	wait := firstRetry
	retry := time.NewTimer(wait)
	retry.Stop()
	end, done := func() {}, make(chan bool, 1)
	begin := func() {
		round, cancel := context.WithCancel(ctx)
		result := make(chan bool, 1)
		wanted := now // the loop goes on to the next
		go func() { result <- u.pull(round, wanted); close(result) }()
		end, done = func() { cancel(); <-result }, result
	}
	for {
		select {
		case <-ctx.Done():
			end()
			return nil
		case now = <-u.news:
			end()
			retry.Stop()
			wait = firstRetry
			begin()
		case <-retry.C:
			begin()
		case all := <-done:
			end()
			end, done = func() {}, nil
			if !all {
				retry.Reset(wait)
				wait = min(2*wait, longestRetry)
			}
		}
	}
}

// pull pulls all that p lists, and says whether all of it came.
func (u *puller) pull(ctx context.Context, p *pulls) bool {
	lock, err := oci.ReadLock(p.lock)
	if err != nil {
		u.log.Error().Err(err).Msg("cannot pull modules: mend the lock file, or remove it to have tags resolved anew")
		u.missing.Store(&[]string{err.Error()})
		return false
	}
	u.forget(p)
	come := make(chan oci.Entry)
	go u.fetch(ctx, p, u.locks(p, lock), come)
	all, changed := 0, false
	for e := range come {
		old := lock.Find(reference(p, e))
		changed = changed || old == nil || old.Digest != e.Digest
		lock.Set(e)
		all++
		u.known[e.Reference] = e
		u.tell(p)
	}
	if changed {
		if err := lock.Write(p.lock); err != nil {
			u.log.Warn().Err(err).Msg("tags are resolved anew at the next start")
		}
	}
	if len(p.refs) == 0 {
		u.tell(p)
	}
	if ctx.Err() == nil {
		u.note(p)
	}
	return all == len(p.refs)
}

// note has the probe tell what has not come.
func (u *puller) note(p *pulls) {
	var missing []string
	for _, ref := range p.refs {
		if _, ok := u.known[ref.String()]; !ok {
			missing = append(missing, ref.String()+": not pulled yet")
		}
	}
	u.missing.Store(&missing)
}

// reference is the one of an entry.
func reference(p *pulls, e oci.Entry) oci.Reference {
	return p.refs[slices.IndexFunc(p.refs, func(r oci.Reference) bool { return r.String() == e.Reference })]
}

// forget drops what is not listed any more.
func (u *puller) forget(p *pulls) {
	for name := range u.known {
		if !slices.ContainsFunc(p.refs, func(r oci.Reference) bool { return r.String() == name }) {
			delete(u.known, name)
		}
	}
}

// locks are what is known of each reference, one lock for each: several are being pulled at once.
func (u *puller) locks(p *pulls, lock *oci.Lock) []*oci.Lock {
	all := make([]*oci.Lock, len(p.refs))
	for i, ref := range p.refs {
		all[i] = new(oci.Lock)
		if e := lock.Find(ref); e != nil {
			all[i].Set(*e)
		} else if e, ok := u.known[ref.String()]; ok {
			all[i].Set(e) // the lock file could not be written
		}
	}
	return all
}

// fetch pulls some at a time, and sends what they are.
func (u *puller) fetch(ctx context.Context, p *pulls, locks []*oci.Lock, come chan<- oci.Entry) {
	defer close(come)
	var group errgroup.Group
	group.SetLimit(pullsAtOnce)
	options := p.options
	options.Cache = u.cache
	for i, ref := range p.refs {
		own := locks[i]
		group.Go(func() error {
			a, err := own.Pull(ctx, ref, false, options, signature.KeyIDs)
			if err != nil {
				if ctx.Err() == nil {
					u.log.Error().Err(err).Str("reference", ref.String()).Msg("cannot pull module: it is tried again")
				}
				return nil
			}
			if a.Uncached != nil {
				u.log.Warn().Err(a.Uncached).Msg("a restart needs the registry")
			}
			come <- *own.Find(ref)
			return nil
		})
	}
	_ = group.Wait() // each has logged its own
}

// tell has the manager serve what is known. It reads from the cache, so no bytes are held here.
func (u *puller) tell(p *pulls) {
	options := p.options
	options.Cache = u.cache
	var wanted []manager.Wanted
	for _, ref := range p.refs {
		e, ok := u.known[ref.String()]
		if !ok {
			continue
		}
		wanted = append(wanted, manager.Wanted{
			Name: p.name(ref), Digest: e.Module, Read: ref.At(e.Digest).Reader(options),
		})
	}
	if err := u.set(pullSource, wanted); err != nil {
		u.log.Error().Err(err).Msg("cannot serve pulled modules")
	}
}

// name is what the manager knows a module by: it stays when another tag of the same repository is wanted, unless several are.
func (p *pulls) name(ref oci.Reference) string {
	place := func(r oci.Reference) string { return r.Host + "/" + r.Repository + r.Path }
	of := place(ref)
	if slices.ContainsFunc(p.refs, func(r oci.Reference) bool { return r != ref && place(r) == of }) {
		of = ref.String()
	}
	sum := sha256.Sum256([]byte(of))
	word := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(path.Base(place(ref))))
	word = strings.Trim(word[:min(len(word), 40)], "-")
	return strings.TrimPrefix(word+"-"+hex.EncodeToString(sum[:4]), "-")
}
