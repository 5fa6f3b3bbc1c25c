package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Check is one named condition of /livez or /readyz.
type Check struct {
	Name string
	// Test is nil when all is well. It must not block.
	Test func() error
	// Note says more under ?verbose, also when all is well; optional.
	Note func() string
}

// health serves checks as Kubernetes does: 200 "ok", or 500 and a line for each; ?verbose always lists them, ?exclude=name
// leaves one out, /livez/name asks for one alone.
func health(name string, checks func() []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		exclude, only := r.URL.Query()["exclude"], r.PathValue("check")
		var report bytes.Buffer
		failed, found := false, false
		for _, c := range checks() {
			if only != "" && c.Name != only {
				continue
			}
			found = true
			failed = write(&report, c, slices.Contains(exclude, c.Name)) || failed
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case only != "" && !found:
			http.NotFound(w, r)
		case failed:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, "%s%s check failed\n", report.Bytes(), name)
		case r.URL.Query().Has("verbose"):
			_, _ = fmt.Fprintf(w, "%s%s check passed\n", report.Bytes(), name)
		default:
			_, _ = w.Write([]byte("ok"))
		}
	}
}

// write adds a check's line to the report; true if it failed.
func write(report *bytes.Buffer, c Check, excluded bool) bool {
	if excluded {
		fmt.Fprintf(report, "[+]%s excluded: ok\n", c.Name)
		return false
	}
	note := ""
	if c.Note != nil {
		note = c.Note()
	}
	if note != "" {
		note = ": " + note
	}
	if err := c.Test(); err != nil {
		// One line a check, also for errors that are several.
		fmt.Fprintf(report, "[-]%s failed: %s%s\n", c.Name, strings.ReplaceAll(err.Error(), "\n", "; "), note)
		return true
	}
	fmt.Fprintf(report, "[+]%s ok%s\n", c.Name, note)
	return false
}
