package prometheus

import (
	"context"
	"fmt"
	"net/http"

	"github.com/posternhq/postern/gateway/module/data"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// outcome makes an answer a result: the data of a success, the words of an error.
func outcome(ctx context.Context, status int, body []byte) service.Result {
	if status >= 200 && status < 300 {
		if text(body, "/status") == "success" {
			raw, ok := data.Get(body, "/data")
			if !ok {
				raw = []byte("null")
			}
			return service.Result{Status: status, Body: raw}
		}
		if text(body, "/status") != "error" {
			return service.Result{Code: hostabi.Upstream, Status: status, Body: body, Err: backend + " answered what is not of its API"}
		}
	}
	kind := text(body, "/errorType")
	if kind == "timeout" && ctx.Err() != nil {
		return service.Broken(ctx, backend, ctx.Err())
	}
	message := text(body, "/error")
	if message == "" {
		message = fmt.Sprintf("%s answered %d: %.*s", backend, status, maxMessage, body)
	}
	return service.Result{Code: codeOf(kind, status), Status: status, Body: body, Err: message}
}

// maxMessage bounds what is taken over of an answer that is not of the API, bytes.
const maxMessage = 256

// codes are those of Prometheus' error types, which say more than the status: 422 and 503 have several.
var codes = map[string]hostabi.Code{
	"bad_data": hostabi.BadArgument, "timeout": hostabi.Deadline, "canceled": hostabi.Unavailable, "unavailable": hostabi.Unavailable,
	"not_found": hostabi.NotFound, "execution": hostabi.Upstream, "internal": hostabi.Upstream,
}

// codeOf is the code of an error.
func codeOf(kind string, status int) hostabi.Code {
	if code, ok := codes[kind]; ok {
		return code
	}
	switch status {
	case http.StatusBadRequest:
		return hostabi.BadArgument
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		return hostabi.Unavailable
	case http.StatusGatewayTimeout:
		return hostabi.Deadline
	}
	return hostabi.Upstream
}

// text is the text at a pointer; empty if there is none.
func text(raw []byte, pointer string) string {
	v, ok := data.Get(raw, pointer)
	if !ok {
		return ""
	}
	t, _ := data.Text(v)
	return string(t)
}
