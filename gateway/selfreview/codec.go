package selfreview

import (
	"bytes"
	"fmt"
	"io"
	"mime"

	"github.com/munnerz/goautoneg"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// MaxBody bounds a review, in bytes; kubectl's have some 300. With the default limit of 2,048 requests in flight all
// bodies together are at most 256 MiB.
const MaxBody = 128 << 10

// The media types of reviews, preferred first. kube-apiserver knows YAML, too, which no client sends of itself.
var mediaTypes = []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf}

var (
	scheme = func() *runtime.Scheme {
		s := runtime.NewScheme()
		utilruntime.Must(authorizationv1.AddToScheme(s))
		return s
	}()
	serializers = map[string]runtime.Serializer{
		runtime.ContentTypeJSON:     json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{}),
		runtime.ContentTypeProtobuf: protobuf.NewSerializer(scheme, scheme),
	}
)

// readBody reads the whole body. A body that breaks off, or comes too slowly, is answered by the listener.
func readBody(x *exchange.Exchange) ([]byte, *fault) {
	tooLarge := &fault{status.RequestEntityTooLarge, fmt.Sprintf("a review has at most %d bytes", MaxBody)}
	if x.HTTP.Request.Header.ContentLength() > MaxBody {
		return nil, tooLarge
	}
	body := x.HTTP.RequestBodyStream()
	if body == nil {
		body = bytes.NewReader(x.HTTP.Request.Body())
	}
	b, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	switch {
	case err != nil:
		return nil, &fault{status.BadRequest, fmt.Sprintf("cannot read the request body: %v", err)}
	case len(b) > MaxBody:
		return nil, tooLarge
	}
	return b, nil
}

// decode reads a review of the kind that resource stands for. Without a content type it is JSON.
func decode(contentType string, body []byte, resource string) (runtime.Object, *fault) {
	s, ok := serializers[runtime.ContentTypeJSON], true
	if contentType != "" {
		media, _, err := mime.ParseMediaType(contentType)
		if s, ok = serializers[media]; err != nil || !ok {
			return nil, &fault{status.UnsupportedMediaType, fmt.Sprintf(
				"the body of the request was in an unknown format - accepted media types include: %s, %s", mediaTypes[0], mediaTypes[1])}
		}
	}
	var into runtime.Object = new(authorizationv1.SelfSubjectAccessReview)
	kind := authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview")
	if resource == rules {
		into, kind.Kind = new(authorizationv1.SelfSubjectRulesReview), "SelfSubjectRulesReview"
	}
	obj, got, err := s.Decode(body, &kind, into)
	switch {
	case err != nil:
		return nil, &fault{status.BadRequest, fmt.Sprintf("cannot decode the request body as %s: %.200v", kind.Kind, err)} // some errors quote the body
	case *got != kind:
		return nil, &fault{status.BadRequest, fmt.Sprintf("the request body is a %.100s of %.100s, not a %s of %s", got.Kind, got.GroupVersion().String(), kind.Kind, kind.GroupVersion())}
	}
	obj.GetObjectKind().SetGroupVersionKind(kind)
	return obj, nil
}

// acceptable is the media type that the client likes best. A client that says nothing gets JSON.
func acceptable(x *exchange.Exchange) (media string, f *fault) {
	accept := string(x.HTTP.Request.Header.Peek("Accept"))
	if accept == "" {
		return runtime.ContentTypeJSON, nil
	}
	if media = goautoneg.Negotiate(accept, mediaTypes); media != "" {
		return media, nil
	}
	return "", &fault{status.NotAcceptable, fmt.Sprintf("only the following media types are accepted: %s, %s", mediaTypes[0], mediaTypes[1])}
}

// write answers 201 with review. What somebody may do now is not for caches.
func write(x *exchange.Exchange, media string, review runtime.Object) *fault {
	var b bytes.Buffer
	if err := serializers[media].Encode(review, &b); err != nil {
		return &fault{status.InternalError, fmt.Sprintf("cannot encode the review: %v", err)}
	}
	h := &x.HTTP.Response.Header
	h.SetContentType(media)
	h.Set("Cache-Control", "no-cache, private")
	x.HTTP.Response.SetStatusCode(201)
	x.HTTP.Response.SetBodyRaw(b.Bytes())
	return nil
}
