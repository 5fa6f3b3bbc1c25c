package guest

import "strconv"

// Data is bytes that the host keeps for the module until the request ends: a body, an object, a list.
type Data struct{ ex, handle uint32 }

// Len is the number of bytes.
func (d Data) Len() int64 { return handleLen(d.ex, d.handle) }

// Bytes copies all of it into the module. That is what Splice, Get and Transform are there to avoid.
func (d Data) Bytes() ([]byte, error) {
	n := d.Len()
	if n < 0 {
		return nil, failure(int32(n))
	}
	b := make([]byte, n)
	got := handleRead(d.ex, d.handle, 0, b)
	if got < 0 {
		return nil, failure(got)
	}
	return b[:got], nil
}

// Get is the value at a JSON Pointer: a string's text, or raw JSON; ok is false when there is none.
func (d Data) Get(pointer string) (value string, ok bool) {
	s, n := grow(func(buf []byte) int32 { return jsonGet(d.ex, d.handle, pointer, buf) })
	return s, n >= 0
}

// Int is the integer at a JSON Pointer, also of a string that is one; ok is false when there is none.
func (d Data) Int(pointer string) (value int64, ok bool) {
	s, ok := d.Get(pointer)
	if !ok {
		return 0, false
	}
	value, err := strconv.ParseInt(s, 10, 64)
	return value, err == nil
}

// Transform is a new document, made by the host. See gateway/module/data/README.md for the language of programs.
func (d Data) Transform(program string) (Data, error) {
	breathe(d.ex)
	n := jsonTransform(d.ex, d.handle, program)
	if n < 0 {
		return Data{}, failure(n)
	}
	return Data{d.ex, uint32(n)}, nil
}

// Drop frees it before the request ends.
func (d Data) Drop() { handleDrop(d.ex, d.handle) }

// Handle is the host's number for it, for programs that name other documents.
func (d Data) Handle() uint32 { return d.handle }
