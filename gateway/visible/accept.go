package visible

import (
	"mime"
	"strings"
)

// mediaJSON is the one format in which lists can be put together and watches be looked through as they come.
const mediaJSON = "application/json"

// acceptable is what kube-apiserver is asked for instead of accept: what of it is JSON, plain, as a Table or as
// PartialObjectMetadata, in the client's order. Most clients that like protobuf better take JSON, too. ok is false for one
// that does not.
func acceptable(accept string) (json string, ok bool) {
	if strings.TrimSpace(accept) == "" {
		return mediaJSON, true
	}
	var kept []string
	for clause := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(clause)
		switch {
		case err != nil:
			continue
		case media == "*/*", media == "application/*":
			media = mediaJSON
		case media != mediaJSON:
			continue
		}
		if params["q"] == "0" {
			continue
		}
		kept = append(kept, mime.FormatMediaType(media, params))
	}
	return strings.Join(kept, ", "), len(kept) > 0
}
