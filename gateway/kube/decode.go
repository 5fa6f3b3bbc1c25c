package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxObject is the most bytes that one object may have. etcd holds 1.5 MiB; JSON with its escapes is longer.
const maxObject = 8 << 20

var errTooLarge = fmt.Errorf("object of more than %d bytes", maxObject)

// budget lets through so many bytes until it is refilled: it bounds what the decoder gathers for one object.
type budget struct {
	r    io.Reader
	left int
}

func (b *budget) refill() { b.left = maxObject }

func (b *budget) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// page is what a list says besides its items.
type page struct {
	ResourceVersion string `json:"resourceVersion"`
	Continue        string `json:"continue"`
}

// decodeList calls item for each object of a list, in constant memory. An object that has a field of a wrong type is
// given with that error, and is good for its key alone. whole keeps the text of each.
func decodeList(r io.Reader, whole bool, item func(*object, error)) (p page, err error) {
	b := &budget{r: r}
	b.refill()
	d := json.NewDecoder(b)
	if err := expect(d, '{'); err != nil {
		return p, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return p, err
		}
		b.refill()
		switch key {
		case "metadata":
			err = d.Decode(&p)
		case "items":
			err = decodeItems(d, b, whole, item)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return p, err
		}
	}
	return p, expect(d, '}')
}

func decodeItems(d *json.Decoder, b *budget, whole bool, item func(*object, error)) error {
	start, err := d.Token()
	if err != nil || start == nil { // null is no items
		return err
	}
	if start != json.Delim('[') {
		return fmt.Errorf("cannot decode items: not a list but %v", start)
	}
	for d.More() {
		b.refill()
		o, err := decodeObject(d, whole)
		if err != nil && !isFieldError(err) {
			return err
		}
		item(o, err)
	}
	return expect(d, ']')
}

// decodeObject reads the next object; one that is wanted whole keeps its text.
func decodeObject(d *json.Decoder, whole bool) (*object, error) {
	o := new(object)
	if !whole {
		return o, d.Decode(o)
	}
	if err := d.Decode(&o.text); err != nil {
		return o, err
	}
	return o, json.Unmarshal(o.text, o)
}

// isFieldError says whether a value of a wrong type was skipped and the rest decoded.
func isFieldError(err error) bool {
	var e *json.UnmarshalTypeError
	return errors.As(err, &e)
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("cannot decode list: %v instead of %v", got, want)
	}
	return nil
}

// event is one line of a watch.
type event struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// events calls each for the lines of a watch until it ends (nil) or breaks.
func events(r io.Reader, each func(event) error) error {
	b := &budget{r: r}
	d := json.NewDecoder(b)
	for {
		b.refill()
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
}
