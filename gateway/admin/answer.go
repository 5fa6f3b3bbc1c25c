package admin

import (
	"encoding/json"
	"net/http"
)

// Failure is why a request was refused, as Kubernetes has it.
type Failure struct {
	Kind       string `json:"kind"`       // Status
	APIVersion string `json:"apiVersion"` // v1
	Status     string `json:"status"`     // Failure
	Reason     string `json:"reason"`
	Message    string `json:"message"`
	Code       int    `json:"code"`
}

// fail answers with a Failure.
func fail(w http.ResponseWriter, code int, reason, message string) {
	send(w, code, Failure{"Status", "v1", "Failure", reason, message, code})
}

// answer answers with a value.
func answer(w http.ResponseWriter, v any) { send(w, http.StatusOK, v) }

func send(w http.ResponseWriter, code int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
}

// show answers with what get returns.
func show(get func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, get()) }
}
