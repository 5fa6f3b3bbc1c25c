// Rich is a guest of six megabytes, as modules get when they use much of the standard library: for measurements of what
// large modules cost.
package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/posternhq/postern/hostabi/guest"
)

var (
	word = regexp.MustCompile(`[a-z]+([0-9]{2,})?`)
	page = template.Must(template.New("page").Parse("{{range .}}{{.Name | printf \"%-10s\"}} {{.Count}}\n{{end}}"))
)

func init() {
	guest.Handle("GET", "/v1/ok", func(_ *guest.Request, w *guest.Response) error { return w.WriteString("ok") })
	guest.Handle("GET", "/v1/words", words)
	guest.Handle("GET", "/v1/when", when)
}

// count is a word and how often it came.
type count struct {
	Name  string
	Count int
}

// words counts the words of the parameter text, as a page or as JSON.
func words(r *guest.Request, w *guest.Response) error {
	query, err := url.ParseQuery(url.Values{"text": {r.Query().Get("text")}}.Encode())
	if err != nil {
		return err
	}
	var all []count
	for _, name := range word.FindAllString(query.Get("text"), 100) {
		all = append(all, count{name, strings.Count(query.Get("text"), name)})
	}
	var b strings.Builder
	if r.Query().Get("format") == "json" {
		err = json.NewEncoder(&b).Encode(all)
	} else {
		err = page.Execute(&b, all)
	}
	if err != nil {
		return err
	}
	return w.WriteString(b.String())
}

// when says the time.
func when(_ *guest.Request, w *guest.Response) error {
	return w.WriteString(fmt.Sprintln(time.Now().UTC().Format(time.RFC1123)))
}

func main() {}
