/* postern.h: Postern's module ABI v1 for guests in C (clang, wasm32). One header, no library: libc is not needed.
 *
 *   #include "postern.h"
 *   static void serve(int ex) { postern_write(ex, "hello\n"); }
 *   POSTERN_SERVE(serve)
 *
 * A guest in C is synchronous: an instance serves one request at a time, and the host keeps as many instances as it needs.
 * ABI.md says what each function does. Texts are a pointer and a length and are good until the request ends. Every
 * function that may fail returns a negated POSTERN_ code. Define POSTERN_ARENA before the include for more than 256 KiB
 * of texts and records a request.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_H
#define POSTERN_H

#include <stdint.h>

/* Codes: functions return them negated, completions as they are. */
enum {
  POSTERN_OK = 0,
  POSTERN_INTERNAL = 1,
  POSTERN_BAD_ARGUMENT = 2,
  POSTERN_NOT_FOUND = 3,
  POSTERN_DENIED = 4,
  POSTERN_TOO_LARGE = 5,
  POSTERN_DEADLINE = 6,
  POSTERN_CANCELED = 7,
  POSTERN_CONFLICT = 8,
  POSTERN_UNAVAILABLE = 9,
  POSTERN_BUSY = 10,
  POSTERN_GONE = 11,
  POSTERN_UPSTREAM = 12
};

/* Fields of the request. */
enum {
  POSTERN_FIELD_METHOD = 1,
  POSTERN_FIELD_PATH = 2,
  POSTERN_FIELD_QUERY = 3,
  POSTERN_FIELD_REQUEST_ID = 4,
  POSTERN_FIELD_VERB = 5,
  POSTERN_FIELD_GROUP = 6,
  POSTERN_FIELD_VERSION = 7,
  POSTERN_FIELD_CLUSTER = 8,
  POSTERN_FIELD_WORKSPACE = 9,
  POSTERN_FIELD_NAMESPACE = 10,
  POSTERN_FIELD_DEV_OPS = 11,
  POSTERN_FIELD_RESOURCE = 12,
  POSTERN_FIELD_SUBRESOURCE = 13,
  POSTERN_FIELD_NAME = 14,
  POSTERN_FIELD_SCOPE = 15,
  POSTERN_FIELD_USER = 16,
  POSTERN_FIELD_USER_UID = 17,
  POSTERN_FIELD_USER_GROUPS = 18,
  POSTERN_FIELD_MODULE_PATH = 19,
  POSTERN_FIELD_MODULE_RAW_PATH = 20,
  POSTERN_FIELD_REMOTE_ADDRESS = 21
};

/* Tags of a call's record. */
enum {
  POSTERN_TAG_OPERATION = 1,
  POSTERN_TAG_TIMEOUT = 2,
  POSTERN_TAG_BODY = 3,
  POSTERN_TAG_BODY_HANDLE = 4,
  POSTERN_TAG_GROUP = 10,
  POSTERN_TAG_VERSION = 11,
  POSTERN_TAG_RESOURCE = 12,
  POSTERN_TAG_NAMESPACE = 13,
  POSTERN_TAG_NAME = 14,
  POSTERN_TAG_SUBRESOURCE = 15,
  POSTERN_TAG_LABEL_SELECTOR = 16,
  POSTERN_TAG_FIELD_SELECTOR = 17,
  POSTERN_TAG_AS = 18,
  POSTERN_TAG_SOURCE = 19,
  POSTERN_TAG_PATCH_TYPE = 20,
  POSTERN_TAG_LIMIT = 21,
  POSTERN_TAG_CONTINUE = 22,
  POSTERN_TAG_EXPR = 30,
  POSTERN_TAG_TIME = 31,
  POSTERN_TAG_START = 32,
  POSTERN_TAG_END = 33,
  POSTERN_TAG_STEP = 34,
  POSTERN_TAG_MATCH = 35,
  POSTERN_TAG_LABEL = 36,
  POSTERN_TAG_METRIC = 37,
  POSTERN_TAG_BACKEND = 40,
  POSTERN_TAG_METHOD = 41,
  POSTERN_TAG_PATH = 42,
  POSTERN_TAG_HEADER = 43,
  POSTERN_TAG_DROP_HEADER = 44,
  POSTERN_TAG_URL = 45,
  POSTERN_TAG_DRY_RUN = 23,
  POSTERN_TAG_QUERY = 50,
  POSTERN_TAG_FILTER = 51,
  POSTERN_TAG_KNOWN = 52,
  POSTERN_TAG_ONLY = 53,
  POSTERN_TAG_EXCEPT = 54,
  POSTERN_TAG_DROP = 55,
  POSTERN_TAG_BY = 56,
  POSTERN_TAG_VERB = 60,
  POSTERN_TAG_SCOPE = 61,
  POSTERN_TAG_WORKSPACE = 62,
  POSTERN_TAG_DEV_OPS = 63,
  POSTERN_TAG_USER = 64,
  POSTERN_TAG_USER_GROUP = 65,
  POSTERN_TAG_KIND = 66,
  POSTERN_TAG_PASSWORD = 67,
  POSTERN_TAG_KEEP = 68
};

