//! Postern's module ABI v1 for guests in Rust: one file without dependencies, for wasm32-unknown-unknown, rustc 1.63 or newer.
//!
//!     mod postern;
//!     use postern::{Fail, Request};
//!     fn serve(r: &Request) -> Result<(), Fail> { r.write("hello\n") }
//!     postern::serve!(serve);
//!
//! A guest in Rust is synchronous: an instance serves one request at a time, and the host keeps as many instances as it
//! needs. ABI.md says what each function does.
//!
//! SPDX-License-Identifier: Apache-2.0
#![allow(dead_code)]

use std::fmt;

// Codes of the host, positive.
pub const OK: u32 = 0;
pub const INTERNAL: u32 = 1;
pub const BAD_ARGUMENT: u32 = 2;
pub const NOT_FOUND: u32 = 3;
pub const DENIED: u32 = 4;
pub const TOO_LARGE: u32 = 5;
pub const DEADLINE: u32 = 6;
pub const CANCELED: u32 = 7;
pub const CONFLICT: u32 = 8;
pub const UNAVAILABLE: u32 = 9;
pub const BUSY: u32 = 10;
pub const GONE: u32 = 11;
pub const UPSTREAM: u32 = 12;

// Fields of the request.
pub const FIELD_METHOD: u32 = 1;
pub const FIELD_PATH: u32 = 2;
pub const FIELD_QUERY: u32 = 3;
pub const FIELD_REQUEST_ID: u32 = 4;
pub const FIELD_VERB: u32 = 5;
pub const FIELD_GROUP: u32 = 6;
pub const FIELD_VERSION: u32 = 7;
pub const FIELD_CLUSTER: u32 = 8;
pub const FIELD_WORKSPACE: u32 = 9;
pub const FIELD_NAMESPACE: u32 = 10;
pub const FIELD_DEV_OPS: u32 = 11;
pub const FIELD_RESOURCE: u32 = 12;
pub const FIELD_SUBRESOURCE: u32 = 13;
pub const FIELD_NAME: u32 = 14;
pub const FIELD_SCOPE: u32 = 15;
pub const FIELD_USER: u32 = 16;
pub const FIELD_USER_UID: u32 = 17;
pub const FIELD_USER_GROUPS: u32 = 18;
pub const FIELD_MODULE_PATH: u32 = 19;
pub const FIELD_MODULE_RAW_PATH: u32 = 20;
pub const FIELD_REMOTE_ADDRESS: u32 = 21;

// Tags of a call's record.
pub const TAG_OPERATION: u32 = 1;
pub const TAG_TIMEOUT: u32 = 2;
pub const TAG_BODY: u32 = 3;
pub const TAG_BODY_HANDLE: u32 = 4;
pub const TAG_GROUP: u32 = 10;
pub const TAG_VERSION: u32 = 11;
pub const TAG_RESOURCE: u32 = 12;
pub const TAG_NAMESPACE: u32 = 13;
pub const TAG_NAME: u32 = 14;
pub const TAG_SUBRESOURCE: u32 = 15;
pub const TAG_LABEL_SELECTOR: u32 = 16;
pub const TAG_FIELD_SELECTOR: u32 = 17;
pub const TAG_AS: u32 = 18;
pub const TAG_SOURCE: u32 = 19;
pub const TAG_PATCH_TYPE: u32 = 20;
pub const TAG_LIMIT: u32 = 21;
pub const TAG_CONTINUE: u32 = 22;
pub const TAG_EXPR: u32 = 30;
pub const TAG_TIME: u32 = 31;
pub const TAG_START: u32 = 32;
pub const TAG_END: u32 = 33;
pub const TAG_STEP: u32 = 34;
pub const TAG_MATCH: u32 = 35;
pub const TAG_LABEL: u32 = 36;
pub const TAG_METRIC: u32 = 37;
pub const TAG_BACKEND: u32 = 40;
pub const TAG_METHOD: u32 = 41;
pub const TAG_PATH: u32 = 42;
pub const TAG_HEADER: u32 = 43;
pub const TAG_DROP_HEADER: u32 = 44;
pub const TAG_URL: u32 = 45;
pub const TAG_DRY_RUN: u32 = 23;
pub const TAG_QUERY: u32 = 50;
pub const TAG_FILTER: u32 = 51;
pub const TAG_KNOWN: u32 = 52;
pub const TAG_ONLY: u32 = 53;
pub const TAG_EXCEPT: u32 = 54;
pub const TAG_DROP: u32 = 55;
pub const TAG_BY: u32 = 56;
pub const TAG_VERB: u32 = 60;
pub const TAG_SCOPE: u32 = 61;
pub const TAG_WORKSPACE: u32 = 62;
pub const TAG_DEV_OPS: u32 = 63;
pub const TAG_USER: u32 = 64;
pub const TAG_USER_GROUP: u32 = 65;
pub const TAG_KIND: u32 = 66;
pub const TAG_PASSWORD: u32 = 67;
pub const TAG_KEEP: u32 = 68;

