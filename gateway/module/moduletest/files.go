package moduletest

import (
	"bufio"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/replay"
)

// Files asks what the .http files that match patterns say, natively and as WebAssembly, each request a subtest. Both must
// answer alike, and as the files expect. Who asks is Impersonate-User of a request, else "anonymous".
func (m *Module) Files(t *testing.T, patterns ...string) {
	t.Helper()
	requests, err := replay.Load(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		t.Run(r.Name, func(t *testing.T) {
			got, err := m.Ask(t, fromFile(&r)).replayed()
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range r.Expect.Check(got) {
				t.Error(wrong)
			}
		})
	}
}

// fromFile is a file's request with the user taken out of its header.
func fromFile(r *replay.Request) Request {
	user := &exchange.User{Name: "anonymous"}
	headers := map[string]string{}
	for _, h := range r.Header {
		switch http.CanonicalHeaderKey(h[0]) {
		case "Impersonate-User":
			user.Name = h[1]
		case "Impersonate-Group":
			user.Groups = append(user.Groups, h[1])
		default:
			headers[h[0]] = h[1]
		}
	}
	return Request{Method: r.Method, URI: r.Path, User: user, Headers: headers, Body: r.Body}
}

// replayed is an answer as package replay has it.
func (a Answer) replayed() (replay.Answer, error) {
	_, lines, _ := strings.Cut(a.Headers, "\n") // the status line
	reader := textproto.NewReader(bufio.NewReader(strings.NewReader(strings.TrimRight(lines, "\n") + "\n\n")))
	header, err := reader.ReadMIMEHeader()
	return replay.Answer{Status: a.Code, Header: http.Header(header), Body: a.Body}, err
}
