//! The console, and what stands beside the contracts.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tonic::body::Body;
use weft_kit::Peer;

use crate::support::Edge;

const BROWSER: &[(&str, &str)] = &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];

#[tokio::test]
async fn the_root_is_a_page_with_or_without_the_console() {
    let edge = Edge::new();
    let answer = edge.call_with("GET /", BROWSER, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-cache");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(
        (answer.header("x-content-type-options"), answer.header("referrer-policy")),
        ("nosniff", "no-referrer")
    );
    assert_eq!(answer.text().contains("no console"), !weft_gateway::has_console());
    let head = edge.call_with("HEAD /", BROWSER, "").await;
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
    let post = edge.call_with("POST /", BROWSER, "{}").await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, "GET, HEAD"));
    assert_eq!(edge.call("POST /nowhere", "{}").await.status, 404);
}

#[tokio::test]
async fn pages_are_for_people_and_not_where_contracts_are() {
    let edge = Edge::new();
    let page = edge.call_with("GET /graphs/one", BROWSER, "").await;
    assert_eq!(page.status, if weft_gateway::has_console() { 200 } else { 404 });
    for (line, headers) in [
        ("GET /graphs/one", &[][..]),
        ("GET /v1/nothing", BROWSER),
        ("GET /assets/gone.js", BROWSER),
        ("POST /graphs/one", BROWSER),
        ("GET /../../etc/passwd", &[]),
    ] {
        edge.call_with(line, headers, "").await.refused(404);
    }
}

#[tokio::test]
async fn a_service_beside_answers_its_paths_first() {
    let side = tower::service_fn(|request: http::Request<Body>| async move {
        let text = Bytes::from(format!("beside {}", request.uri().path()));
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::new(Full::new(text))))
    });
    let mut edge = Edge::new();
    edge.gateway = edge.gateway.with_side("/healthz", Peer::new(side)).with_side("/v1/echo", Peer::new(side));
    for path in ["/healthz", "/healthz/deep", "/v1/echo"] {
        assert_eq!(
            edge.call_with(&format!("GET {path}"), BROWSER, "").await.text(),
            format!("beside {path}")
        );
    }
    edge.call("GET /healthzz", "").await.refused(404);
    edge.call("GET /v1/count", "").await;
}

#[tokio::test]
async fn the_documentation_is_one_page_that_runs_nothing_but_its_own() {
    let edge = Edge::new();
    let page = edge.call_with("GET /docs", BROWSER, "").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = page.text();
    for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let [_, after] = html.split(&open).collect::<Vec<_>>()[..] else { panic!("one {tag}") };
        let inside = after.split(&close).next().expect("it ends");
        let digest = BASE64_STANDARD.encode(Sha256::digest(inside));
        assert!(policy.contains(&format!("{directive} 'sha256-{digest}'")), "{directive}: {policy}");
    }
    // Nothing from elsewhere; and what would be markup in a contract is text.
    for foreign in
        ["http://", "https://", " src=", "innerHTML", "insertAdjacentHTML", "document.write", " style="]
    {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.len() < 24 * 1024, "{} bytes", html.len());
    let known = edge.call_with("GET /docs", &[("if-none-match", page.header("etag"))], "").await;
    assert_eq!((known.status.as_u16(), known.text()), (304, ""));
    assert_eq!(edge.call("HEAD /docs", "").await.text(), "");
    let answer = edge.call("POST /docs", "{}").await;
    answer.refused(405);
    assert_eq!(answer.header("allow"), "GET, HEAD");
}
