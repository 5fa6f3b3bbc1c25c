package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
)

var nodeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// startEdgeWatcher serves what the kubeedge group's backend does: the command that joins an edge node. It lives as long
// as the tests.
func startEdgeWatcher() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1alpha1/nodes/join", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		name, ip := q.Get("node_name"), net.ParseIP(q.Get("node_ip"))
		if !nodeName.MatchString(name) || ip == nil {
			answerJSON(w, http.StatusBadRequest, map[string]any{"code": 400, "status": "Failure", "message": "invalid node name or ip"})
			return
		}
		answerJSON(w, http.StatusOK, map[string]any{
			"code": 200, "status": "Succeeded",
			"data": fmt.Sprintf("keadm join --cloudcore-ipport=127.0.0.1:10000 --edgenode-name %s --edgenode-ip %s", name, ip),
		})
	})
	// Says which headers arrived, for the test that no credential does.
	mux.HandleFunc("/api/echo", func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, http.StatusOK, map[string]any{"method": r.Method, "headers": r.Header, "query": r.URL.RawQuery})
	})
	go func() { _ = http.Serve(ln, mux) }()
	return "http://" + ln.Addr().String() + "/api/", nil
}

func answerJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "text/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