/* Log levels. */
enum { POSTERN_LEVEL_DEBUG = 0, POSTERN_LEVEL_INFO = 1, POSTERN_LEVEL_WARN = 2, POSTERN_LEVEL_ERROR = 3 };

/* A completion, as the host writes it: how a call ended. handle is the answer's body, 0 if none; status the backend's. */
typedef struct {
  uint32_t token, code, handle, status;
} postern_completion;

/* The host functions. One that is not used is not imported, so a module asks for no more capabilities than it has calls. */
#define POSTERN_IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
POSTERN_IMPORT("postern/v1", "request_field") int postern_abi_request_field(int ex, int field, char *buf, int cap);
POSTERN_IMPORT("postern/v1", "request_header") int postern_abi_request_header(int ex, const char *name, int name_len, char *buf, int cap);
POSTERN_IMPORT("postern/v1", "request_body") int postern_abi_request_body(int ex);
POSTERN_IMPORT("postern/v1", "response_status") int postern_abi_response_status(int ex, int status);
POSTERN_IMPORT("postern/v1", "response_header") int postern_abi_response_header(int ex, const char *name, int name_len, const char *value, int value_len);
POSTERN_IMPORT("postern/v1", "response_write") int postern_abi_response_write(int ex, const char *ptr, int len);
POSTERN_IMPORT("postern/v1", "response_splice") int postern_abi_response_splice(int ex, int handle);
POSTERN_IMPORT("postern/v1", "response_error") int postern_abi_response_error(int ex, int status, const char *message, int len);
POSTERN_IMPORT("postern/v1", "response_end") int postern_abi_response_end(int ex);
POSTERN_IMPORT("postern/v1", "handle_new") int postern_abi_handle_new(int ex, const char *ptr, int len);
POSTERN_IMPORT("postern/v1", "handle_len") int64_t postern_abi_handle_len(int ex, int handle);
POSTERN_IMPORT("postern/v1", "handle_read") int postern_abi_handle_read(int ex, int handle, int64_t offset, char *buf, int cap);
POSTERN_IMPORT("postern/v1", "handle_drop") int postern_abi_handle_drop(int ex, int handle);
POSTERN_IMPORT("postern/v1", "json_get") int postern_abi_json_get(int ex, int handle, const char *pointer, int len, char *buf, int cap);
POSTERN_IMPORT("postern/v1", "json_transform") int postern_abi_json_transform(int ex, int handle, const char *program, int len);
POSTERN_IMPORT("postern/v1", "completions") int postern_abi_completions(postern_completion *buf, int max);
POSTERN_IMPORT("postern/v1", "wait") int postern_abi_wait(const uint32_t *tokens, int n, uint32_t milliseconds);
POSTERN_IMPORT("postern/v1", "cancel") int postern_abi_cancel(int token);
POSTERN_IMPORT("postern/v1", "sleep") int postern_abi_sleep(int ex, int milliseconds);
POSTERN_IMPORT("postern/v1", "log") void postern_abi_log(int level, const char *ptr, int len);
POSTERN_IMPORT("postern/v1", "now") int64_t postern_abi_now(void);
POSTERN_IMPORT("postern/v1", "settings") int postern_abi_settings(char *buf, int cap);
POSTERN_IMPORT("postern/v1", "last_error") int postern_abi_last_error(char *buf, int cap);
POSTERN_IMPORT("postern/v1", "error_of") int postern_abi_error_of(int ex, int token, char *buf, int cap);
POSTERN_IMPORT("postern.kube/v1", "call") int postern_abi_kube_call(int ex, const char *record, int len);
POSTERN_IMPORT("postern.kube/v1", "query") int postern_abi_kube_query(int ex, const char *record, int len);
POSTERN_IMPORT("postern.prometheus/v1", "call") int postern_abi_prometheus_call(int ex, const char *record, int len);
POSTERN_IMPORT("postern.http/v1", "call") int postern_abi_http_call(int ex, const char *record, int len);
POSTERN_IMPORT("postern.http/v1", "forward") int postern_abi_http_forward(int ex, const char *record, int len);
POSTERN_IMPORT("postern.access/v1", "call") int postern_abi_access_call(int ex, const char *record, int len);
POSTERN_IMPORT("postern.accounts/v1", "call") int postern_abi_accounts_call(int ex, const char *record, int len);

