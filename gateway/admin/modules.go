package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
)

// Bounds of operations.
const (
	uploads        = 2               // at once: each has a whole module in memory
	uploadTime     = 2 * time.Minute // for a module's bytes to come
	operationTime  = 2 * time.Minute // to begin: compiling one large module takes seconds
	answerTime     = 6 * time.Minute // to begin and end: what a compiler may take on a machine that has no time for it is waited for
	maxFollowing   = time.Hour       // of a log
	followInterval = 15 * time.Second
)

// Modules is what the admin API operates on: a manager.Manager.
type Modules interface {
	Status() []manager.Status
	Detail(name string) (manager.Detail, error)
	Log(name string) (*module.LogLines, error)
	Load(ctx context.Context, name string, wasm []byte) (manager.Answer, error)
	Rollback(ctx context.Context, name, digest string) (manager.Answer, error)
	Disable(ctx context.Context, name string) (manager.Answer, error)
	Enable(ctx context.Context, name string) (manager.Answer, error)
	Delete(ctx context.Context, name string) (manager.Answer, error)
	Promote(ctx context.Context, name string) (manager.Answer, error)
	Abort(ctx context.Context, name string) (manager.Answer, error)
}

// modules serves /modules.
type modules struct {
	of      Modules
	uploads chan struct{}
}

// route adds what is below /modules. Names may have slashes, escaped: source%2Fname.
func (m *modules) route(mux *http.ServeMux, g *guard) {
	mux.HandleFunc("GET /modules", g.read(show(func() any {
		if all := m.of.Status(); all != nil {
			return all
		}
		return []manager.Status{}
	})))
	mux.HandleFunc("GET /modules/{name}", g.read(m.detail))
	mux.HandleFunc("GET /modules/{name}/logs", g.read(m.logs))
	mux.HandleFunc("PUT /modules/{name}", g.write(m.load))
	for path, do := range map[string]func(context.Context, *http.Request) (manager.Answer, error){
		"DELETE /modules/{name}": func(ctx context.Context, r *http.Request) (manager.Answer, error) {
			return m.of.Delete(ctx, r.PathValue("name"))
		},
		"POST /modules/{name}/rollback": func(ctx context.Context, r *http.Request) (manager.Answer, error) {
			return m.of.Rollback(ctx, r.PathValue("name"), r.URL.Query().Get("digest"))
		},
		"POST /modules/{name}/disable": func(ctx context.Context, r *http.Request) (manager.Answer, error) {
			return m.of.Disable(ctx, r.PathValue("name"))
		},
		"POST /modules/{name}/enable": func(ctx context.Context, r *http.Request) (manager.Answer, error) {
			return m.of.Enable(ctx, r.PathValue("name"))
		},
		"POST /modules/{name}/promote": func(ctx context.Context, r *http.Request) (manager.Answer, error) {
			return m.of.Promote(ctx, r.PathValue("name"))
		},
		"POST /modules/{name}/abort": func(ctx context.Context, r *http.Request) (manager.Answer, error) {
			return m.of.Abort(ctx, r.PathValue("name"))
		},
	} {
		mux.HandleFunc(path, g.write(operation(do)))
	}
}

// operation answers with what do has changed, or why it has not.
func operation(do func(context.Context, *http.Request) (manager.Answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), operationTime)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime)) // it cannot fail on the server's own connections
		a, err := do(ctx, r)
		if err != nil {
			explain(w, err)
			return
		}
		answer(w, a)
	}
}

// load has the module in the request's body serve.
func (m *modules) load(w http.ResponseWriter, r *http.Request) {
	select {
	case m.uploads <- struct{}{}:
		defer func() { <-m.uploads }()
	default:
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, "ServiceUnavailable", "other modules are being loaded")
		return
	}
	until := http.NewResponseController(w)
	_ = until.SetReadDeadline(time.Now().Add(uploadTime)) // neither can fail on the server's own connections
	_ = until.SetWriteDeadline(time.Now().Add(uploadTime + answerTime))
	wasm, err := io.ReadAll(http.MaxBytesReader(w, r.Body, module.MaxSize))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		fail(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("the module has more than %d bytes", module.MaxSize))
		return
	case err != nil:
		fail(w, http.StatusBadRequest, "BadRequest", "cannot read the module: "+err.Error())
		return
	}
	operation(func(ctx context.Context, r *http.Request) (manager.Answer, error) {
		return m.of.Load(ctx, r.PathValue("name"), wasm)
	})(w, r)
}

// detail answers with all that is known of one module.
func (m *modules) detail(w http.ResponseWriter, r *http.Request) {
	d, err := m.of.Detail(r.PathValue("name"))
	if err != nil {
		explain(w, err)
		return
	}
	answer(w, d)
}

// logs answers with a module's last lines as JSON, one a line; ?follow=true: and with those to come, for at most an hour.
func (m *modules) logs(w http.ResponseWriter, r *http.Request) {
	lines, err := m.of.Log(r.PathValue("name"))
	if err != nil {
		explain(w, err)
		return
	}
	follow := r.URL.Query().Get("follow") == "true"
	var more *module.Follower
	if follow {
		if more, err = lines.Follow(); err != nil {
			fail(w, http.StatusTooManyRequests, "TooManyRequests", err.Error())
			return
		}
		defer more.Close()
	}
	w.Header().Set("Content-Type", "application/jsonlines")
	out := json.NewEncoder(w)
	for _, line := range lines.Last(1000) {
		if out.Encode(line) != nil {
			return // the client has left
		}
	}
	if follow {
		pass(w, r, out, more)
	}
}

// pass sends lines as they come, until the client leaves.
func pass(w http.ResponseWriter, r *http.Request, out *json.Encoder, more *module.Follower) {
	c := http.NewResponseController(w)
	end := time.NewTimer(maxFollowing)
	defer end.Stop()
	for c.SetWriteDeadline(time.Now().Add(maxFollowing)) == nil && c.Flush() == nil {
		select {
		case line := <-more.Lines:
			if c.SetWriteDeadline(time.Now().Add(followInterval)) != nil || out.Encode(line) != nil {
				return
			}
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// reasons are the answers to errors of the manager.
var reasons = []struct {
	err    error
	code   int
	reason string
}{
	{manager.ErrNotFound, http.StatusNotFound, "NotFound"},
	{manager.ErrInvalid, http.StatusUnprocessableEntity, "Invalid"},
	{manager.ErrConflict, http.StatusConflict, "Conflict"},
	{manager.ErrReadOnly, http.StatusForbidden, "Forbidden"},
	{manager.ErrEnded, http.StatusServiceUnavailable, "ServiceUnavailable"},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, "Timeout"},
}

// explain answers with what an error means.
func explain(w http.ResponseWriter, err error) {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			fail(w, r.code, r.reason, err.Error())
			return
		}
	}
	fail(w, http.StatusInternalServerError, "InternalError", err.Error())
}
