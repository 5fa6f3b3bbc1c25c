package module

import "github.com/posternhq/postern/hostabi"

// maxHandles bounds the handles of one request, whatever their size.
const maxHandles = 4096

// handles are the bytes kept for one request. The bytes are read-only: a transformation may alias its input.
type handles struct {
	most   int64 // bytes in all
	held   int64
	next   uint32
	values map[uint32][]byte
}

// add keeps b under a new number.
func (h *handles) add(b []byte) (uint32, hostabi.Code) {
	if len(h.values) >= maxHandles || h.held+int64(len(b)) > h.most {
		return 0, hostabi.TooLarge
	}
	if h.values == nil {
		h.values = map[uint32][]byte{}
	}
	h.next++
	h.held += int64(len(b))
	h.values[h.next] = b
	return h.next, hostabi.OK
}

func (h *handles) get(id uint32) ([]byte, bool) {
	b, ok := h.values[id]
	return b, ok
}

func (h *handles) remove(id uint32) bool {
	b, ok := h.values[id]
	if ok {
		h.held -= int64(len(b))
		delete(h.values, id)
	}
	return ok
}

// room is how many bytes may still be added.
func (h *handles) room() int64 { return h.most - h.held }

func (h *handles) drop() { h.values, h.held = nil, 0 }
