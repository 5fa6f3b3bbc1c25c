//! Uses all of postern.rs: see requests.http.
mod postern;

use postern::*;

/// Every function, so that the loader compares every signature.
#[no_mangle]
pub extern "C" fn all() -> usize {
    let all = [
        abi::request_field as usize, abi::request_header as usize, abi::request_body as usize, abi::response_status as usize,
        abi::response_header as usize, abi::response_write as usize, abi::response_splice as usize, abi::response_error as usize,
        abi::response_end as usize, abi::handle_new as usize, abi::handle_len as usize, abi::handle_read as usize,
        abi::handle_drop as usize, abi::json_get as usize, abi::json_transform as usize, abi::completions as usize, abi::wait as usize,
        abi::cancel as usize, abi::sleep as usize, abi::log as usize, abi::now as usize, abi::settings as usize,
        abi::last_error as usize, abi::error_of as usize, abi::kube_call as usize, abi::prometheus_call as usize,
        abi::http_call as usize, abi::http_forward as usize,
    ];
    all.iter().fold(0, |sum, f| sum ^ f)
}

fn request(backend: &str, path: &str) -> Record {
    Record::new().add(TAG_BACKEND, backend).add(TAG_PATH, path)
}

fn facts(r: &Request) -> Result<(), Fail> {
    let setting = r.data(settings().as_bytes())?.get("/language").unwrap_or_default();
    r.json(&format!(
        "{{\"user\":{},\"groups\":{},\"header\":{},\"none\":{},\"query\":{},\"setting\":{},\"field\":{}}}",
        quote(&r.user()), quote(&r.groups().join(",")), quote(&r.header("X-A").unwrap_or_default()),
        quote(&r.header("X-None").unwrap_or_default()), quote(&r.query("name").unwrap_or_default()), quote(&setting), quote(&r.method()),
    ))
}

fn calls(r: &Request) -> Result<(), Fail> {
    let one = r.http(&request("echo", "/one?x=1").add(TAG_METHOD, "POST").add(TAG_TIMEOUT, "5000"));
    let two = r.http(&request("echo", "/two"));
    r.write("two|")?;
    r.splice(two.wait()?.data)?;
    r.write("|one|")?;
    r.splice(one.wait()?.data)?;
    r.write("|")
}

fn serve(r: &Request) -> Result<(), Fail> {
    match r.path().as_str() {
        "/v1/facts" => facts(r),
        "/v1/transform" => {
            let body = r.body()?;
            let made = body.transform(r#"[{"get":"/items"},{"where":{"at":"/k","equals":1}},{"sort":{"by":"/n"}},{"pick":["/n"]}]"#)?;
            r.set_header("X-Rows", &body.get("/rows").unwrap_or_default())?;
            r.status(201)?;
            r.splice(made)
        }
        "/v1/copy" => r.write(r.body()?.bytes()?),
        "/v1/calls" => calls(r),
        "/v1/missing" => r.http(&request("nowhere", "/")).wait().map(drop),
        "/v1/refused" => r.http(&Record::new().add(TAG_BACKEND, "echo").add(TAG_TIMEOUT, "soon")).wait().map(drop),
        "/v1/sleep" => {
            r.sleep(1)?;
            r.status(if now() > 0 { 204 } else { 500 })
        }
        _ => r.forward(&request("echo", "/passed")),
    }
}

postern::serve!(serve);
