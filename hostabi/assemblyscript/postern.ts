// Postern's module ABI v1 for guests in AssemblyScript: one file, for asc 0.27 or newer.
//
//   import { Request, serve } from "./postern";
//   export { postern_handle } from "./postern";
//   serve((r: Request): void => { r.write("hello\n"); });
//
// A guest in AssemblyScript is synchronous: an instance serves one request at a time, and the host keeps as many instances
// as it needs. ABI.md says what each function does. AssemblyScript has no exceptions: functions that may fail return a
// negated code, null, or an Answer that says so.
//
// SPDX-License-Identifier: Apache-2.0

// Codes of the host, positive.
export const OK: u32 = 0;
export const INTERNAL: u32 = 1;
export const BAD_ARGUMENT: u32 = 2;
export const NOT_FOUND: u32 = 3;
export const DENIED: u32 = 4;
export const TOO_LARGE: u32 = 5;
export const DEADLINE: u32 = 6;
export const CANCELED: u32 = 7;
export const CONFLICT: u32 = 8;
export const UNAVAILABLE: u32 = 9;
export const BUSY: u32 = 10;
export const GONE: u32 = 11;
export const UPSTREAM: u32 = 12;

// Fields of the request.
export const FIELD_METHOD: u32 = 1;
export const FIELD_PATH: u32 = 2;
export const FIELD_QUERY: u32 = 3;
export const FIELD_REQUEST_ID: u32 = 4;
export const FIELD_VERB: u32 = 5;
export const FIELD_GROUP: u32 = 6;
export const FIELD_VERSION: u32 = 7;
export const FIELD_CLUSTER: u32 = 8;
export const FIELD_WORKSPACE: u32 = 9;
export const FIELD_NAMESPACE: u32 = 10;
export const FIELD_DEV_OPS: u32 = 11;
export const FIELD_RESOURCE: u32 = 12;
export const FIELD_SUBRESOURCE: u32 = 13;
export const FIELD_NAME: u32 = 14;
export const FIELD_SCOPE: u32 = 15;
export const FIELD_USER: u32 = 16;
export const FIELD_USER_UID: u32 = 17;
export const FIELD_USER_GROUPS: u32 = 18;
export const FIELD_MODULE_PATH: u32 = 19;
export const FIELD_MODULE_RAW_PATH: u32 = 20;
export const FIELD_REMOTE_ADDRESS: u32 = 21;

// Tags of a call's record.
export const TAG_OPERATION: u32 = 1;
export const TAG_TIMEOUT: u32 = 2;
export const TAG_BODY: u32 = 3;
export const TAG_BODY_HANDLE: u32 = 4;
export const TAG_GROUP: u32 = 10;
export const TAG_VERSION: u32 = 11;
export const TAG_RESOURCE: u32 = 12;
export const TAG_NAMESPACE: u32 = 13;
export const TAG_NAME: u32 = 14;
export const TAG_SUBRESOURCE: u32 = 15;
export const TAG_LABEL_SELECTOR: u32 = 16;
export const TAG_FIELD_SELECTOR: u32 = 17;
export const TAG_AS: u32 = 18;
export const TAG_SOURCE: u32 = 19;
export const TAG_PATCH_TYPE: u32 = 20;
export const TAG_LIMIT: u32 = 21;
export const TAG_CONTINUE: u32 = 22;
export const TAG_EXPR: u32 = 30;
export const TAG_TIME: u32 = 31;
export const TAG_START: u32 = 32;
export const TAG_END: u32 = 33;
export const TAG_STEP: u32 = 34;
export const TAG_MATCH: u32 = 35;
export const TAG_LABEL: u32 = 36;
export const TAG_METRIC: u32 = 37;
export const TAG_BACKEND: u32 = 40;
export const TAG_METHOD: u32 = 41;
export const TAG_PATH: u32 = 42;
export const TAG_HEADER: u32 = 43;
export const TAG_DROP_HEADER: u32 = 44;
export const TAG_URL: u32 = 45;
export const TAG_DRY_RUN: u32 = 23;
export const TAG_QUERY: u32 = 50;
export const TAG_FILTER: u32 = 51;
export const TAG_KNOWN: u32 = 52;
export const TAG_ONLY: u32 = 53;
export const TAG_EXCEPT: u32 = 54;
export const TAG_DROP: u32 = 55;
export const TAG_BY: u32 = 56;
export const TAG_VERB: u32 = 60;
export const TAG_SCOPE: u32 = 61;
export const TAG_WORKSPACE: u32 = 62;
export const TAG_DEV_OPS: u32 = 63;
export const TAG_USER: u32 = 64;
export const TAG_USER_GROUP: u32 = 65;
export const TAG_KIND: u32 = 66;
export const TAG_PASSWORD: u32 = 67;
export const TAG_KEEP: u32 = 68;

