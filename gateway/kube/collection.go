package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"k8s.io/client-go/rest"
)

// Collection follows all objects of one kind and keeps them whole, as JSON. It is for few objects: a kind of the platform's
// own that people write by hand. Its memory is theirs, each at most 8 MiB.
type Collection struct {
	client *client
	path   string
	feed   *reflector[json.RawMessage]
	store  *kept[json.RawMessage]
}

// writeTimeout bounds one write.
const writeTimeout = 30 * time.Second

// NewCollection makes a collection of what is listed at group + kind, as /apis/postern.dev/v1alpha1/ and modules. changed is
// called after each change, from one goroutine. It connects to nothing before Run.
func NewCollection(cfg *rest.Config, group, kind string, log zerolog.Logger, changed func()) (*Collection, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	s := keep[json.RawMessage](changed)
	p := &Stores{log: log} // for its way to report
	return &Collection{client: c, path: group + kind, store: s, feed: &reflector[json.RawMessage]{
		client: c, path: group + kind, kind: kind, whole: true, store: s, read: make(chan struct{}), drop: p.drop,
		convert: func(o *object) *json.RawMessage { return &o.text },
		report: func(kind string, err error) {
			if Missing(err) {
				log.Info().Str("store", kind).Msg("the cluster does not have this kind: postern crds install")
				return
			}
			p.report(kind, err)
		},
	}}, nil
}

// Run follows until ctx ends.
func (c *Collection) Run(ctx context.Context) {
	c.feed.run(ctx)
	c.client.http.CloseIdleConnections()
}

// Synced says whether everything has been read once.
func (c *Collection) Synced() bool {
	synced, _, _, _ := c.feed.state()
	return synced
}

// All is every object, in no order. They must not be changed.
func (c *Collection) All() []*json.RawMessage { return c.store.all() }

// PutStatus writes the status of an object of cluster scope: body is the whole object, with the resourceVersion that it was
// made from. Conflict says whether somebody else was faster.
func (c *Collection) PutStatus(ctx context.Context, name string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	answer, err := c.client.do(ctx, call{
		method: http.MethodPut, path: c.path + "/" + name + "/status", accept: "application/json", contentType: "application/json",
		body: string(bytes.TrimSpace(body)),
	})
	if err != nil {
		return fmt.Errorf("cannot write the status of %q: %w", name, err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer, maxObject))
	return errors.Join(err, answer.Close())
}

// Conflict says whether err is kube-apiserver's word that an object has changed meanwhile.
func Conflict(err error) bool { return answers(err, http.StatusConflict) }

// Missing says whether err is kube-apiserver's word that there is no such object, or no such kind.
func Missing(err error) bool { return answers(err, http.StatusNotFound) }

func answers(err error, code int) bool {
	var f *failure
	return errors.As(err, &f) && f.code == code
}
