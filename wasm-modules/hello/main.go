// Hello greets whoever asks. It is the smallest module there is, and a start for one of your own.
package main

import "github.com/posternhq/postern/hostabi/guest"

func init() {
	guest.Handle("GET", "/v1/greetings", greet)
}

func greet(r *guest.Request, w *guest.Response) error {
	name := r.Query().Get("name")
	if name == "" {
		name = r.User()
	}
	return w.WriteString("Hello, " + name + "!\n")
}

func main() {}