// Log levels.
pub const LEVEL_DEBUG: u32 = 0;
pub const LEVEL_INFO: u32 = 1;
pub const LEVEL_WARN: u32 = 2;
pub const LEVEL_ERROR: u32 = 3;

/// The host functions as they are. One that is not used is not imported, so a module asks for no more capabilities than
/// it has calls.
pub mod abi {
    #[link(wasm_import_module = "postern/v1")]
    extern "C" {
        pub fn request_field(ex: u32, field: u32, buf: *mut u8, cap: usize) -> i32;
        pub fn request_header(ex: u32, name: *const u8, name_len: usize, buf: *mut u8, cap: usize) -> i32;
        pub fn request_body(ex: u32) -> i32;
        pub fn response_status(ex: u32, status: u32) -> i32;
        pub fn response_header(ex: u32, name: *const u8, name_len: usize, value: *const u8, value_len: usize) -> i32;
        pub fn response_write(ex: u32, ptr: *const u8, len: usize) -> i32;
        pub fn response_splice(ex: u32, handle: u32) -> i32;
        pub fn response_error(ex: u32, status: u32, message: *const u8, len: usize) -> i32;
        pub fn response_end(ex: u32) -> i32;
        pub fn handle_new(ex: u32, ptr: *const u8, len: usize) -> i32;
        pub fn handle_len(ex: u32, handle: u32) -> i64;
        pub fn handle_read(ex: u32, handle: u32, offset: i64, buf: *mut u8, cap: usize) -> i32;
        pub fn handle_drop(ex: u32, handle: u32) -> i32;
        pub fn json_get(ex: u32, handle: u32, pointer: *const u8, len: usize, buf: *mut u8, cap: usize) -> i32;
        pub fn json_transform(ex: u32, handle: u32, program: *const u8, len: usize) -> i32;
        pub fn completions(buf: *mut super::Completion, max: u32) -> i32;
        pub fn wait(tokens: *const u32, n: usize, milliseconds: u32) -> i32;
        pub fn cancel(token: u32) -> i32;
        pub fn sleep(ex: u32, milliseconds: u32) -> i32;
        pub fn log(level: u32, ptr: *const u8, len: usize);
        pub fn now() -> i64;
        pub fn settings(buf: *mut u8, cap: usize) -> i32;
        pub fn last_error(buf: *mut u8, cap: usize) -> i32;
        pub fn error_of(ex: u32, token: u32, buf: *mut u8, cap: usize) -> i32;
    }
    #[link(wasm_import_module = "postern.kube/v1")]
    extern "C" {
        #[link_name = "call"]
        pub fn kube_call(ex: u32, record: *const u8, len: usize) -> i32;
        #[link_name = "query"]
        pub fn kube_query(ex: u32, record: *const u8, len: usize) -> i32;
    }
    #[link(wasm_import_module = "postern.prometheus/v1")]
    extern "C" {
        #[link_name = "call"]
        pub fn prometheus_call(ex: u32, record: *const u8, len: usize) -> i32;
    }
    #[link(wasm_import_module = "postern.http/v1")]
    extern "C" {
        #[link_name = "call"]
        pub fn http_call(ex: u32, record: *const u8, len: usize) -> i32;
        #[link_name = "forward"]
        pub fn http_forward(ex: u32, record: *const u8, len: usize) -> i32;
    }
    #[link(wasm_import_module = "postern.access/v1")]
    extern "C" {
        #[link_name = "call"]
        pub fn access_call(ex: u32, record: *const u8, len: usize) -> i32;
    }
    #[link(wasm_import_module = "postern.accounts/v1")]
    extern "C" {
        #[link_name = "call"]
        pub fn accounts_call(ex: u32, record: *const u8, len: usize) -> i32;
    }
}