/* ---- Texts and memory --------------------------------------------------------------------------------------------- */

#ifndef POSTERN_ARENA
#define POSTERN_ARENA (256 << 10) /* bytes */
#endif

/* Bytes with a length; not terminated. len is a negated code when ptr is NULL and reading failed. */
typedef struct {
  const char *ptr;
  int len;
} postern_text;

/* What a request's texts and records lie in; POSTERN_SERVE empties it before each request. */
static char postern_arena[POSTERN_ARENA];
static int postern_arena_used;

/* postern_alloc is n bytes until the request ends; NULL when the arena is full. */
static inline char *postern_alloc(int n) {
  n = (n + 7) & ~7;
  if (n < 0 || n > POSTERN_ARENA - postern_arena_used) return 0;
  char *p = postern_arena + postern_arena_used;
  postern_arena_used += n;
  return p;
}

static inline int postern_strlen(const char *s) {
  int n = 0;
  while (s[n]) n++;
  return n;
}

static inline void postern_copy(char *to, const char *from, int n) {
  for (int i = 0; i < n; i++) to[i] = from[i];
}

/* postern_of is a C string as a text. */
static inline postern_text postern_of(const char *s) { return (postern_text){s, postern_strlen(s)}; }

/* postern_equal compares a text with a C string. */
static inline int postern_equal(postern_text t, const char *s) {
  int n = postern_strlen(s);
  if (t.len != n) return 0;
  for (int i = 0; i < n; i++)
    if (t.ptr[i] != s[i]) return 0;
  return 1;
}

/* postern_join is n texts in one. */
static inline postern_text postern_join(const postern_text *parts, int n) {
  int size = 0, at = 0;
  for (int i = 0; i < n; i++) size += parts[i].len > 0 ? parts[i].len : 0;
  char *to = postern_alloc(size);
  if (!to) return (postern_text){0, -POSTERN_TOO_LARGE};
  for (int i = 0; i < n; i++) {
    if (parts[i].len <= 0) continue;
    postern_copy(to + at, parts[i].ptr, parts[i].len);
    at += parts[i].len;
  }
  return (postern_text){to, at};
}

/* POSTERN_READ makes a text of a host function that reads: once into what is left of the arena. */
#define POSTERN_READ(call)                                                       \
  do {                                                                           \
    char *buf = postern_arena + postern_arena_used;                              \
    int cap = POSTERN_ARENA - postern_arena_used, n = (call);                    \
    if (n > cap) n = -POSTERN_TOO_LARGE;                                         \
    if (n < 0) return (postern_text){0, n};                                      \
    postern_alloc(n);                                                            \
    return (postern_text){buf, n};                                               \
  } while (0)

