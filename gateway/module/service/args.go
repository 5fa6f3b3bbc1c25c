package service

import (
	"fmt"
	"slices"

	"github.com/posternhq/postern/hostabi"
)

// Args are a record's fields by tag.
type Args map[hostabi.Tag][]string

// ParseArgs reads call's record. Tags beyond once and many, those that every call has aside, are an error; so is one of
// once that is there twice: which one counts would be anybody's guess.
func ParseArgs(call *Call, once, many []hostabi.Tag) (Args, error) {
	args := make(Args, 8)
	for tag, value := range call.Record.All() {
		switch {
		case slices.Contains(many, tag):
		case tag != hostabi.TagTimeout && tag != hostabi.TagBody && tag != hostabi.TagBodyHandle && !slices.Contains(once, tag):
			return nil, fmt.Errorf("tag %d is not known to this service", tag)
		case len(args[tag]) > 0:
			return nil, fmt.Errorf("tag %d is there twice", tag)
		}
		args[tag] = append(args[tag], string(value))
	}
	return args, nil
}

// Get is the first value of tag; empty if there is none.
func (a Args) Get(tag hostabi.Tag) string {
	if values := a[tag]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Default is the first value of tag, or otherwise if there is none or it is empty.
func (a Args) Default(tag hostabi.Tag, otherwise string) string {
	if v := a.Get(tag); v != "" {
		return v
	}
	return otherwise
}

// Payload is the body that a call sends: of its handle, else of its record.
func (c *Call) Payload() []byte {
	if c.Body != nil {
		return c.Body
	}
	return c.Record.Get(hostabi.TagBody)
}
