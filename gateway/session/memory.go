package session

import (
	"sync/atomic"
	"time"
)

// Bounds of each table. An entry is some 150 bytes, so each has at most 40 MB; a replica in which 100,000 sessions have ended
// holds 15 MB for them. What is full refuses more: forgetting an end would bring a session back.
const (
	maxEnded = 250_000
	maxUsers = 250_000
	maxOnce  = 250_000
)

// until is when an entry is of no use any more, in Unix milliseconds.
type until int64

func (u until) over(now int64) bool { return int64(u) <= now }

// mark ends all sessions of a user that began at the time before, or earlier, but keep.
type mark struct {
	before int64 // Unix nanoseconds
	keep   string
	until
}

// ends says whether m ends a session. One whose id does not tell when it began is as old as the token.
func (m mark) ends(session string, issued time.Time) bool {
	if m.keep != "" && session == m.keep {
		return false
	}
	start, ok := began(session)
	if !ok {
		start = issued.UnixNano()
		if issued.IsZero() { // and would overflow
			return true
		}
	}
	return start <= m.before
}

// merged is the mark that ends what m or o ends. The order in which marks come does not matter, nor that they come again: so
// replicas, journal and Redis agree.
func (m mark) merged(o mark) mark {
	if m.before < o.before || m.before == o.before && m.keep < o.keep {
		m, o = o, m
	}
	// What m keeps stays only if o does not end it.
	if m.keep != "" && m.keep != o.keep && o.ends(m.keep, time.Unix(0, m.before)) {
		m.keep = ""
	}
	m.until = max(m.until, o.until)
	return m
}

// memory is what this process knows.
type memory struct {
	ended *table[until] // sessions
	users *table[mark]
	once  *table[until] // ids
	epoch atomic.Uint64
}

func newMemory() *memory {
	return &memory{ended: newTable[until](maxEnded), users: newTable[mark](maxUsers), once: newTable[until](maxOnce)}
}

func (m *memory) isEnded(user, session string, issued time.Time) bool {
	if session != "" {
		if _, ok := m.ended.get(session); ok {
			return true
		}
	}
	k, ok := m.users.get(user)
	return ok && k.ends(session, issued)
}

// learn adds what r says. Those who see the new epoch see what has ended. It says whether that was new.
func (m *memory) learn(r record, now int64) (news bool, err error) {
	if r.until.over(now) {
		return false, nil
	}
	room := true
	switch r.kind {
	case kindSession:
		news, room = later(m.ended, r.id, r.until, now)
	case kindOnce:
		news, room = later(m.once, r.id, r.until, now)
	case kindUser:
		room = m.users.change(r.id, now, func(old mark, ok bool) (mark, bool) {
			n := mark{r.before, r.keep, r.until}
			if ok {
				n = old.merged(n)
			}
			news = !ok || n != old
			return n, news
		})
	}
	if !room {
		return false, ErrFull
	}
	if news && r.kind != kindOnce {
		m.epoch.Add(1)
	}
	return news, nil
}

// later has id remembered at least until u.
func later(t *table[until], id string, u until, now int64) (news, room bool) {
	room = t.change(id, now, func(old until, ok bool) (until, bool) {
		news = !ok || old < u
		return u, news
	})
	return news, room
}

// claim remembers id if nobody has before, and says whether that was so.
func (m *memory) claim(id string, u until, now int64) (first bool, err error) {
	room := m.once.change(id, now, func(_ until, ok bool) (until, bool) {
		first = !ok
		return u, first
	})
	if !room {
		return false, ErrFull
	}
	return first, nil
}

// expire drops what is over.
func (m *memory) expire(now int64) {
	m.ended.expire(now)
	m.users.expire(now)
	m.once.expire(now)
}

// each calls f with all that is known, until f says false.
func (m *memory) each(now int64, f func(record) bool) {
	going := true
	m.ended.each(now, func(id string, u until) bool {
		going = f(record{kind: kindSession, id: id, until: u})
		return going
	})
	if going {
		m.users.each(now, func(id string, k mark) bool {
			going = f(record{kind: kindUser, id: id, before: k.before, keep: k.keep, until: k.until})
			return going
		})
	}
	if going {
		m.once.each(now, func(id string, u until) bool { return f(record{kind: kindOnce, id: id, until: u}) })
	}
}
