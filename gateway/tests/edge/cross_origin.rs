//! Pages of other origins.

use weft_gateway::GatewayOptions;

use crate::support::Edge;

fn open_to_app() -> Edge {
    Edge::with(GatewayOptions {
        allowed_origins: vec!["https://app.test".to_owned()],
        ..GatewayOptions::default()
    })
}

const ASK: &[(&str, &str)] = &[
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "authorization,content-type,x-grpc-web"),
];

#[tokio::test]
async fn an_allowed_page_may_call_and_read_how_it_ended() {
    let edge = open_to_app();
    let headers = [&[("origin", "https://app.test")], ASK].concat();
    let answer = edge.call_with("OPTIONS /test.v1.EchoService/Echo", &headers, "").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.test");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type,x-grpc-web");
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let answer = edge.call_with("GET /v1/echo", &[("origin", "https://app.test")], "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.test");
    assert!(answer.header("access-control-expose-headers").contains("grpc-status-details-bin"));
    assert_eq!(answer.header("vary"), "origin");
    let refused = edge.call_with("GET /v1/fail?code=5", &[("origin", "https://app.test")], "").await;
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.test");
}

#[tokio::test]
async fn other_pages_are_told_nothing() {
    for edge in [open_to_app(), Edge::new()] {
        for origin in ["https://evil.test", "https://app.test.evil.test", "null"] {
            let headers = [&[("origin", origin)], ASK].concat();
            for line in ["OPTIONS /v1/echo", "GET /v1/echo"] {
                let answer = edge.call_with(line, &headers, "").await;
                let told = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
                assert!(!told, "{line} from {origin}: {:?}", answer.headers);
            }
        }
    }
}
