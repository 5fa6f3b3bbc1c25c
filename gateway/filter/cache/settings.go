package cache

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/filter"
)

type settings struct {
	TTL                  filter.Duration `json:"ttl,omitempty" jsonschema:"type=string,default=0s,description=for answers that do not say how long they hold; 0s: those are not kept"`
	KubernetesTTL        filter.Duration `json:"kubernetesTTL,omitempty" jsonschema:"type=string,default=0s,description=for reads of kube-apiserver\\, which says no-cache of all; 0s: they are not kept"`
	StaleWhileRevalidate filter.Duration `json:"staleWhileRevalidate,omitempty" jsonschema:"type=string,default=0s,description=how long after its time an answer may be given while somebody asks for a new one"`
	Shared               bool            `json:"shared,omitempty" jsonschema:"description=one answer for all users\\, where the answer says public\\, s-maxage or must-revalidate"`
	ETags                *bool           `json:"etags,omitempty" jsonschema:"default=true,description=answers without an entity tag get one\\, so that clients can ask if theirs still holds"`
	MaxBody              filter.Size     `json:"maxBody,omitempty" jsonschema:"oneof_type=string;integer,default=1MiB,description=larger answers are not kept"`
	MaxBytes             filter.Size     `json:"maxBytes,omitempty" jsonschema:"oneof_type=string;integer,default=64MiB,description=of all that is kept"`
	MaxEntries           int             `json:"maxEntries,omitempty" jsonschema:"minimum=1,default=10000,description=answers that are kept"`
}

// options are settings as requests use them.
type options struct {
	ttl, kubernetes, stale time.Duration
	shared, etags          bool
	maxBody                int
}

func decode(raw json.RawMessage) (s settings, o options, err error) {
	s = settings{MaxBody: 1 << 20, MaxBytes: 64 << 20, MaxEntries: 10000}
	if err := filter.Decode(raw, &s); err != nil {
		return s, o, err
	}
	for key, d := range map[string]filter.Duration{"ttl": s.TTL, "kubernetesTTL": s.KubernetesTTL, "staleWhileRevalidate": s.StaleWhileRevalidate} {
		if d < 0 {
			return s, o, filter.Wrong(key, "must not be negative")
		}
	}
	switch {
	case s.MaxBody < 1 || s.MaxBody > 1<<30:
		return s, o, filter.Wrong("maxBody", "want 1 to 1GiB")
	case s.MaxBytes < 2*s.MaxBody:
		return s, o, filter.Wrong("maxBytes", "must be twice maxBody at least")
	case s.MaxEntries < 1:
		return s, o, filter.Wrong("maxEntries", "must be greater than 0, is %d", s.MaxEntries)
	case s.Shared && s.KubernetesTTL > 0:
		return s, o, filter.Wrong("kubernetesTTL", "does not go with shared: what kube-apiserver answers depends on who asks")
	}
	return s, options{
		ttl: time.Duration(s.TTL), kubernetes: time.Duration(s.KubernetesTTL), stale: time.Duration(s.StaleWhileRevalidate),
		shared: s.Shared, etags: s.ETags == nil || *s.ETags, maxBody: int(s.MaxBody),
	}, nil
}

func sortedKeys(m map[string][]string) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
