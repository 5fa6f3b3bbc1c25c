package upstream

// Names is a set of header names, in any case, and of beginnings of names. It is immutable.
type Names struct {
	byLen    [32][]string // by length, so that most lookups compare nothing
	long     []string
	prefixes []string
}

// hop are the names that speak of one connection only, or that this package writes itself. Expect is among them: the
// client has had its 100 Continue from us.
var hop = []string{
	"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
	"transfer-encoding", "content-length", "upgrade", "host", "expect", "http2-settings",
}

// NewNames makes a set of what a request must not take along, besides hop-by-hop headers. A name that ends in "*"
// stands for all that begin so. Names are given in lower case.
func NewNames(names ...string) *Names {
	n := new(Names)
	for _, name := range append(append([]string(nil), hop...), names...) {
		switch l := len(name); {
		case name[l-1] == '*':
			n.prefixes = append(n.prefixes, name[:l-1])
		case l < len(n.byLen):
			n.byLen[l] = append(n.byLen[l], name)
		default:
			n.long = append(n.long, name)
		}
	}
	return n
}

var hopOnly = NewNames()

// Has says whether name is in the set.
func (n *Names) Has(name []byte) bool {
	list := n.long
	if len(name) < len(n.byLen) {
		list = n.byLen[len(name)]
	}
	for _, s := range list {
		if fold(name, s) {
			return true
		}
	}
	for _, p := range n.prefixes {
		if len(name) >= len(p) && fold(name[:len(p)], p) {
			return true
		}
	}
	return false
}
