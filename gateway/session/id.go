package session

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

const (
	idMark  = 's'
	idTime  = 16 // hexadecimal digits of the time, Unix nanoseconds
	maxName = 512
)

// NewID makes the id of a session that begins now: unguessable, and it tells when it began. iat of a token cannot: it has
// whole seconds, and a token that is refreshed begins anew, which its session does not.
func NewID() string { return newID(time.Now()) }

func newID(began time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(began.UnixNano()))
	return string(idMark) + hex.EncodeToString(b[:]) + "-" + rand.Text()
}

// began is when the session of an id of NewID began, in Unix nanoseconds; false for ids of others.
func began(id string) (int64, bool) {
	if len(id) <= idTime+1 || id[0] != idMark || id[idTime+1] != '-' {
		return 0, false
	}
	var n uint64
	for i := 1; i <= idTime; i++ {
		c := id[i]
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return int64(n), true
}
