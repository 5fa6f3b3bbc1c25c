package visible

import (
	"encoding/binary"
	"hash/fnv"
	"strings"
	"sync"

	"github.com/posternhq/postern/gateway/exchange"
)

// maxEras bounds what is remembered of callers' rights. What is forgotten costs a client one list.
const maxEras = 8192

// eras remembers since which resourceVersion each caller's rights to a resource have been what they are. A client lists,
// then watches from the list's version on; or its watch breaks off, and it goes on with another. When its rights have changed
// between the two, the watch alone would never tell: objects that have become visible are not new, and those that have
// ceased to be do not change. So a watch from before the change is refused with 410, and the client lists anew. It is bounded
// by maxEras.
type eras struct {
	mu  sync.Mutex
	all map[string]era
}

// era is the time of some rights, by their hash.
type era struct{ rights, since uint64 }

// of is since when the rights of that key have been these; ok is false if that is not known.
func (e *eras) of(key string, rights uint64) (since uint64, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found, ok := e.all[key]
	return found.since, ok && found.rights == rights
}

// begin notes rights that hold at the version since, unless they are known to.
func (e *eras) begin(key string, rights, since uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found, ok := e.all[key]
	if ok && found.rights == rights {
		return
	}
	if !ok && len(e.all) >= maxEras {
		for other := range e.all { // any one
			delete(e.all, other)
			break
		}
	}
	e.all[key] = era{rights, since}
}

// eraKey names the caller and the resource.
func eraKey(user *exchange.User, info *exchange.RequestInfo) string {
	return strings.Join(append([]string{user.Name, info.APIGroup, info.Resource, info.Name}, user.Groups...), "\x00")
}

// hash is the same for equal rights.
func (r *rights) hash() uint64 {
	h := fnv.New64a()
	for _, list := range [][]string{r.namespaces, r.names, r.workspaces} {
		_, _ = h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(list))))
		for _, s := range list {
			_, _ = h.Write([]byte(s))
			_, _ = h.Write([]byte{0})
		}
	}
	return h.Sum64()
}
