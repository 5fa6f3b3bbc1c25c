package guest

// Response is the answer. It is sent when the handler returns; until then nothing has reached the client.
type Response struct {
	ex     uint32
	passed bool // the exchange was forwarded
}

// Status sets the HTTP status, 200 to 599; 200 unless set.
func (w *Response) Status(code int) { responseStatus(w.ex, uint32(code)) }

// Header sets a header.
func (w *Response) Header(name, value string) error {
	return result(responseHeader(w.ex, name, value))
}

// Write appends bytes to the body.
func (w *Response) Write(b []byte) (int, error) {
	if err := result(responseWrite(w.ex, b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// WriteString appends text to the body.
func (w *Response) WriteString(s string) error {
	_, err := w.Write([]byte(s))
	return err
}

// Splice appends what d holds to the body; the bytes do not pass through the module.
func (w *Response) Splice(d Data) error { return result(responseSplice(w.ex, d.handle)) }

// Text sets the content type of plain text and appends s.
func (w *Response) Text(s string) error {
	if err := w.Header("Content-Type", "text/plain; charset=utf-8"); err != nil {
		return err
	}
	return w.WriteString(s)
}

// JSON sets the content type and appends text that is JSON already.
func (w *Response) JSON(text string) error {
	if err := w.Header("Content-Type", "application/json"); err != nil {
		return err
	}
	return w.WriteString(text)
}

// result makes a host function's result an error.
func result(n int32) error {
	if n < 0 {
		return failure(n)
	}
	return nil
}
