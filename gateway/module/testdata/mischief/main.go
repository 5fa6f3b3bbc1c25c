// Mischief does what a module must not do, each on request, and some of what it may.
package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/guest"
)

// What an instance has from the start, and so its copies.
var (
	early  = guest.Settings()
	ticked = make(chan struct{})
	counts int
)

func init() {
	go func() {
		time.Sleep(20 * time.Millisecond)
		close(ticked)
	}()
	for pattern, h := range map[string]guest.Handler{
		"/v1/ok":     func(_ *guest.Request, w *guest.Response) error { return w.WriteString("ok") },
		"/v1/panic":  func(*guest.Request, *guest.Response) error { panic("mischief") },
		"/v1/loop":   loop,
		"/v1/eat":    eat,
		"/v1/exit":   func(*guest.Request, *guest.Response) error { os.Exit(3); return nil },
		"/v1/stuck":  func(*guest.Request, *guest.Response) error { select {} },
		"/v1/nap":    nap,
		"/v1/count":  count,
		"/v1/ticked": func(_ *guest.Request, w *guest.Response) error { <-ticked; return w.WriteString("ticked") },
		"/v1/early":  func(_ *guest.Request, w *guest.Response) error { return w.WriteString(early) },
		"/v1/sleep": func(r *guest.Request, w *guest.Response) error {
			return errors.Join(r.Sleep(20), w.WriteString("slept"))
		},
		"/v1/rubbish":   rubbish,
		"/v1/calls/{n}": calls,
		"/v1/send/{n}":  send,
		"/v1/leave/{n}": leave,
		"/v1/alone":     alone,
		"/v1/fan/{n}":   fan,
		"/v1/big/{n}":   big,
		"/v1/splice":    splice,
		"/v1/body":      body,
		"/v1/log/{n}":   logs,
		"/v1/settings":  func(_ *guest.Request, w *guest.Response) error { return w.WriteString(guest.Settings()) },
		"/v1/forward/{p...}": func(r *guest.Request, w *guest.Response) error {
			return r.Forward(w, guest.HTTP{Backend: "echo", Path: "/" + r.PathValue("p")})
		},
		"/v1/whoami": func(r *guest.Request, w *guest.Response) error {
			return w.WriteString(r.User() + " " + strings.Join(r.Groups(), ",") + " " + r.Header("Authorization"))
		},
	} {
		guest.Handle("*", pattern, h)
	}
}

var sink uint64

func loop(*guest.Request, *guest.Response) error {
	for i := uint64(0); ; i++ {
		sink += i
	}
}

var hoard [][]byte

func eat(*guest.Request, *guest.Response) error {
	for {
		b := make([]byte, 1<<20)
		b[0] = 1
		hoard = append(hoard, b)
	}
}

// count is how often this instance was asked.
func count(_ *guest.Request, w *guest.Response) error {
	counts++
	return w.WriteString(strconv.Itoa(counts))
}

// nap waits with a timer of the guest's own, which the host does not know of.
func nap(_ *guest.Request, w *guest.Response) error {
	time.Sleep(30 * time.Millisecond)
	return w.WriteString("woke")
}

// rubbish asks for what there is not and answers with what must not be.
func rubbish(r *guest.Request, w *guest.Response) error {
	for _, h := range [][2]string{{"Bad Name", "x"}, {"X-Bad", "a\r\nEvil: 1"}, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}} {
		if w.Header(h[0], h[1]) == nil {
			return errors.New("header accepted: " + h[0])
		}
	}
	if r.Field(hostabi.Field(9999)) != "" {
		return errors.New("field 9999 has a value")
	}
	if _, ok := (guest.Data{}).Get("/a"); ok {
		return errors.New("no handle has a value")
	}
	w.Status(99)
	return w.WriteString("refused all")
}

// fan puts n questions at once.
func fan(r *guest.Request, w *guest.Response) error {
	n, _ := strconv.Atoi(r.PathValue("n"))
	questions := make([]guest.Prometheus, n)
	for i := range questions {
		questions[i].Expr = "q" + strconv.Itoa(i)
	}
	for _, a := range r.AskAll(questions) {
		if a.Err != nil {
			return a.Err
		}
		if err := w.Splice(a.Data); err != nil {
			return err
		}
	}
	return nil
}

// calls makes n calls, one after the other.
func calls(r *guest.Request, w *guest.Response) error {
	n, _ := strconv.Atoi(r.PathValue("n"))
	for range n {
		if err := r.Sleep(0); err != nil {
			return err
		}
	}
	return w.WriteString("called")
}

// send sends n bytes to a backend, a tenth at a time.
func send(r *guest.Request, w *guest.Response) error {
	n, _ := strconv.Atoi(r.PathValue("n"))
	part := make([]byte, n/10)
	for range 10 {
		if _, _, err := r.Do(guest.HTTP{Backend: "echo", Method: "POST", Path: "/", Body: part}); err != nil {
			return err
		}
	}
	return w.WriteString("sent")
}

var never chan struct{}

// leave answers, and leaves a goroutine behind that waits for ever with n KiB.
func leave(r *guest.Request, w *guest.Response) error {
	n, _ := strconv.Atoi(r.PathValue("n"))
	held := make([]byte, n<<10)
	for i := range held {
		held[i] = byte(i)
	}
	go func() {
		<-never
		sink += uint64(held[0])
	}()
	return w.WriteString("left")
}

// alone fails every time but when it is asked with a query.
func alone(r *guest.Request, w *guest.Response) error {
	if r.RawQuery() == "" {
		panic("nobody asked nicely")
	}
	return w.WriteString("well")
}

func big(r *guest.Request, w *guest.Response) error {
	n, _ := strconv.Atoi(r.PathValue("n"))
	return w.WriteString(strings.Repeat("x", n))
}

func splice(r *guest.Request, w *guest.Response) error {
	d, err := r.NewData([]byte(`{"items":[{"n":"b"},{"n":"a"}]}`))
	if err != nil {
		return err
	}
	first, _ := d.Get("/items/0/n")
	return errors.Join(w.WriteString(first+" "), w.Splice(d))
}

func body(r *guest.Request, w *guest.Response) error {
	d, err := r.Body()
	if err != nil {
		return err
	}
	return w.Splice(d)
}

func logs(r *guest.Request, w *guest.Response) error {
	n, _ := strconv.Atoi(r.PathValue("n"))
	for i := range n {
		guest.Log(hostabi.LevelInfo, "line "+strconv.Itoa(i))
	}
	return nil
}

func main() {}