/* ---- The request -------------------------------------------------------------------------------------------------- */

/* postern_field is a POSTERN_FIELD_ of the request; empty when it has none. */
static inline postern_text postern_field(int ex, int field) { POSTERN_READ(postern_abi_request_field(ex, field, buf, cap)); }

/* postern_header is a request header; len is -POSTERN_NOT_FOUND without it. */
static inline postern_text postern_header(int ex, const char *name) {
  POSTERN_READ(postern_abi_request_header(ex, name, postern_strlen(name), buf, cap));
}

/* postern_settings are the module's settings, as JSON. */
static inline postern_text postern_settings(void) { POSTERN_READ(postern_abi_settings(buf, cap)); }

/* postern_last_error is why the last function failed. */
static inline postern_text postern_last_error(void) { POSTERN_READ(postern_abi_last_error(buf, cap)); }

/* postern_error_of is why a call failed. */
static inline postern_text postern_error_of(int ex, int token) { POSTERN_READ(postern_abi_error_of(ex, token, buf, cap)); }

static inline int postern_unhex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* postern_decode undoes a form's encoding: + and %XX. What is not encoded well stays as it is. */
static inline postern_text postern_decode(postern_text t) {
  char *to = postern_alloc(t.len);
  int n = 0;
  if (!to) return (postern_text){0, -POSTERN_TOO_LARGE};
  for (int i = 0; i < t.len; i++) {
    char c = t.ptr[i];
    if (c == '%' && i + 2 < t.len && postern_unhex(t.ptr[i + 1]) >= 0 && postern_unhex(t.ptr[i + 2]) >= 0) {
      c = (char)(postern_unhex(t.ptr[i + 1]) << 4 | postern_unhex(t.ptr[i + 2]));
      i += 2;
    } else if (c == '+') {
      c = ' ';
    }
    to[n++] = c;
  }
  return (postern_text){to, n};
}

/* postern_query is the first value of a query parameter, decoded; len is -POSTERN_NOT_FOUND without it. */
static inline postern_text postern_query(int ex, const char *name) {
  postern_text all = postern_field(ex, POSTERN_FIELD_QUERY);
  for (int at = 0; at < all.len;) {
    int end = at, eq;
    while (end < all.len && all.ptr[end] != '&') end++;
    for (eq = at; eq < end && all.ptr[eq] != '=';) eq++;
    if (postern_equal(postern_decode((postern_text){all.ptr + at, eq - at}), name))
      return eq < end ? postern_decode((postern_text){all.ptr + eq + 1, end - eq - 1}) : (postern_text){all.ptr, 0};
    at = end + 1;
  }
  return (postern_text){0, -POSTERN_NOT_FOUND};
}

/* ---- The answer --------------------------------------------------------------------------------------------------- */

static inline int postern_status(int ex, int status) { return postern_abi_response_status(ex, status); }

static inline int postern_set_header(int ex, const char *name, const char *value) {
  return postern_abi_response_header(ex, name, postern_strlen(name), value, postern_strlen(value));
}

static inline int postern_write_text(int ex, postern_text t) { return t.len < 0 ? t.len : postern_abi_response_write(ex, t.ptr, t.len); }

static inline int postern_write(int ex, const char *s) { return postern_write_text(ex, postern_of(s)); }

/* postern_write_quoted appends a text as a JSON string. */
static inline int postern_write_quoted(int ex, postern_text t) {
  static const char hex[] = "0123456789abcdef";
  int code = postern_write(ex, "\"");
  for (int at = 0; at <= t.len && code >= 0; at++) {
    int from = at;
    while (at < t.len && t.ptr[at] != '"' && t.ptr[at] != '\\' && (unsigned char)t.ptr[at] >= ' ') at++;
    if (at > from) code = postern_abi_response_write(ex, t.ptr + from, at - from);
    if (at >= t.len || code < 0) break;
    char c = t.ptr[at], escape[6] = {'\\', 'u', '0', '0', hex[(c >> 4) & 15], hex[c & 15]};
    if (c == '"' || c == '\\') escape[1] = c;
    code = postern_abi_response_write(ex, escape, c == '"' || c == '\\' ? 2 : 6);
  }
  return code < 0 ? code : postern_write(ex, "\"");
}

