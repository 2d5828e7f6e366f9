//! Contracts that cannot be served are found at start.

use prost_reflect::DescriptorPool;
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};

/// What the gateway says to a service with these two methods' rules.
fn refused(first: &str, second: &str) -> String {
    let text = format!(
        r#"syntax = "proto3";
        package bad.v1;
        import "google/api/annotations.proto";
        message M {{ string name = 1; repeated string list = 2; M inner = 3; }}
        service S {{
            rpc A(M) returns (M) {{ option (google.api.http) = {{ {first} }}; }}
            rpc B(M) returns (M) {{ option (google.api.http) = {{ {second} }}; }}
        }}"#
    );
    let folder = std::env::temp_dir().join(format!(
        "weft-contracts-{}-{:x}",
        std::process::id(),
        first.len() * 1000 + second.len()
    ));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    std::fs::write(folder.join("bad.proto"), text).expect("a writable folder");
    let vendor = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/vendor");
    let mut compiler =
        protox::Compiler::new([folder.to_str().expect("UTF-8"), vendor]).expect("the folders are there");
    compiler.include_imports(true).open_file("bad.proto").expect("the syntax is good");
    std::fs::remove_dir_all(&folder).expect("it was just made");
    let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice())
        .expect("the compiler wrote it");
    let nobody = tower::service_fn(|_: http::Request<tonic::body::Body>| async {
        Err::<http::Response<tonic::body::Body>, _>(std::io::Error::other("nobody"))
    });
    let upstreams = Upstreams::new().with("bad.v1.S", Peer::new(nobody));
    Gateway::new(upstreams, GatewayOptions::default(), pool, Lifecycle::new())
        .map(|_| ())
        .expect_err("it is wrong")
        .to_string()
}

#[test]
fn the_method_and_the_mistake_are_named() {
    let good = r#"get: "/good""#;
    for (rule, message) in [
        (r#"get: "no-slash""#, "/bad.v1.S/A: google.api.http: no-slash: expected '/' at byte 0"),
        (r#"get: "/{none}""#, "/bad.v1.S/A: google.api.http: bad.v1.M has no field none"),
        (
            r#"get: "/{list}""#,
            "/bad.v1.S/A: google.api.http: bad.v1.M.list: lists, maps and messages cannot be in a path",
        ),
        (r#"get: "/{list.x}""#, "/bad.v1.S/A: google.api.http: list.x is not a field of a message"),
        (
            r#"get: "/{inner}""#,
            "/bad.v1.S/A: google.api.http: bad.v1.M.inner: lists, maps and messages cannot be in a path",
        ),
        (r#"post: "/x" body: "none""#, "/bad.v1.S/A: google.api.http: bad.v1.M has no field none"),
        (r#"get: "/x" response_body: "none""#, "/bad.v1.S/A: google.api.http: bad.v1.M has no field none"),
        (r#"body: "*""#, "/bad.v1.S/A: google.api.http: has no path"),
        (
            r#"custom: { kind: "A B" path: "/x" }"#,
            "/bad.v1.S/A: google.api.http: \"A B\" is not an HTTP method",
        ),
    ] {
        assert_eq!(refused(rule, good), message, "{rule}");
    }
}

#[test]
fn two_methods_cannot_have_one_path() {
    let claimed = refused(r#"get: "/x/{name}""#, r#"get: "/x/{inner.name}""#);
    assert_eq!(claimed, "GET /x/{inner.name} is claimed by both /bad.v1.S/A and /bad.v1.S/B");
}
