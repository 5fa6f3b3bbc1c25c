package exchange

import "bytes"

// HostTarget appends the request target without its `clusters/{c}` to dst: what the host's own servers know it as. The
// rest stays byte for byte as received. uri must be the target of a request whose Info names a cluster. dst may be
// uri[:0]: then uri is shortened in place.
func HostTarget(dst, uri []byte) []byte {
	end := bytes.IndexByte(uri, '?')
	if end < 0 {
		end = len(uri)
	}
	from := nextSlash(uri, 1, end)    // /api | /clusters/c1/v1
	to := nextSlash(uri, from+1, end) // /api/clusters | /c1/v1
	to = nextSlash(uri, to+1, end)    // /api/clusters/c1 | /v1
	dst = append(dst, uri[:from]...)
	return append(dst, uri[to:]...)
}

// nextSlash is where the next slash of uri[:end] is from i on; end if there is none. Request info refuses encoded
// slashes this far in front, so these are all.
func nextSlash(uri []byte, i, end int) int {
	if i >= end {
		return end
	}
	if n := bytes.IndexByte(uri[i:end], '/'); n >= 0 {
		return i + n
	}
	return end
}