/* postern_splice appends what a handle holds; the bytes stay on the host. */
static inline int postern_splice(int ex, int handle) { return postern_abi_response_splice(ex, handle); }

/* postern_error replaces the answer by a Kubernetes Status, 400 to 599. */
static inline int postern_error(int ex, int status, const char *message) {
  return postern_abi_response_error(ex, status, message, postern_strlen(message));
}

/* ---- Calls -------------------------------------------------------------------------------------------------------- */

/* A record of a call's fields. {0} is an empty one. */
typedef struct {
  char *ptr;
  int len, cap, failed;
} postern_record;

/* postern_add_text adds a field. What does not fit makes the call fail with TOO_LARGE. */
static inline void postern_add_text(postern_record *r, uint32_t tag, postern_text value) {
  if (value.len < 0 || value.len > POSTERN_ARENA || r->failed) {
    r->failed = 1;
    return;
  }
  if (r->len + 8 + value.len > r->cap) {
    int cap = 2 * r->cap + 8 + value.len + 240;
    char *p = postern_alloc(cap);
    if (!p) {
      r->failed = 1;
      return;
    }
    postern_copy(p, r->ptr, r->len);
    r->ptr = p, r->cap = cap;
  }
  uint32_t head[2] = {tag, (uint32_t)value.len};
  postern_copy(r->ptr + r->len, (const char *)head, 8);
  postern_copy(r->ptr + r->len + 8, value.ptr, value.len);
  r->len += 8 + value.len;
}

static inline void postern_add(postern_record *r, uint32_t tag, const char *value) { postern_add_text(r, tag, postern_of(value)); }

/* postern_add_number adds a field in decimal, as handles, limits and milliseconds are. */
static inline void postern_add_number(postern_record *r, uint32_t tag, uint32_t value) {
  char digits[10];
  int at = 10;
  do digits[--at] = (char)('0' + value % 10);
  while (value /= 10);
  postern_add_text(r, tag, (postern_text){digits + at, 10 - at});
}

/* The services. Each starts a call and returns its token, or a negated code. */
static inline int postern_kube(int ex, const postern_record *r) {
  return r->failed ? -POSTERN_TOO_LARGE : postern_abi_kube_call(ex, r->ptr, r->len);
}
static inline int postern_kube_query(int ex, const postern_record *r) {
  return r->failed ? -POSTERN_TOO_LARGE : postern_abi_kube_query(ex, r->ptr, r->len);
}
static inline int postern_prometheus(int ex, const postern_record *r) {
  return r->failed ? -POSTERN_TOO_LARGE : postern_abi_prometheus_call(ex, r->ptr, r->len);
}
static inline int postern_http(int ex, const postern_record *r) {
  return r->failed ? -POSTERN_TOO_LARGE : postern_abi_http_call(ex, r->ptr, r->len);
}
static inline int postern_access(int ex, const postern_record *r) {
  return r->failed ? -POSTERN_TOO_LARGE : postern_abi_access_call(ex, r->ptr, r->len);
}
static inline int postern_accounts(int ex, const postern_record *r) {
  return r->failed ? -POSTERN_TOO_LARGE : postern_abi_accounts_call(ex, r->ptr, r->len);
}
static inline int postern_http_forward(int ex, const postern_record *r) {
  return r->failed ? -POSTERN_TOO_LARGE : postern_abi_http_forward(ex, r->ptr, r->len);
}

/* postern_await_all waits until n calls have ended, side by side, and puts how into out, in the order of tokens. A token
 * that is a negated code already becomes a completion with that code. No more than 64 at once. */
