package requestinfo

// verbOf is the verb of a resource request before query and name have their say; empty for methods Kubernetes has no
// verb for, which only a rule with the verb * allows.
func verbOf(method []byte) string {
	switch string(method) {
	case "GET", "HEAD":
		return "get"
	case "POST":
		return "create"
	case "PUT":
		return "update"
	case "PATCH":
		return "patch"
	case "DELETE":
		return "delete"
	}
	return ""
}

// lower is the verb of a request for no resource: the method in lower case, as Kubernetes has it and as rules with
// nonResourceURLs name it (`verbs: [get]`). Upstream leaves it in upper case, so that such rules never match there.
func lower(method, scratch []byte) (string, []byte) {
	switch string(method) {
	case "GET":
		return "get", scratch
	case "HEAD":
		return "head", scratch
	case "POST":
		return "post", scratch
	case "PUT":
		return "put", scratch
	case "PATCH":
		return "patch", scratch
	case "DELETE":
		return "delete", scratch
	case "OPTIONS":
		return "options", scratch
	}
	base := len(scratch)
	for _, c := range method {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		scratch = append(scratch, c)
	}
	return alias(scratch[base:]), scratch
}
