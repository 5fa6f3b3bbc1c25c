// Package hostabi is the contract between the gateway and its WebAssembly modules, version 1, as Go constants. ABI.md
// beside it is the specification; this package imports the standard library alone, so that both sides can share it.
package hostabi

// The version of this contract. A minor adds functions, fields or tags; a major is another set of import modules beside
// this one.
const (
	Major = 1
	Minor = 2 // 1.1: the tag url of postern.http/v1 call; 1.2: postern.kube/v1 query, postern.access/v1, postern.accounts/v1
)

// Names of the import modules. Each carries the major version: functions are added within a major, never changed.
// Capability modules are linked only for guests that were granted the capability.
const (
	ModuleCore       = "postern/v1"
	ModuleKube       = "postern.kube/v1"
	ModulePrometheus = "postern.prometheus/v1"
	ModuleHTTP       = "postern.http/v1"
	ModuleAccess     = "postern.access/v1"   // since 1.2
	ModuleAccounts   = "postern.accounts/v1" // since 1.2
	// ModuleFuel is imported by what the loader adds to a guest, never by a guest itself.
	ModuleFuel = "postern.fuel/v1"
)

// Names of a guest's exports. A guest exports Start, Run and Cancel (asynchronous: one instance, many requests), or
// Handle (synchronous: one request at a time, one instance each).
const (
	ExportInitialize = "_initialize"    // () once, before anything else; optional
	ExportStart      = "postern_start"  // (exchange i32)
	ExportRun        = "postern_run"    // ()
	ExportCancel     = "postern_cancel" // (exchange i32)
	ExportHandle     = "postern_handle" // (exchange i32)
	ExportCheck      = "postern_check"  // () -> i32, 0 is well; optional
)

// SectionManifest is the custom section that holds a module's manifest (module.yaml).
const SectionManifest = "postern.module"

// SectionSignature is the custom section that holds a signature of all that stands before the first one of them.
const SectionSignature = "postern.signature"

// Code is the outcome of a host function or a host call. Functions return it negated; 0 is OK.
type Code int32

// The closed list of codes.
const (
	OK          Code = 0
	Internal    Code = 1  // the host failed; not the guest's fault
	BadArgument Code = 2  // a pointer out of memory, a malformed record, a field that does not exist
	NotFound    Code = 3  // no such handle, header, object, backend
	Denied      Code = 4  // not granted to the module, or forbidden to the caller
	TooLarge    Code = 5  // a limit on bytes, or on the calls of one request, was reached
	Deadline    Code = 6  // the call's or the request's time was over
	Canceled    Code = 7  // the client has left, or the guest cancelled
	Conflict    Code = 8  // the object exists, or has changed
	Unavailable Code = 9  // the backend cannot be reached or is overloaded
	Busy        Code = 10 // too many host calls in flight
	Gone        Code = 11 // the exchange has ended
	Upstream    Code = 12 // the backend answered with an error; its body is the handle
)

var codeNames = [...]string{
	"ok", "internal error", "bad argument", "not found", "denied", "too large", "deadline exceeded", "canceled",
	"conflict", "unavailable", "busy", "gone", "upstream error",
}

// String is the code in words.
func (c Code) String() string {
	if c >= 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "unknown code"
}

// Error makes a code an error.
func (c Code) Error() string { return c.String() }

// Field names a part of the request that request_field reads.
type Field uint32

// The request's fields.
const (
	FieldMethod        Field = 1  // as sent: GET
	FieldPath          Field = 2  // decoded, clusters/{c} cut
	FieldQuery         Field = 3  // raw, without '?'
	FieldRequestID     Field = 4  //
	FieldVerb          Field = 5  // get, list, watch, create, update, patch, delete, deletecollection, proxy
	FieldGroup         Field = 6  //
	FieldVersion       Field = 7  //
	FieldCluster       Field = 8  //
	FieldWorkspace     Field = 9  //
	FieldNamespace     Field = 10 //
	FieldDevOps        Field = 11 //
	FieldResource      Field = 12 //
	FieldSubresource   Field = 13 //
	FieldName          Field = 14 //
	FieldScope         Field = 15 // Global, Cluster, Workspace, Namespace, DevOps
	FieldUser          Field = 16 // name
	FieldUserUID       Field = 17 //
	FieldUserGroups    Field = 18 // one a line
	FieldModulePath    Field = 19 // decoded path behind /kapis/{group}: "/v1alpha3/nodes"
	FieldModuleRawPath Field = 20 // the same as sent, escapes kept
	FieldRemoteAddress Field = 21 // ip:port of the peer
)