// Log levels.
export const LEVEL_DEBUG: u32 = 0;
export const LEVEL_INFO: u32 = 1;
export const LEVEL_WARN: u32 = 2;
export const LEVEL_ERROR: u32 = 3;

// The host functions as they are. One that is not used is not imported, so a module asks for no more capabilities than it
// has calls.
export namespace abi {
  // @ts-ignore: decorator
  @external("postern/v1", "request_field")
  export declare function request_field(ex: u32, field: u32, buf: usize, cap: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "request_header")
  export declare function request_header(ex: u32, name: usize, nameLen: i32, buf: usize, cap: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "request_body")
  export declare function request_body(ex: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "response_status")
  export declare function response_status(ex: u32, status: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "response_header")
  export declare function response_header(ex: u32, name: usize, nameLen: i32, value: usize, valueLen: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "response_write")
  export declare function response_write(ex: u32, ptr: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "response_splice")
  export declare function response_splice(ex: u32, handle: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "response_error")
  export declare function response_error(ex: u32, status: u32, message: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "response_end")
  export declare function response_end(ex: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "handle_new")
  export declare function handle_new(ex: u32, ptr: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "handle_len")
  export declare function handle_len(ex: u32, handle: u32): i64;
  // @ts-ignore: decorator
  @external("postern/v1", "handle_read")
  export declare function handle_read(ex: u32, handle: u32, offset: i64, buf: usize, cap: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "handle_drop")
  export declare function handle_drop(ex: u32, handle: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "json_get")
  export declare function json_get(ex: u32, handle: u32, pointer: usize, len: i32, buf: usize, cap: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "json_transform")
  export declare function json_transform(ex: u32, handle: u32, program: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "completions")
  export declare function completions(buf: usize, max: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "wait")
  export declare function wait(tokens: usize, n: i32, milliseconds: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "cancel")
  export declare function cancel(token: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "sleep")
  export declare function sleep(ex: u32, milliseconds: u32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "log")
  export declare function log(level: u32, ptr: usize, len: i32): void;
  // @ts-ignore: decorator
  @external("postern/v1", "now")
  export declare function now(): i64;
  // @ts-ignore: decorator
  @external("postern/v1", "settings")
  export declare function settings(buf: usize, cap: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "last_error")
  export declare function last_error(buf: usize, cap: i32): i32;
  // @ts-ignore: decorator
  @external("postern/v1", "error_of")
  export declare function error_of(ex: u32, token: u32, buf: usize, cap: i32): i32;
  // @ts-ignore: decorator
  @external("postern.kube/v1", "call")
  export declare function kube_call(ex: u32, record: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern.kube/v1", "query")
  export declare function kube_query(ex: u32, record: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern.prometheus/v1", "call")
  export declare function prometheus_call(ex: u32, record: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern.http/v1", "call")
  export declare function http_call(ex: u32, record: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern.http/v1", "forward")
  export declare function http_forward(ex: u32, record: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern.access/v1", "call")
  export declare function access_call(ex: u32, record: usize, len: i32): i32;
  // @ts-ignore: decorator
  @external("postern.accounts/v1", "call")
  export declare function accounts_call(ex: u32, record: usize, len: i32): i32;
}

// What host functions read into; it grows, and is the instance's.
let scratch = new ArrayBuffer(1024);

function room(n: i32): void {
  if (n > scratch.byteLength) scratch = new ArrayBuffer(n);
}

function at(): usize {
  return changetype<usize>(scratch);
}

function taken(n: i32): string {
  return n < 0 ? "" : String.UTF8.decodeUnsafe(at(), n);
}

function utf8(s: string): ArrayBuffer {
  return String.UTF8.encode(s);
}

/** Why the last host function failed. */
export function lastError(): string {
  const n = abi.last_error(at(), scratch.byteLength);
  if (n <= scratch.byteLength) return taken(n);
  room(n);
  return taken(abi.last_error(at(), scratch.byteLength));
}

/** Writes a line to the gateway's log. */
export function log(level: u32, line: string): void {
  const b = utf8(line);
  abi.log(level, changetype<usize>(b), b.byteLength);
}

/** Nanoseconds since 1970, UTC. */
export function now(): i64 {
  return abi.now();
}

/** The module's settings from the configuration, as JSON. */
export function settings(): string {
  const n = abi.settings(at(), scratch.byteLength);
  if (n <= scratch.byteLength) return taken(n);
  room(n);
  return taken(abi.settings(at(), scratch.byteLength));
}

/** The arguments of a call. Nothing in a value can become another field. Numbers are decimal text. */
export class Record {
  bytes: Array<u8> = [];

  static operation(name: string): Record {
    return new Record().add(TAG_OPERATION, name);
  }

  add(tag: u32, value: string): Record {
    return this.addBytes(tag, utf8(value));
  }

  addBytes(tag: u32, value: ArrayBuffer): Record {
    this.number(tag);
    this.number(<u32>value.byteLength);
    for (let i = 0; i < value.byteLength; i++) this.bytes.push(load<u8>(changetype<usize>(value) + i));
    return this;
  }

  private number(n: u32): void {
    for (let shift = 0; shift < 32; shift += 8) this.bytes.push(<u8>(n >> shift));
  }
}

/** How a call ended: code is OK, or why is the reason. status is the backend's HTTP status, 0 if none. */
export class Answer {
  code: u32 = OK;
  status: u32 = 0;
  why: string = "";
  data: Data;

  constructor(ex: u32) {
    this.data = new Data(ex, 0);
  }

  get ok(): bool {
    return this.code == OK;
  }
}

/** A call under way. Calls that are started before the first is waited for run side by side. */
export class Call {
  constructor(private ex: u32, private token: i32) {}

  /** Waits for the call's end. Other calls go on meanwhile. */
  wait(): Answer {
    const a = new Answer(this.ex);
    if (this.token < 0) {
      a.code = -this.token;
      a.why = lastError();
      return a;
    }
    store<u32>(at(), <u32>this.token);
    abi.wait(at(), 1, u32.MAX_VALUE);
    while (abi.completions(at(), 1) > 0) {
      const p = at();
      early.push(new Completion(load<u32>(p), load<u32>(p, 4), load<u32>(p, 8), load<u32>(p, 12)));
    }
    a.code = CANCELED;
    for (let i = 0; i < early.length; i++) {
      const c = early[i];
      if (c.token != <u32>this.token) continue;
      early.splice(i, 1);
      a.code = c.code;
      a.status = c.status;
      a.data.handle = c.handle;
      break;
    }
    if (a.code != OK) a.why = this.reason();
    return a;
  }

  /** Gives the call up. */
  cancel(): void {
    if (this.token > 0) abi.cancel(this.token);
  }

  private reason(): string {
    const n = abi.error_of(this.ex, this.token, at(), scratch.byteLength);
    if (n <= scratch.byteLength) return taken(n);
    room(n);
    return taken(abi.error_of(this.ex, this.token, at(), scratch.byteLength));
  }
}

class Completion {
  constructor(public token: u32, public code: u32, public handle: u32, public status: u32) {}
}

// Completions that were read before anybody waited for them.
const early: Array<Completion> = [];

/** Bytes that the host keeps until the request ends: a body, an object, a list. */
export class Data {
  constructor(private ex: u32, public handle: u32) {}

  get length(): i64 {
    return abi.handle_len(this.ex, this.handle);
  }

  /** Copies all of it into the module as text. That is what splice, get and transform are there to avoid. */
  text(): string {
    const n = this.length;
    if (n <= 0 || n > i32.MAX_VALUE) return "";
    room(<i32>n);
    return taken(abi.handle_read(this.ex, this.handle, 0, at(), <i32>n));
  }

  /** The value at a JSON Pointer: a string's text, or raw JSON; null when there is none. */
  get(pointer: string): string | null {
    const p = utf8(pointer);
    let n = abi.json_get(this.ex, this.handle, changetype<usize>(p), p.byteLength, at(), scratch.byteLength);
    if (n > scratch.byteLength) {
      room(n);
      n = abi.json_get(this.ex, this.handle, changetype<usize>(p), p.byteLength, at(), scratch.byteLength);
    }
    return n < 0 ? null : taken(n);
  }

  /** A new document, made by the host; null when it cannot be made: see lastError. */
  transform(program: string): Data | null {
    const p = utf8(program);
    const n = abi.json_transform(this.ex, this.handle, changetype<usize>(p), p.byteLength);
    return n < 0 ? null : new Data(this.ex, n);
  }

  /** Frees it before the request ends. */
  drop(): void {
    abi.handle_drop(this.ex, this.handle);
  }
}

/** One request and its answer. */
export class Request {
  constructor(private ex: u32) {}

  /** A FIELD_ of the request; empty when it has none. */
  field(field: u32): string {
    const n = abi.request_field(this.ex, field, at(), scratch.byteLength);
    if (n <= scratch.byteLength) return taken(n);
    room(n);
    return taken(abi.request_field(this.ex, field, at(), scratch.byteLength));
  }

  get method(): string {
    return this.field(FIELD_METHOD);
  }

  /** The decoded path behind /kapis/<group>. */
  get path(): string {
    return this.field(FIELD_MODULE_PATH);
  }

  /** The name of who asks. */
  get user(): string {
    return this.field(FIELD_USER);
  }

  /** The groups of who asks. */
  get groups(): string[] {
    const text = this.field(FIELD_USER_GROUPS);
    return text.length == 0 ? [] : text.split("\n");
  }

  /** A request header's value, several joined by ", "; null without it. Credentials are never there. */
  header(name: string): string | null {
    const b = utf8(name);
    let n = abi.request_header(this.ex, changetype<usize>(b), b.byteLength, at(), scratch.byteLength);
    if (n > scratch.byteLength) {
      room(n);
      n = abi.request_header(this.ex, changetype<usize>(b), b.byteLength, at(), scratch.byteLength);
    }
    return n < 0 ? null : taken(n);
  }

  /** The first value of a query parameter, decoded; null without it. */
  query(name: string): string | null {
    const pairs = this.field(FIELD_QUERY).split("&");
    for (let i = 0; i < pairs.length; i++) {
      const pair = pairs[i];
      const eq = pair.indexOf("=");
      if (pair.length > 0 && decode(eq < 0 ? pair : pair.slice(0, eq)) == name) return eq < 0 ? "" : decode(pair.slice(eq + 1));
    }
    return null;
  }

  /** Reads the request's body to its end, up to the module's limit. */
  body(): Answer {
    return new Call(this.ex, abi.request_body(this.ex)).wait();
  }

  /** Hands text to the host; null when it has no room. */
  data(text: string): Data | null {
    const b = utf8(text);
    const n = abi.handle_new(this.ex, changetype<usize>(b), b.byteLength);
    return n < 0 ? null : new Data(this.ex, n);
  }

  /** The answer's status, 200 to 599; 200 unless set. */
  status(status: u32): i32 {
    return abi.response_status(this.ex, status);
  }

  /** Sets a header of the answer. */
  setHeader(name: string, value: string): i32 {
    const n = utf8(name), v = utf8(value);
    return abi.response_header(this.ex, changetype<usize>(n), n.byteLength, changetype<usize>(v), v.byteLength);
  }

  /** Appends text to the answer's body. */
  write(text: string): i32 {
    const b = utf8(text);
    return abi.response_write(this.ex, changetype<usize>(b), b.byteLength);
  }

  /** Appends what the host keeps; the bytes do not pass through the module. */
  splice(data: Data): i32 {
    return abi.response_splice(this.ex, data.handle);
  }

  /** Sets the content type and appends text that is JSON already. */
  json(text: string): i32 {
    this.setHeader("Content-Type", "application/json");
    return this.write(text);
  }

  /** Replaces the answer by a Kubernetes Status, 400 to 599. */
  error(status: u32, message: string): i32 {
    const b = utf8(message);
    return abi.response_error(this.ex, status, changetype<usize>(b), b.byteLength);
  }

  /** Answers with what a failed call means to a client. */
  fail(a: Answer): i32 {
    const statuses: StaticArray<u32> = [500, 500, 400, 404, 403, 413, 504, 500, 409, 503, 503, 500, 502];
    return this.error(a.code < <u32>statuses.length ? statuses[a.code] : 500, a.why);
  }

  /** Sends the answer before the handler returns. The request and its data are gone then. */
  end(): i32 {
    return abi.response_end(this.ex);
  }

  /** Asks Kubernetes. */
  kube(r: Record): Call {
    return new Call(this.ex, abi.kube_call(this.ex, r.bytes.dataStart, r.bytes.length));
  }

  /** Asks a list as a client's query does: filters, order, a page. */
  kubeQuery(r: Record): Call {
    return new Call(this.ex, abi.kube_query(this.ex, r.bytes.dataStart, r.bytes.length));
  }

  /** Asks what a user may do. */
  access(r: Record): Call {
    return new Call(this.ex, abi.access_call(this.ex, r.bytes.dataStart, r.bytes.length));
  }

  /** Works with passwords and sessions. */
  accounts(r: Record): Call {
    return new Call(this.ex, abi.accounts_call(this.ex, r.bytes.dataStart, r.bytes.length));
  }

  /** Asks Prometheus. The answer is the `data` member of Prometheus' own. */
  prometheus(r: Record): Call {
    return new Call(this.ex, abi.prometheus_call(this.ex, r.bytes.dataStart, r.bytes.length));
  }

  /** Calls a configured backend. A status of 400 or more is no failure. */
  http(r: Record): Call {
    return new Call(this.ex, abi.http_call(this.ex, r.bytes.dataStart, r.bytes.length));
  }

  /** Passes the whole exchange to a backend, streaming both ways. Return after it when it is ok. */
  forward(r: Record): Answer {
    return new Call(this.ex, abi.http_forward(this.ex, r.bytes.dataStart, r.bytes.length)).wait();
  }

  /** Waits. */
  sleep(milliseconds: u32): Answer {
    return new Call(this.ex, abi.sleep(this.ex, milliseconds)).wait();
  }
}

function hex(c: i32): i32 {
  if (c >= 48 && c <= 57) return c - 48;
  c |= 32;
  return c >= 97 && c <= 102 ? c - 87 : -1;
}

// decode undoes a form's encoding: + and %XX.
function decode(s: string): string {
  const from = utf8(s), n = from.byteLength;
  const to = new Uint8Array(n);
  let size = 0;
  for (let i = 0; i < n; i++) {
    const p = changetype<usize>(from) + i;
    let c = load<u8>(p);
    if (c == 37 && i + 2 < n && hex(load<u8>(p, 1)) >= 0 && hex(load<u8>(p, 2)) >= 0) {
      c = <u8>((hex(load<u8>(p, 1)) << 4) | hex(load<u8>(p, 2)));
      i += 2;
    } else if (c == 43) {
      c = 32;
    }
    to[size++] = c;
  }
  return String.UTF8.decodeUnsafe(to.dataStart, size);
}

/** A text as a JSON string. */
export function quote(s: string): string {
  let out = '"';
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c == 34 || c == 92) out += "\\" + s.charAt(i);
    else if (c < 32) out += "\\u" + c.toString(16).padStart(4, "0");
    else out += s.charAt(i);
  }
  return out + '"';
}

let handler: (r: Request) => void = (r: Request): void => {
  r.error(500, "the module serves nothing: call serve");
};

/** Makes a function of yours answer every request. Call it once, at the top of your module. */
export function serve(f: (r: Request) => void): void {
  handler = f;
}

/** The module's export; export it again from your own file. */
export function postern_handle(ex: u32): void {
  early.length = 0;
  handler(new Request(ex));
}

/** What AssemblyScript calls before it traps: a failed assertion, an index out of bounds. `postern module build` sees to it. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message === null ? "" : message, where = file === null ? "" : file;
  log(LEVEL_ERROR, "abort: " + what + " at " + where + ":" + line.toString() + ":" + column.toString());
  unreachable();
}
