// Uses all of postern.h: see requests.http.
#include "postern.h"

// Every function, so that the loader compares every signature.
void *volatile all[] = {
    postern_abi_request_field, postern_abi_request_header, postern_abi_request_body, postern_abi_response_status, postern_abi_response_header,
    postern_abi_response_write, postern_abi_response_splice, postern_abi_response_error, postern_abi_response_end, postern_abi_handle_new,
    postern_abi_handle_len, postern_abi_handle_read, postern_abi_handle_drop, postern_abi_json_get, postern_abi_json_transform,
    postern_abi_completions, postern_abi_wait, postern_abi_cancel, postern_abi_sleep, postern_abi_log, postern_abi_now, postern_abi_settings,
    postern_abi_last_error, postern_abi_error_of, postern_abi_kube_call, postern_abi_prometheus_call, postern_abi_http_call,
    postern_abi_http_forward,
};

static void member(int ex, const char *name, postern_text value) {
  postern_write(ex, name);
  postern_write_quoted(ex, value.len < 0 ? postern_of("") : value);
}

static void facts(int ex) {
  postern_text groups = postern_field(ex, POSTERN_FIELD_USER_GROUPS);
  for (int i = 0; i < groups.len; i++)
    if (groups.ptr[i] == '\n') ((char *)groups.ptr)[i] = ',';
  int settings = postern_new(ex, postern_settings());
  member(ex, "{\"user\":", postern_field(ex, POSTERN_FIELD_USER));
  member(ex, ",\"groups\":", groups);
  member(ex, ",\"header\":", postern_header(ex, "X-A"));
  member(ex, ",\"none\":", postern_header(ex, "X-None"));
  member(ex, ",\"query\":", postern_query(ex, "name"));
  member(ex, ",\"setting\":", postern_json_get(ex, settings, "/language"));
  member(ex, ",\"field\":", postern_field(ex, POSTERN_FIELD_METHOD));
  postern_write(ex, "}");
  postern_drop(ex, settings);
}

static void transform(int ex) {
  int body = postern_body(ex);
  int made = postern_json_transform(ex, body, "[{\"get\":\"/items\"},{\"where\":{\"at\":\"/k\",\"equals\":1}},{\"sort\":{\"by\":\"/n\"}},{\"pick\":[\"/n\"]}]");
  postern_text rows = postern_json_get(ex, body, "/rows");
  postern_abi_response_header(ex, "X-Rows", 6, rows.ptr, rows.len);
  postern_status(ex, 201);
  postern_splice(ex, made);
}

static postern_record request(const char *backend, const char *path) {
  postern_record r = {0};
  postern_add(&r, POSTERN_TAG_BACKEND, backend);
  postern_add(&r, POSTERN_TAG_PATH, path);
  return r;
}

static void calls(int ex) {
  postern_record one = request("echo", "/one?x=1"), two = request("echo", "/two");
  postern_add(&one, POSTERN_TAG_METHOD, "POST");
  postern_add_number(&one, POSTERN_TAG_TIMEOUT, 5000);
  int tokens[] = {postern_http(ex, &two), postern_http(ex, &one)};
  postern_completion done[2];
  postern_await_all(tokens, 2, done);
  postern_write(ex, "two|");
  postern_splice(ex, (int)done[0].handle);
  postern_write(ex, "|one|");
  postern_splice(ex, (int)done[1].handle);
  postern_write(ex, "|");
}

static void serve(int ex) {
  postern_text path = postern_field(ex, POSTERN_FIELD_MODULE_PATH);
  postern_record r;
  if (postern_equal(path, "/v1/facts")) {
    facts(ex);
  } else if (postern_equal(path, "/v1/transform")) {
    transform(ex);
  } else if (postern_equal(path, "/v1/copy")) {
    postern_write_text(ex, postern_read(ex, postern_body(ex)));
  } else if (postern_equal(path, "/v1/calls")) {
    calls(ex);
  } else if (postern_equal(path, "/v1/missing")) {
    r = request("nowhere", "/");
    postern_fail(ex, postern_await(postern_http(ex, &r)));
  } else if (postern_equal(path, "/v1/refused")) {
    r = (postern_record){0};
    postern_add(&r, POSTERN_TAG_BACKEND, "echo");
    postern_add(&r, POSTERN_TAG_TIMEOUT, "soon");
    postern_fail(ex, postern_await(postern_http(ex, &r)));
  } else if (postern_equal(path, "/v1/sleep")) {
    postern_status(ex, postern_sleep(ex, 1) == 0 && postern_now() > 0 ? 204 : 500);
  } else {
    r = request("echo", "/passed");
    postern_await(postern_http_forward(ex, &r));
  }
}

POSTERN_SERVE(serve)
