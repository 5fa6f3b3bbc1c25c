// A guest of the http-wasm handler ABI that does what its configuration says, line by line:
//
//	PHASE OP ARGUMENT...
//
// PHASE is start, req (handle_request) or res (handle_response). What functions return gathers in a text, which `out`
// makes a header's value. See run for the OPs.
//
// clang --target=wasm32 -nostdlib -Os -mbulk-memory -Wl,--no-entry,-s -o script.wasm script.c
typedef unsigned int u32;
typedef unsigned long long u64;

#define HOST(name) __attribute__((import_module("http_handler"), import_name(#name)))
HOST(enable_features) u32 enable_features(u32);
HOST(get_config) u32 get_config(char *, u32);
HOST(log) void log_line(int, const char *, u32);
HOST(log_enabled) u32 log_enabled(int);
HOST(get_method) u32 get_method(char *, u32);
HOST(set_method) void set_method(const char *, u32);
HOST(get_uri) u32 get_uri(char *, u32);
HOST(set_uri) void set_uri(const char *, u32);
HOST(get_protocol_version) u32 get_protocol_version(char *, u32);
HOST(get_source_addr) u32 get_source_addr(char *, u32);
HOST(get_header_names) u64 get_header_names(u32, char *, u32);
HOST(get_header_values) u64 get_header_values(u32, const char *, u32, char *, u32);
HOST(set_header_value) void set_header_value(u32, const char *, u32, const char *, u32);
HOST(add_header_value) void add_header_value(u32, const char *, u32, const char *, u32);
HOST(remove_header) void remove_header(u32, const char *, u32);
HOST(read_body) u64 read_body(u32, char *, u32);
HOST(write_body) void write_body(u32, const char *, u32);
HOST(get_status_code) u32 get_status_code(void);
HOST(set_status_code) void set_status_code(u32);

enum { room = 1 << 16 };
static char script[room], out[room], buffer[room];
static u32 script_len, out_len, limit = room, calls;
static u64 result; // of handle_request
static u32 ctx, is_error;

typedef struct { const char *p; u32 n; } text;

static void say(const char *p, u32 n) {
  for (u32 i = 0; i < n && out_len < room; i++) out[out_len++] = p[i] && p[i] != '\n' ? p[i] : ',';
}

static void say_number(u32 v) {
  char digits[10];
  u32 n = 0;
  do digits[n++] = '0' + v % 10; while (v /= 10);
  while (n) say(&digits[--n], 1);
}

static u32 number(text t) {
  u32 v = 0, sign = 0;
  for (u32 i = 0; i < t.n; i++) {
    if (t.p[i] == '-') sign = 1;
    else v = v * 10 + (t.p[i] - '0');
  }
  return sign ? -v : v;
}

static int is(text t, const char *s) {
  u32 i = 0;
  for (; i < t.n && s[i]; i++)
    if (t.p[i] != s[i]) return 0;
  return i == t.n && !s[i];
}

// got says a value that has been written to buffer if it fitted, and its length else.
static void got(u32 n) {
  if (n <= limit) say(buffer, n);
  else say("!", 1), say_number(n);
}

static void got_list(u64 r) {
  say_number(r >> 32);
  say(":", 1);
  got((u32)r);
}

static u32 got_body(u32 kind, u32 n) {
  u64 r = read_body(kind, buffer, n);
  say(buffer, (u32)r);
  if (r >> 32) say("$", 1);
  return r >> 32;
}

static void run(text op, text a, text b, text c) {
  if (is(op, "enable")) say_number(enable_features(number(a)));
  else if (is(op, "say")) say(a.p, a.n);
  else if (is(op, "limit")) limit = number(a);
  else if (is(op, "config")) got(get_config(buffer, limit));
  else if (is(op, "method")) got(get_method(buffer, limit));
  else if (is(op, "set_method")) set_method(a.p, a.n);
  else if (is(op, "uri")) got(get_uri(buffer, limit));
  else if (is(op, "set_uri")) set_uri(a.p, a.n);
  else if (is(op, "uriout")) set_uri(out, out_len), out_len = 0;
  else if (is(op, "version")) got(get_protocol_version(buffer, limit));
  else if (is(op, "addr")) got(get_source_addr(buffer, limit));
  else if (is(op, "names")) got_list(get_header_names(number(a), buffer, limit));
  else if (is(op, "values")) got_list(get_header_values(number(a), b.p, b.n, buffer, limit));
  else if (is(op, "set")) set_header_value(number(a), b.p, b.n, c.p, c.n);
  else if (is(op, "add")) add_header_value(number(a), b.p, b.n, c.p, c.n);
  else if (is(op, "del")) remove_header(number(a), b.p, b.n);
  else if (is(op, "out")) set_header_value(number(a), b.p, b.n, out, out_len), out_len = 0;
  else if (is(op, "read")) got_body(number(a), number(b));
  else if (is(op, "readall")) while (!got_body(number(a), 4096)) {}
  else if (is(op, "write")) write_body(number(a), b.p, b.n);
  else if (is(op, "writeout")) write_body(number(a), out, out_len), out_len = 0;
  else if (is(op, "status")) say_number(get_status_code());
  else if (is(op, "set_status")) set_status_code(number(a));
  else if (is(op, "log")) log_line((int)number(a), b.p, b.n);
  else if (is(op, "log_enabled")) say_number(log_enabled((int)number(a)));
  else if (is(op, "next")) result = 1 | (u64)number(a) << 32;
  else if (is(op, "stop")) result = 0 | (u64)number(a) << 32;
  else if (is(op, "ctx")) say_number(ctx);
  else if (is(op, "error")) say_number(is_error);
  else if (is(op, "calls")) say_number(calls);
  else if (is(op, "wild")) get_method((char *)0xfffffff0u, room);
  else if (is(op, "trap")) __builtin_trap();
  else if (is(op, "spin")) for (volatile u32 i = 0;; i++) {}
  else if (is(op, "grow")) while (__builtin_wasm_memory_grow(0, 16) != (unsigned long)-1) {}
  else __builtin_trap();
}

static text word(u32 *at) {
  while (*at < script_len && (script[*at] == ' ' || script[*at] == '\t')) ++*at;
  text t = {script + *at, 0};
  while (*at < script_len && script[*at] != ' ' && script[*at] != '\n') ++*at, t.n++;
  return t;
}

static void phase(const char *name) {
  for (u32 at = 0; at < script_len; at++) {
    text p = word(&at), op = word(&at), a = word(&at), b = word(&at), c = word(&at);
    while (at < script_len && script[at] != '\n') at++;
    if (is(p, name)) run(op, a, b, c);
  }
}

__attribute__((export_name("_initialize"))) void initialize(void) {
  script_len = get_config(script, room);
  if (script_len > room) __builtin_trap();
  phase("start");
}

__attribute__((export_name("handle_request"))) u64 handle_request(void) {
  out_len = 0, limit = room, result = 1, calls++;
  phase("req");
  return result;
}

__attribute__((export_name("handle_response"))) void handle_response(u32 request_ctx, u32 error) {
  ctx = request_ctx, is_error = error;
  phase("res");
}
