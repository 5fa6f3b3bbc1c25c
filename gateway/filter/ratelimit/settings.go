package ratelimit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/posternhq/postern/gateway/filter"
)

type settings struct {
	Limits  []limitSettings `json:"limits" jsonschema:"minItems=1,description=all of them must have room for a request"`
	Buckets int             `json:"buckets,omitempty" jsonschema:"minimum=1,default=10000,description=users or addresses that are remembered for each limit; the one that has been away for longest is forgotten"`
	Headers *bool           `json:"headers,omitempty" jsonschema:"default=true,description=RateLimit and RateLimit-Policy on answers"`
}

type limitSettings struct {
	By       string          `json:"by" jsonschema:"enum=user,enum=address,enum=group,enum=global"`
	Requests float64         `json:"requests" jsonschema:"description=how many for each period"`
	Per      filter.Duration `json:"per,omitempty" jsonschema:"type=string,default=1s,description=the period"`
	Burst    int             `json:"burst,omitempty" jsonschema:"minimum=1,description=how many at once after a pause; by default requests"`
	Groups   []string        `json:"groups,omitempty" jsonschema:"description=for group: which groups; of several that a user has the first counts"`
}

// maxBuckets bounds the memory of one limit: some 250 bytes for each.
const maxBuckets = 1_000_000

func decode(raw json.RawMessage, env filter.Env) (settings, error) {
	s := settings{Buckets: 10000}
	if err := filter.Decode(raw, &s); err != nil {
		return s, err
	}
	if len(s.Limits) == 0 {
		return s, filter.Wrong("limits", "needs at least one")
	}
	if s.Buckets < 1 || s.Buckets > maxBuckets {
		return s, filter.Wrong("buckets", "want 1 to %d, have %d", maxBuckets, s.Buckets)
	}
	for i := range s.Limits {
		if err := s.Limits[i].check(fmt.Sprintf("limits[%d]", i), env.Before); err != nil {
			return s, err
		}
	}
	return s, nil
}

// check fills in defaults.
func (l *limitSettings) check(key string, before filter.Position) error {
	if l.Per == 0 {
		l.Per = filter.Duration(time.Second)
	}
	switch {
	case l.By != "user" && l.By != "address" && l.By != "group" && l.By != "global":
		return filter.Wrong(key+".by", "want user, address, group or global, have %q", l.By)
	case before == filter.BeforeAuthentication && (l.By == "user" || l.By == "group"):
		return filter.Wrong(key+".by", "before authentication nobody knows who asks: say address or global, or before: dispatch")
	case !(l.Requests > 0) || l.Requests > 1e9:
		return filter.Wrong(key+".requests", "must be greater than 0, is %v", l.Requests)
	case l.Per < 0:
		return filter.Wrong(key+".per", "must be greater than 0")
	case l.Burst < 0:
		return filter.Wrong(key+".burst", "must not be negative, is %d", l.Burst)
	case (l.By == "group") != (len(l.Groups) > 0):
		return filter.Wrong(key+".groups", "belongs to by: group, which needs it")
	}
	if l.Burst == 0 {
		l.Burst = max(1, int(l.Requests))
	}
	return nil
}
