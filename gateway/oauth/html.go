package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// html is a page in the making. Texts get into it by text and by attributes alone, which escape them; tags are constants of
// this package. html/template would do the same, and make the program 7 MB larger: it calls methods by name, so
// the linker has to keep all of them.
type html struct{ b strings.Builder }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "`", "&#96;")

// literal is markup that stands in this package's source.
type literal string

func (h *html) raw(markup literal) { h.b.WriteString(string(markup)) }

// text is text between tags.
func (h *html) text(s string) { h.b.WriteString(escaper.Replace(s)) }

// tag opens an element with attributes: names, which are ours, and their values by turns.
func (h *html) tag(name literal, attributes ...string) {
	h.raw("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		h.b.WriteByte(' ')
		h.b.WriteString(attributes[i])
		h.b.WriteString(`="`)
		h.b.WriteString(escaper.Replace(attributes[i+1]))
		h.b.WriteByte('"')
	}
	h.raw(">")
}

// element is a tag with text in it.
func (h *html) element(name literal, text string, attributes ...string) {
	h.tag(name, attributes...)
	h.text(text)
	h.raw("</" + name + ">")
}

// hidden is a form's field that nobody sees.
func (h *html) hidden(name, value string) {
	h.tag("input", "type", "hidden", "name", name, "value", value)
}

const style = literal(`body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:10vh auto;padding:0 1rem;color:#1c2733;background:#fff}` +
	`h1{font-size:1.3rem}label{display:block;margin-top:.8rem}input:not([type=hidden]),select,button{font:inherit;width:100%;padding:.5rem;box-sizing:border-box}` +
	`button{margin-top:1.2rem;background:#1659a5;color:#fff;border:0;border-radius:4px;cursor:pointer}button.no{background:#eef1f5;color:#1c2733}` +
	`.error{padding:.5rem;border-left:4px solid #b3261e;background:#fdecea}li{margin:.3rem 0}`)

// policy lets the browser load nothing, run nothing and show the page in no frame. It does not bind form-action: browsers hold
// that against the redirects after a form as well, and those lead to the client, and on to wherever that likes.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'"
}()

// head begins the document; its end is foot.
func (h *html) head(title string) {
	h.raw(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>`)
	h.text(title)
	h.raw("</title><style>" + style + "</style></head><body><main><h1>")
	h.text(title)
	h.raw("</h1>")
}

func (h *html) foot() { h.raw("</main></body></html>\n") }