static inline void postern_await_all(const int *tokens, int n, postern_completion *out) {
  uint32_t started[64];
  int m = 0, taken = 1;
  for (int i = 0; i < n; i++) {
    out[i] = (postern_completion){0, tokens[i] < 0 ? (uint32_t)-tokens[i] : POSTERN_CANCELED, 0, 0};
    if (tokens[i] > 0 && m < 64) started[m++] = (uint32_t)tokens[i];
  }
  if (m) postern_abi_wait(started, m, 0xffffffffu);
  while (m && taken > 0) {
    postern_completion c;
    taken = postern_abi_completions(&c, 1);
    for (int i = 0; taken > 0 && i < n; i++)
      if (tokens[i] > 0 && (uint32_t)tokens[i] == c.token) out[i] = c, m--;
  }
}

/* postern_await waits for one call. */
static inline postern_completion postern_await(int token) {
  postern_completion c;
  postern_await_all(&token, 1, &c);
  return c;
}

/* postern_body reads the request's body to its end: its handle, or a negated code. */
static inline int postern_body(int ex) {
  postern_completion c = postern_await(postern_abi_request_body(ex));
  return c.code ? -(int)c.code : (int)c.handle;
}

/* postern_sleep waits. */
static inline int postern_sleep(int ex, int milliseconds) { return -(int)postern_await(postern_abi_sleep(ex, milliseconds)).code; }

/* ---- Data --------------------------------------------------------------------------------------------------------- */

/* postern_json_get is the value at a JSON Pointer: a string's text, or raw JSON; len is -POSTERN_NOT_FOUND without it. */
static inline postern_text postern_json_get(int ex, int handle, const char *pointer) {
  POSTERN_READ(postern_abi_json_get(ex, handle, pointer, postern_strlen(pointer), buf, cap));
}

/* postern_json_transform has the host make a new document: its handle, or a negated code. */
static inline int postern_json_transform(int ex, int handle, const char *program) {
  return postern_abi_json_transform(ex, handle, program, postern_strlen(program));
}

/* postern_read copies what a handle holds into the arena. */
static inline postern_text postern_read(int ex, int handle) {
  int64_t size = postern_abi_handle_len(ex, handle);
  char *buf = size < 0 || size > POSTERN_ARENA ? 0 : postern_alloc((int)size);
  if (!buf) return (postern_text){0, size < 0 ? (int)size : -POSTERN_TOO_LARGE};
  int n = postern_abi_handle_read(ex, handle, 0, buf, (int)size);
  return (postern_text){n < 0 ? 0 : buf, n};
}

/* postern_new hands bytes to the host: a handle, or a negated code. */
static inline int postern_new(int ex, postern_text t) { return postern_abi_handle_new(ex, t.ptr, t.len); }

/* postern_drop frees a handle before the request ends. */
static inline int postern_drop(int ex, int handle) { return postern_abi_handle_drop(ex, handle); }

/* ---- Others ------------------------------------------------------------------------------------------------------- */

/* postern_log writes a line to the gateway's log. */
static inline void postern_log(int level, const char *line) { postern_abi_log(level, line, postern_strlen(line)); }

/* postern_now is nanoseconds since 1970, UTC. */
static inline int64_t postern_now(void) { return postern_abi_now(); }

/* postern_fail answers with what a failed call means to a client. */
static inline int postern_fail(int ex, postern_completion c) {
  static const short statuses[] = {500, 500, 400, 404, 403, 413, 504, 500, 409, 503, 503, 500, 502};
  postern_text why = c.token ? postern_error_of(ex, (int)c.token) : postern_last_error();
  return postern_abi_response_error(ex, c.code <= POSTERN_UPSTREAM ? statuses[c.code] : 500, why.ptr, why.len < 0 ? 0 : why.len);
}

/* POSTERN_SERVE makes a function of yours answer every request. Use it once. */
#define POSTERN_SERVE(serve)                                                 \
  __attribute__((export_name("postern_handle"))) void postern_handle(int ex) { \
    postern_arena_used = 0;                                                  \
    serve(ex);                                                               \
  }

#endif
