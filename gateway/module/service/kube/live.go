package kube

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/posternhq/postern/gateway/module/data"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

const backend = "kube-apiserver"

// live asks kube-apiserver.
func (s *Service) live(ctx context.Context, call *service.Call, req *request, header http.Header) service.Result {
	var payload []byte
	if req.method != http.MethodGet {
		payload = call.Payload()
		if name, found := twice(payload); found {
			return service.Failf(hostabi.BadArgument, "the body has %.80q twice: which one counts?", name)
		}
	}
	hr, err := http.NewRequestWithContext(ctx, req.method, req.url.String(), bytes.NewReader(payload))
	if err != nil {
		return service.Failf(hostabi.BadArgument, "cannot make the request: %v", err)
	}
	hr.Header = header
	header.Set("Accept", "application/json")
	header.Set("User-Agent", "postern/"+call.Module)
	if call.RequestID != "" {
		header.Set("X-Request-Id", call.RequestID)
	}
	if len(payload) > 0 {
		header.Set("Content-Type", req.contentType)
	}
	resp, err := s.client.Do(hr)
	if err != nil {
		return service.Broken(ctx, backend, err)
	}
	defer resp.Body.Close()
	body, err := service.ReadBody(resp.Body, resp.ContentLength, call.MaxBytes)
	if err != nil {
		return service.Broken(ctx, backend, err)
	}
	result := outcome(resp.StatusCode, body, call.MaxBytes)
	if result.Err == "" && req.method != http.MethodGet {
		s.written(ctx, req, result.Body)
	}
	return result
}

// writtenWait is how long the answer to a write waits for the gateway to go by it: some milliseconds in practice.
const writtenWait = time.Second

// written waits until the gateway goes by what was written.
func (s *Service) written(ctx context.Context, req *request, body []byte) {
	if s.opt.Written == nil {
		return
	}
	raw, _ := data.Get(body, "/metadata/resourceVersion")
	version, ok := data.Text(raw)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writtenWait)
	defer cancel()
	s.opt.Written(ctx, req.group, req.resource, string(version))
}

// outcome makes an answer a result.
func outcome(status int, body []byte, most int64) service.Result {
	if status >= 200 && status < 300 {
		return service.Result{Status: status, Body: strip(body, most)}
	}
	return service.Result{Code: codeOf(status), Status: status, Body: body, Err: message(status, body)}
}

// codeOf is the code of an answer that is an error.
func codeOf(status int) hostabi.Code {
	switch status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return hostabi.BadArgument
	case http.StatusForbidden:
		return hostabi.Denied
	case http.StatusNotFound:
		return hostabi.NotFound
	case http.StatusConflict:
		return hostabi.Conflict
	case http.StatusRequestEntityTooLarge:
		return hostabi.TooLarge
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return hostabi.Unavailable
	case http.StatusGatewayTimeout:
		return hostabi.Deadline
	}
	return hostabi.Upstream // 401, too: the gateway's own credential was refused, which is no fault of the module
}

// maxMessage bounds what is taken over of an answer that is no Status, bytes.
const maxMessage = 256

// message is a Status' message, or what there is of text.
func message(status int, body []byte) string {
	if raw, ok := data.Get(body, "/message"); ok {
		if text, ok := data.Text(raw); ok && len(text) > 0 {
			return string(text)
		}
	}
	return fmt.Sprintf("%s answered %d: %.*s", backend, status, maxMessage, body)
}

// lastApplied is kubectl's copy of the object within the object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// stripper removes what no reader of objects wants and what makes up half of them.
var stripper = func() *data.Program {
	p, err := data.Compile([]byte(`[{"remove":[
		"/metadata/managedFields", "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
		"/items/metadata/managedFields", "/items/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"]}]`))
	if err != nil {
		panic(err) // a constant
	}
	return p
}()

// strip removes managedFields and the last-applied annotation of an object, or of a list's objects. What is no JSON object
// (a log) stays as it is.
func strip(body []byte, most int64) []byte {
	if !bytes.Contains(body, []byte(`"managedFields"`)) && !bytes.Contains(body, []byte(lastApplied)) || len(body) == 0 || body[0] != '{' {
		return body
	}
	stripped, err := stripper.Run(nil, body, max(most, int64(len(body))))
	if err != nil {
		return body
	}
	return stripped
}