// Tag names a field of a call record. The numbers are shared by all services; a service refuses tags it does not know.
type Tag uint32

// The tags. Values are bytes; numbers among them are decimal text, so that nothing depends on byte order or width.
const (
	TagOperation     Tag = 1  // kube: get list create update patch delete; prometheus: query query_range series labels label_values metadata targets_metadata; access: may missing namespaces; accounts: hash check end_sessions
	TagTimeout       Tag = 2  // milliseconds; default and maximum: the request's own deadline
	TagBody          Tag = 3  // bytes
	TagBodyHandle    Tag = 4  // a handle instead of bytes
	TagGroup         Tag = 10 // kube, "" is core
	TagVersion       Tag = 11
	TagResource      Tag = 12 // plural
	TagNamespace     Tag = 13
	TagName          Tag = 14
	TagSubresource   Tag = 15
	TagLabelSelector Tag = 16
	TagFieldSelector Tag = 17
	TagAs            Tag = 18 // "caller" (default) or "module"
	TagSource        Tag = 19 // "live" (default) or "cache"
	TagPatchType     Tag = 20 // a media type; default application/merge-patch+json
	TagLimit         Tag = 21 // list: objects a page
	TagContinue      Tag = 22 // list: token of the next page
	TagExpr          Tag = 30 // prometheus: PromQL
	TagTime          Tag = 31 // unix seconds, fraction allowed
	TagStart         Tag = 32
	TagEnd           Tag = 33
	TagStep          Tag = 34 // seconds
	TagMatch         Tag = 35 // series selector; may repeat
	TagLabel         Tag = 36 // label_values: which
	TagMetric        Tag = 37 // metadata: which; optional
	TagBackend       Tag = 40 // http: name in the configuration
	TagMethod        Tag = 41 // default GET; forward: the request's own
	TagPath          Tag = 42 // appended to the backend's path, with its query
	TagHeader        Tag = 43 // "Name: value"; may repeat; replaces the request's own when forwarding
	TagURL           Tag = 45 // instead of backend and path: an address outside; since 1.1
	TagDropHeader    Tag = 44 // forward: a request header that stays here; may repeat
	TagDryRun        Tag = 23 // kube writes: All, for nothing to be stored; since 1.2
	TagQuery         Tag = 50 // query: the client's raw query, without '?'; these and all below since 1.2
	TagFilter        Tag = 51 // query: key, how (exact, substring, absent) and JSON Pointer, one a line, and a value if the key is empty; may repeat
	TagKnown         Tag = 52 // query: a key of the client's query that the module reads itself; may repeat
	TagOnly          Tag = 53 // query: a handle with a JSON array of names: no others
	TagExcept        Tag = 54 // query: a handle with a JSON array of names: not these
	TagDrop          Tag = 55 // query: a JSON Pointer that each item loses; may repeat
	TagBy            Tag = 56 // query: a JSON Pointer to what only and except name, instead of the objects' own names
	TagVerb          Tag = 60 // access
	TagScope         Tag = 61 // access: Global, Cluster, Workspace, Namespace, DevOps; default: by the places named
	TagWorkspace     Tag = 62 // access
	TagDevOps        Tag = 63 // access
	TagUser          Tag = 64 // access: default the caller; accounts
	TagUserGroup     Tag = 65 // access: a group of that user, instead of those of the account; may repeat
	TagKind          Tag = 66 // access missing: the kind of the role TagName, instead of rules
	TagPassword      Tag = 67 // accounts
	TagKeep          Tag = 68 // accounts end_sessions: "caller" for the session that asks to go on
)

// Completion is one finished host call, as the guest reads it: 16 bytes, little-endian, in this order.
type Completion struct {
	Token  uint32
	Code   Code
	Handle uint32 // the answer's body; 0 when there is none
	Status uint32 // the backend's HTTP status; 0 when it has none
}

// CompletionSize is the size of a Completion in a guest's memory, bytes.
const CompletionSize = 16

// Level is a log level.
type Level uint32

// The log levels.
const (
	LevelDebug Level = 0
	LevelInfo  Level = 1
	LevelWarn  Level = 2
	LevelError Level = 3
)
