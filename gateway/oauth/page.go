package oauth

import (
	"strconv"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
)

// Fields of the forms, besides those of the request that they repeat.
const (
	fieldToken    = "form_token" // see formToken
	fieldUser     = "username"
	fieldPassword = "password"
	fieldProvider = "provider"
	fieldAnswer   = "answer" // of the button: yes, or no
)

// pageState is what a page shows besides the request.
type pageState struct {
	user  *account.Account // has said who they are; nil: the page asks
	since time.Time        // when they did
	name  string           // of the user, as typed before
	fault *fault           // of the attempt before
}

// page shows the form that says who somebody is, or that asks whether a client may have what it asks for.
func (s *Stage) page(x *exchange.Exchange, r *request, p *pageState) {
	form, f := s.formToken(x, r, p)
	if f != nil {
		s.show(x, f)
		return
	}
	if p.fault != nil {
		setFault(x, p.fault)
	}
	h := new(html)
	if p.user == nil {
		h.head("Log in")
	} else {
		h.head("Allow access?")
	}
	if p.fault != nil {
		h.element("p", p.fault.text, "class", "error", "role", "alert")
	}
	h.tag("form", "method", "post", "action", "/oauth/authorize", "autocomplete", "on")
	for _, key := range requestParams {
		if value := r.p[key]; value != "" {
			h.hidden(key, value)
		}
	}
	h.hidden(fieldToken, form)
	if p.user == nil {
		s.loginFields(h, p)
	} else {
		h.element("p", "You are "+p.user.Name+".")
	}
	buttons(h, r, p)
	h.raw("</form>")
	if p.user == nil {
		s.links(h, r)
	}
	h.foot()
	writeHTML(x, h)
}

// loginFields ask for name and password, and for who checks them if there is a choice.
func (s *Stage) loginFields(h *html, p *pageState) {
	h.raw("<label>User name or e-mail")
	h.tag("input", "name", fieldUser, "value", p.name, "autocomplete", "username", "autocapitalize", "none", "maxlength", strconv.Itoa(253), "required", "required")
	h.raw("</label><label>Password")
	h.tag("input", "name", fieldPassword, "type", "password", "autocomplete", "current-password", "maxlength", strconv.Itoa(1024), "required", "required")
	h.raw("</label>")
	begun := false
	for _, provider := range s.o.Providers {
		if provider.Pages {
			continue
		}
		if !begun {
			h.raw("<label>Account of")
			h.tag("select", "name", fieldProvider)
			h.element("option", "this platform", "value", "")
			begun = true
		}
		h.element("option", provider.Name, "value", provider.Name)
	}
	if begun {
		h.raw("</select></label>")
	}
}

// buttons send the form. Where consent is needed they name the client and what it gets.
func buttons(h *html, r *request, p *pageState) {
	if !r.consent() {
		h.element("button", "Log in", "name", fieldAnswer, "value", "yes")
		return
	}
	h.raw("<p>")
	h.element("strong", r.client.Name)
	h.raw(" wants to act as you on this platform.</p>")
	if len(r.scopes) > 0 {
		h.raw("<ul>")
		for _, scope := range r.scopes {
			h.element("li", scope)
		}
		h.raw("</ul>")
	}
	label := "Allow"
	if p.user == nil {
		label = "Log in and allow"
	}
	h.element("button", label, "name", fieldAnswer, "value", "yes")
	h.element("button", "Do not allow", "name", fieldAnswer, "value", "no", "class", "no", "formnovalidate", "formnovalidate")
}

// links lead to providers with pages of their own.
func (s *Stage) links(h *html, r *request) {
	begun := false
	for _, provider := range s.o.Providers {
		if !provider.Pages {
			continue
		}
		if !begun {
			h.raw("<p>Or log in with</p><ul>")
			begun = true
		}
		h.raw("<li>")
		h.element("a", provider.Name, "href", "/oauth/login/"+pathEscape(provider.Name)+"?"+r.values().Encode())
		h.raw("</li>")
	}
	if begun {
		h.raw("</ul>")
	}
}

// show tells of an error that cannot be sent to a client: as a page to people, as JSON to programs.
func (s *Stage) show(x *exchange.Exchange, f *fault) {
	if !browser(x) {
		refuse(x, f)
		return
	}
	setFault(x, f)
	h := new(html)
	h.head("This does not work")
	h.element("p", f.text+" ("+f.code+").", "class", "error", "role", "alert")
	h.element("p", "Go back to the program that you came from, and begin again.")
	h.foot()
	writeHTML(x, h)
}

func writeHTML(x *exchange.Exchange, h *html) {
	header := &x.HTTP.Response.Header
	header.SetContentType("text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	x.HTTP.SetBodyString(h.b.String())
}
