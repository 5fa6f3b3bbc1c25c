// Uses all of postern.ts: see requests.http.
import {
  Record, Request, TAG_BACKEND, TAG_METHOD, TAG_PATH, TAG_TIMEOUT, abi, now, quote, serve, settings,
} from "./postern";
export { postern_handle } from "./postern";

// Every function, so that the loader compares every signature.
export function all(): i64 {
  abi.log(0, 0, 0);
  return (
    abi.request_field(0, 0, 0, 0) + abi.request_header(0, 0, 0, 0, 0) + abi.request_body(0) + abi.response_status(0, 0) +
    abi.response_header(0, 0, 0, 0, 0) + abi.response_write(0, 0, 0) + abi.response_splice(0, 0) + abi.response_error(0, 0, 0, 0) +
    abi.response_end(0) + abi.handle_new(0, 0, 0) + abi.handle_len(0, 0) + abi.handle_read(0, 0, 0, 0, 0) + abi.handle_drop(0, 0) +
    abi.json_get(0, 0, 0, 0, 0, 0) + abi.json_transform(0, 0, 0, 0) + abi.completions(0, 0) + abi.wait(0, 0, 0) + abi.cancel(0) +
    abi.sleep(0, 0) + abi.now() + abi.settings(0, 0) + abi.last_error(0, 0) + abi.error_of(0, 0, 0, 0) + abi.kube_call(0, 0, 0) +
    abi.prometheus_call(0, 0, 0) + abi.http_call(0, 0, 0) + abi.http_forward(0, 0, 0)
  );
}

function request(backend: string, path: string): Record {
  return new Record().add(TAG_BACKEND, backend).add(TAG_PATH, path);
}

function or(s: string | null): string {
  return s === null ? "" : s;
}

function facts(r: Request): void {
  const s = r.data(settings());
  const setting = s === null ? "" : or(s.get("/language"));
  r.json(
    '{"user":' + quote(r.user) + ',"groups":' + quote(r.groups.join(",")) + ',"header":' + quote(or(r.header("X-A"))) +
    ',"none":' + quote(or(r.header("X-None"))) + ',"query":' + quote(or(r.query("name"))) + ',"setting":' + quote(setting) +
    ',"field":' + quote(r.method) + "}",
  );
}

function transform(r: Request): void {
  const body = r.body();
  const made = body.data.transform('[{"get":"/items"},{"where":{"at":"/k","equals":1}},{"sort":{"by":"/n"}},{"pick":["/n"]}]');
  r.setHeader("X-Rows", or(body.data.get("/rows")));
  r.status(201);
  if (made !== null) r.splice(made);
}

function calls(r: Request): void {
  const one = r.http(request("echo", "/one?x=1").add(TAG_METHOD, "POST").add(TAG_TIMEOUT, "5000"));
  const two = r.http(request("echo", "/two"));
  r.write("two|");
  r.splice(two.wait().data);
  r.write("|one|");
  r.splice(one.wait().data);
  r.write("|");
}

serve((r: Request): void => {
  const path = r.path;
  if (path == "/v1/facts") facts(r);
  else if (path == "/v1/transform") transform(r);
  else if (path == "/v1/copy") r.write(r.body().data.text());
  else if (path == "/v1/calls") calls(r);
  else if (path == "/v1/missing") r.fail(r.http(request("nowhere", "/")).wait());
  else if (path == "/v1/refused") r.fail(r.http(new Record().add(TAG_BACKEND, "echo").add(TAG_TIMEOUT, "soon")).wait());
  else if (path == "/v1/sleep") r.status(r.sleep(1).ok && now() > 0 ? 204 : 500);
  else r.forward(request("echo", "/passed"));
});
