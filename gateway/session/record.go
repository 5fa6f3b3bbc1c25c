package session

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// kind says what a record tells of.
type kind byte

const (
	kindSession kind = 's' // a session has ended
	kindUser    kind = 'u' // a user's sessions have ended
	kindOnce    kind = 'o' // an id has been used
)

// record is one thing to know, as journal and Redis have it. Learning it twice, or in another order, changes nothing.
type record struct {
	kind   kind
	id     string // session, user or one-time id; at most maxName bytes, as keep
	before int64  // of a user: Unix nanoseconds
	keep   string // of a user: the session that has not ended
	until  until
}

var errRecord = errors.New("not a record")

// check refuses names that nobody has, before they are stored anywhere.
func (r record) check() error {
	if len(r.id) > maxName || len(r.keep) > maxName || r.id == "" {
		return fmt.Errorf("cannot keep a session, user or id of %d bytes: 1 to %d are allowed", max(len(r.id), len(r.keep)), maxName)
	}
	return nil
}

// appendName appends all of r but until: the member of Redis' sorted set.
func (r record) appendName(b []byte) []byte {
	b = append(b, byte(r.kind), ' ')
	if r.kind == kindUser {
		b = append(strconv.AppendInt(b, r.before, 10), ' ')
		b = append(strconv.AppendQuote(b, r.keep), ' ')
	}
	return strconv.AppendQuote(b, r.id)
}

// parseName is the record that appendName wrote, without until.
func parseName(text string) (r record, err error) {
	if len(text) < 2 || text[1] != ' ' {
		return r, errRecord
	}
	r.kind = kind(text[0])
	rest := text[2:]
	switch r.kind {
	case kindSession, kindOnce:
	case kindUser:
		number, after, ok := strings.Cut(rest, " ")
		if r.before, err = strconv.ParseInt(number, 10, 64); err != nil || !ok {
			return record{}, errRecord
		}
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			return record{}, errRecord
		}
		if r.keep, err = strconv.Unquote(quoted); err != nil {
			return record{}, errRecord
		}
		if rest, ok = strings.CutPrefix(after[len(quoted):], " "); !ok {
			return record{}, errRecord
		}
	default:
		return record{}, errRecord
	}
	if !strings.HasPrefix(rest, `"`) {
		return record{}, errRecord
	}
	if r.id, err = strconv.Unquote(rest); err != nil {
		return record{}, errRecord
	}
	if r.check() != nil {
		return record{}, errRecord
	}
	return r, nil
}

// append appends r as one line without its end.
func (r record) append(b []byte) []byte {
	b = append(strconv.AppendInt(b, int64(r.until), 10), ' ')
	return r.appendName(b)
}

// parse is the record that append wrote.
func parse(text string) (record, error) {
	number, name, ok := strings.Cut(text, " ")
	u, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return record{}, errRecord
	}
	r, err := parseName(name)
	r.until = until(u)
	return r, err
}
