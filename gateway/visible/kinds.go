package visible

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

const (
	kindsAge   = time.Minute     // what kube-apiserver serves changes with definitions and aggregated APIs
	kindsRetry = 2 * time.Second // sooner for a resource that was not there
	maxKinds   = 256             // group versions that are remembered; a cluster with everything has some 60
	maxAnswer  = 4 << 20         // of discovery, bytes
	kindsLimit = 10 * time.Second
)

// kinds remembers of each group version which of its resources are in namespaces. It is bounded by maxKinds.
type kinds struct {
	mu  sync.Mutex
	all map[string]*served
}

// served is what one group version has: the names of its resources, and whether they are in namespaces.
type served struct {
	namespaced map[string]bool
	read       time.Time
}

// namespaced says whether the resource of c's request is in namespaces. known is false if there is no such resource, or
// kube-apiserver does not say.
func (s *Stage) namespaced(ctx context.Context, c *caller) (in, known bool) {
	path := groupPath(&c.info)
	k := &s.kinds
	k.mu.Lock()
	found := k.all[path]
	k.mu.Unlock()
	if found != nil {
		in, known = found.namespaced[c.info.Resource]
		age := time.Since(found.read)
		if known && age < kindsAge || age < kindsRetry {
			return in, known
		}
	}
	fresh, err := s.discover(ctx, c, path)
	if err != nil {
		return in, known // what was known serves on
	}
	k.keep(path, fresh)
	in, known = fresh.namespaced[c.info.Resource]
	return in, known
}

func (k *kinds) keep(path string, s *served) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.all) >= maxKinds {
		clear(k.all)
	}
	k.all[path] = s
}

// discover reads what a group version serves.
func (s *Stage) discover(ctx context.Context, c *caller, path string) (found *served, err error) {
	ctx, cancel := context.WithTimeout(ctx, kindsLimit)
	defer cancel()
	who := *c
	who.accept = mediaJSON
	who.info = exchange.RequestInfo{Path: path, Verb: "get", IsKubernetesRequest: true}
	err = s.ask(ctx, &who, path, func(a *answer) error {
		if a.code != 200 {
			return fmt.Errorf("cannot read what %q serves: status %d", path, a.code)
		}
		var list struct {
			Resources []struct {
				Name       string
				Namespaced bool
			}
		}
		if err := json.NewDecoder(io.LimitReader(a.body, maxAnswer)).Decode(&list); err != nil {
			return fmt.Errorf("cannot read what %q serves: %w", path, err)
		}
		found = &served{namespaced: make(map[string]bool, len(list.Resources)), read: time.Now()}
		for _, r := range list.Resources {
			found.namespaced[r.Name] = r.Namespaced
		}
		return nil
	})
	return found, err
}

// groupPath is the path of the discovery of the request's group and version.
func groupPath(info *exchange.RequestInfo) string {
	path := "/" + info.APIPrefix
	if info.APIGroup != "" {
		path += "/" + url.PathEscape(info.APIGroup)
	}
	return path + "/" + url.PathEscape(info.APIVersion)
}

// listPath is the path of a list of the request's resource: in a namespace, or in all.
func listPath(info *exchange.RequestInfo, namespace string) string {
	path := groupPath(info)
	if namespace != "" {
		path += "/namespaces/" + url.PathEscape(namespace)
	}
	return path + "/" + url.PathEscape(info.Resource)
}