/// How a call ended. `handle` is the answer's body, 0 if none; `status` the backend's HTTP status, 0 if none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Completion {
    pub token: u32,
    pub code: u32,
    pub handle: u32,
    pub status: u32,
}

/// Why a request cannot be answered: the HTTP status, 400 to 599, and a message. It becomes a Kubernetes Status.
#[derive(Clone, Debug, PartialEq)]
pub struct Fail {
    pub status: u32,
    pub message: String,
    /// The host's code; OK when the module itself failed.
    pub code: u32,
}

impl Fail {
    /// A failure of the module's own.
    pub fn new(status: u32, message: &str) -> Fail {
        Fail { status, message: message.to_string(), code: OK }
    }

    /// What a code of the host means to a client.
    pub fn of(code: u32, message: String) -> Fail {
        const STATUSES: [u32; 13] = [500, 500, 400, 404, 403, 413, 504, 500, 409, 503, 503, 500, 502];
        Fail { status: *STATUSES.get(code as usize).unwrap_or(&500), message, code }
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Reads a value whose length is not known: `read` returns it, and writes only if it fits.
fn grow(read: impl Fn(*mut u8, usize) -> i32) -> Result<Vec<u8>, u32> {
    let mut buf = vec![0u8; 256];
    loop {
        let n = read(buf.as_mut_ptr(), buf.len());
        if n < 0 {
            return Err(-n as u32);
        }
        let n = n as usize;
        if n <= buf.len() {
            buf.truncate(n);
            return Ok(buf);
        }
        buf.resize(n, 0);
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Why the last host function failed.
pub fn last_error() -> String {
    grow(|buf, cap| unsafe { abi::last_error(buf, cap) }).map(text).unwrap_or_default()
}

/// Makes a host function's result a Result: the value, or the failure that it means.
fn result(n: i32) -> Result<u32, Fail> {
    if n < 0 {
        return Err(Fail::of(-n as u32, last_error()));
    }
    Ok(n as u32)
}

/// Writes a line to the gateway's log.
pub fn log(level: u32, line: &str) {
    unsafe { abi::log(level, line.as_ptr(), line.len()) }
}

/// Nanoseconds since 1970, UTC.
pub fn now() -> i64 {
    unsafe { abi::now() }
}

/// The module's settings from the configuration, as JSON.
pub fn settings() -> String {
    grow(|buf, cap| unsafe { abi::settings(buf, cap) }).map(text).unwrap_or_default()
}

/// The arguments of a call. Nothing in a value can become another field.
#[derive(Clone, Default)]
pub struct Record(Vec<u8>);

impl Record {
    pub fn new() -> Record {
        Record::default()
    }

    /// A record that begins with an operation, as those of kube and prometheus do.
    pub fn operation(name: &str) -> Record {
        Record::new().add(TAG_OPERATION, name)
    }

    /// Adds a field: text, or bytes. Numbers are decimal text.
    #[must_use]
    pub fn add(mut self, tag: u32, value: impl AsRef<[u8]>) -> Record {
        let value = value.as_ref();
        self.0.extend_from_slice(&tag.to_le_bytes());
        self.0.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.0.extend_from_slice(value);
        self
    }
}

/// A call under way. Calls that are started before the first is waited for run side by side.
#[must_use]
pub struct Call {
    ex: u32,
    token: i32,
}

impl Call {
    /// Waits for the call's end: its completion, also when it failed. Other calls go on meanwhile.
    fn completion(&self) -> Completion {
        if self.token < 0 {
            return Completion { code: -self.token as u32, ..Default::default() };
        }
        let token = self.token as u32;
        unsafe { abi::wait(&token, 1, u32::MAX) };
        // Completions are read once; those of other calls are kept for who waits for them.
        EARLY.with(|early| {
            let mut early = early.borrow_mut();
            let mut c = Completion::default();
            while unsafe { abi::completions(&mut c, 1) } > 0 {
                early.push(c);
            }
            match early.iter().position(|c| c.token == token) {
                Some(at) => early.swap_remove(at),
                None => Completion { token, code: CANCELED, ..Default::default() },
            }
        })
    }

    /// Waits for the call's end: the answer, and the backend's status.
    pub fn wait(self) -> Result<Answer, Fail> {
        let c = self.completion();
        if c.code == OK {
            return Ok(Answer { status: c.status, data: Data { ex: self.ex, handle: c.handle } });
        }
        if self.token < 0 {
            return Err(Fail::of(c.code, last_error()));
        }
        let why = grow(|buf, cap| unsafe { abi::error_of(self.ex, c.token, buf, cap) }).map(text).unwrap_or_default();
        Err(Fail::of(c.code, why))
    }

    /// Gives the call up.
    pub fn cancel(&self) {
        if self.token > 0 {
            unsafe { abi::cancel(self.token as u32) };
        }
    }
}

thread_local! {
    static EARLY: std::cell::RefCell<Vec<Completion>> = std::cell::RefCell::new(Vec::new());
}

/// What a call brought.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The backend's HTTP status, 0 if none.
    pub status: u32,
    pub data: Data,
}

/// Bytes that the host keeps until the request ends: a body, an object, a list.
#[derive(Clone, Copy, Debug)]
pub struct Data {
    ex: u32,
    handle: u32,
}

impl Data {
    /// The host's number for it, for records and for programs that name other documents.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        unsafe { abi::handle_len(self.ex, self.handle) }.max(0) as u64
    }

    /// Copies all of it into the module. That is what splice, get and transform are there to avoid.
    pub fn bytes(&self) -> Result<Vec<u8>, Fail> {
        let n = unsafe { abi::handle_len(self.ex, self.handle) };
        if n < 0 {
            return Err(Fail::of(-n as u32, last_error()));
        }
        let mut buf = vec![0u8; n as usize];
        let n = result(unsafe { abi::handle_read(self.ex, self.handle, 0, buf.as_mut_ptr(), buf.len()) })?;
        buf.truncate(n as usize);
        Ok(buf)
    }

    /// The value at a JSON Pointer: a string's text, or raw JSON.
    pub fn get(&self, pointer: &str) -> Option<String> {
        grow(|buf, cap| unsafe { abi::json_get(self.ex, self.handle, pointer.as_ptr(), pointer.len(), buf, cap) }).ok().map(text)
    }

    /// A new document, made by the host.
    pub fn transform(&self, program: &str) -> Result<Data, Fail> {
        let handle = result(unsafe { abi::json_transform(self.ex, self.handle, program.as_ptr(), program.len()) })?;
        Ok(Data { ex: self.ex, handle })
    }

    /// Frees it before the request ends.
    pub fn drop_early(self) {
        unsafe { abi::handle_drop(self.ex, self.handle) };
    }
}

/// One request and its answer.
pub struct Request {
    ex: u32,
}

impl Request {
    #[doc(hidden)]
    pub fn of(ex: u32) -> Request {
        Request { ex }
    }

    /// A FIELD_ of the request; empty when it has none.
    pub fn field(&self, field: u32) -> String {
        grow(|buf, cap| unsafe { abi::request_field(self.ex, field, buf, cap) }).map(text).unwrap_or_default()
    }

    pub fn method(&self) -> String {
        self.field(FIELD_METHOD)
    }

    /// The decoded path behind /kapis/<group>.
    pub fn path(&self) -> String {
        self.field(FIELD_MODULE_PATH)
    }

    /// The name of who asks.
    pub fn user(&self) -> String {
        self.field(FIELD_USER)
    }

    /// The groups of who asks.
    pub fn groups(&self) -> Vec<String> {
        self.field(FIELD_USER_GROUPS).lines().map(str::to_string).collect()
    }

    /// A request header's value, several joined by ", ". Credentials are never there.
    pub fn header(&self, name: &str) -> Option<String> {
        grow(|buf, cap| unsafe { abi::request_header(self.ex, name.as_ptr(), name.len(), buf, cap) }).ok().map(text)
    }

    /// The first value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.field(FIELD_QUERY).split('&').filter(|p| !p.is_empty()).find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(value))
        })
    }

    /// Reads the request's body to its end, up to the module's limit.
    pub fn body(&self) -> Result<Data, Fail> {
        Ok(self.call(unsafe { abi::request_body(self.ex) }).wait()?.data)
    }

    /// Hands bytes to the host.
    pub fn data(&self, bytes: &[u8]) -> Result<Data, Fail> {
        let handle = result(unsafe { abi::handle_new(self.ex, bytes.as_ptr(), bytes.len()) })?;
        Ok(Data { ex: self.ex, handle })
    }

    /// The answer's status, 200 to 599; 200 unless set.
    pub fn status(&self, status: u32) -> Result<(), Fail> {
        result(unsafe { abi::response_status(self.ex, status) }).map(drop)
    }

    /// Sets a header of the answer.
    pub fn set_header(&self, name: &str, value: &str) -> Result<(), Fail> {
        result(unsafe { abi::response_header(self.ex, name.as_ptr(), name.len(), value.as_ptr(), value.len()) }).map(drop)
    }

    /// Appends text or bytes to the answer's body.
    pub fn write(&self, bytes: impl AsRef<[u8]>) -> Result<(), Fail> {
        let bytes = bytes.as_ref();
        result(unsafe { abi::response_write(self.ex, bytes.as_ptr(), bytes.len()) }).map(drop)
    }

    /// Appends what the host keeps; the bytes do not pass through the module.
    pub fn splice(&self, data: Data) -> Result<(), Fail> {
        result(unsafe { abi::response_splice(self.ex, data.handle) }).map(drop)
    }

    /// Sets the content type and appends text that is JSON already.
    pub fn json(&self, text: &str) -> Result<(), Fail> {
        self.set_header("Content-Type", "application/json")?;
        self.write(text)
    }

    /// Asks Kubernetes.
    pub fn kube(&self, record: &Record) -> Call {
        self.call(unsafe { abi::kube_call(self.ex, record.0.as_ptr(), record.0.len()) })
    }

    /// Asks a list as a client's query does: filters, order, a page.
    pub fn kube_query(&self, record: &Record) -> Call {
        self.call(unsafe { abi::kube_query(self.ex, record.0.as_ptr(), record.0.len()) })
    }

    /// Asks what a user may do.
    pub fn access(&self, record: &Record) -> Call {
        self.call(unsafe { abi::access_call(self.ex, record.0.as_ptr(), record.0.len()) })
    }

    /// Works with passwords and sessions.
    pub fn accounts(&self, record: &Record) -> Call {
        self.call(unsafe { abi::accounts_call(self.ex, record.0.as_ptr(), record.0.len()) })
    }

    /// Asks Prometheus. The answer is the `data` member of Prometheus' own.
    pub fn prometheus(&self, record: &Record) -> Call {
        self.call(unsafe { abi::prometheus_call(self.ex, record.0.as_ptr(), record.0.len()) })
    }

    /// Calls a configured backend. A status of 400 or more is no failure.
    pub fn http(&self, record: &Record) -> Call {
        self.call(unsafe { abi::http_call(self.ex, record.0.as_ptr(), record.0.len()) })
    }

    /// Passes the whole exchange to a backend, streaming both ways. Return after it; after a failure nothing was answered.
    pub fn forward(&self, record: &Record) -> Result<(), Fail> {
        self.call(unsafe { abi::http_forward(self.ex, record.0.as_ptr(), record.0.len()) }).wait().map(drop)
    }

    /// Waits.
    pub fn sleep(&self, milliseconds: u32) -> Result<(), Fail> {
        self.call(unsafe { abi::sleep(self.ex, milliseconds) }).wait().map(drop)
    }

    /// Sends the answer before the function returns. The request and its data are gone then.
    pub fn end(self) -> Result<(), Fail> {
        result(unsafe { abi::response_end(self.ex) }).map(drop)
    }

    fn call(&self, token: i32) -> Call {
        Call { ex: self.ex, token }
    }
}

/// Undoes a form's encoding: + and %XX.
fn decode(s: &str) -> String {
    let bytes = s.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let pair = s.get(i + 1..i + 3).filter(|_| bytes[i] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match pair {
            Some(byte) => {
                out.push(byte);
                i += 2;
            }
            None => out.push(if bytes[i] == b'+' { b' ' } else { bytes[i] }),
        }
        i += 1;
    }
    text(out)
}

/// A text as a JSON string.
pub fn quote(s: &str) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push('"');
    for c in s.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[doc(hidden)]
pub fn answer(ex: u32, serve: fn(&Request) -> Result<(), Fail>) {
    std::panic::set_hook(Box::new(|info| log(LEVEL_ERROR, &info.to_string())));
    EARLY.with(|early| early.borrow_mut().clear());
    if let Err(fail) = serve(&Request { ex }) {
        unsafe { abi::response_error(ex, fail.status, fail.message.as_ptr(), fail.message.len()) };
    }
}

/// Makes a function of yours answer every request. Use it once, in the crate's root.
#[macro_export]
macro_rules! serve {
    ($serve:path) => {
        #[no_mangle]
        pub extern "C" fn postern_handle(ex: u32) {
            postern::answer(ex, $serve)
        }
    };
}
pub use serve;
