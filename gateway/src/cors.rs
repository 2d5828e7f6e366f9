//! Pages of other origins: which may call, and what the browser is told (the Fetch standard).

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tonic::body::Body;

/// The origins whose pages may call.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    all: bool,
    named: Vec<String>,
}

/// Headers that a page may read, besides those that it always may: how gRPC-web calls ended, and
/// what joins a call to the logs.
const EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin, etag, retry-after, x-request-id";

/// An hour: browsers ask again anyway after two.
const PREFLIGHT_SECONDS: &str = "3600";

impl Origins {
    pub(crate) fn new(allowed: &[String]) -> Self {
        let named = allowed.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { all: allowed.iter().any(|origin| origin == "*"), named }
    }

    /// Whether the origin was allowed by name or with all others.
    fn allows(&self, origin: &HeaderValue) -> bool {
        self.all || origin.to_str().is_ok_and(|origin| self.named.contains(&origin.to_ascii_lowercase()))
    }

    /// Whether a page may open a WebSocket: one of this host, one that is allowed, or what is no
    /// page. Browsers do not ask beforehand and show the answer to every page, so this must be
    /// refused here. The scheme is not compared: a proxy may have ended TLS.
    pub(crate) fn may_connect(&self, request: &Request<Body>) -> bool {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
        if self.allows(origin) {
            return true;
        }
        let host = request
            .uri()
            .authority()
            .map(http::uri::Authority::as_str)
            .or_else(|| request.headers().get(header::HOST)?.to_str().ok());
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        matches!((host, origin), (Some(host), Some(origin)) if host.eq_ignore_ascii_case(origin))
    }

    /// Whether a page may use the tools of agents. Programs are no pages; of pages, those that are
    /// allowed, and those of this very machine. A page of the same host is not enough: whoever owns a
    /// name can let it lead to a server in somebody else's house (DNS rebinding).
    pub(crate) fn may_use_tools(&self, request: &Request<Body>) -> bool {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        let is_local = host.is_some_and(|host| {
            let name =
                host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(host, |(name, _)| name);
            ["localhost", "127.0.0.1", "[::1]"].contains(&name)
        });
        self.allows(origin) || (is_local && self.may_connect(request))
    }

    /// The answer to a browser that asks whether a page may call; `None` if it does not ask.
    pub(crate) fn preflight(&self, request: &Request<Body>) -> Option<Response<Body>> {
        let headers = request.headers();
        let is_preflight = request.method() == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allows(&headers[header::ORIGIN]) {
            let allowed = response.headers_mut();
            let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
            allowed.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            // What the page wants to send: a list would have to grow with every client's library.
            if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
            allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS));
        }
        Some(response)
    }

    /// Tells the browser whether the page at `origin` may read the response. Never with cookies:
    /// no method of ours looks at any.
    pub(crate) fn mark(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        if self.named.is_empty() {
            return;
        }
        response.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else { return };
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(
            HeaderName::from_static("access-control-expose-headers"),
            HeaderValue::from_static(EXPOSED),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(&str, &str)]) -> Request<Body> {
        let builder =
            pairs.iter().fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value));
        builder.body(Body::empty()).expect("good headers")
    }

    #[test]
    fn a_socket_is_for_pages_of_this_host_and_allowed_ones() {
        let origins = Origins::new(&["https://app.example.org".to_owned()]);
        for (pairs, expected) in [
            (&[("host", "weft.example.org")][..], true),
            (&[("host", "weft.example.org"), ("origin", "https://weft.example.org")], true),
            (&[("host", "weft.example.org:8080"), ("origin", "http://weft.example.org:8080")], true),
            (&[("host", "weft.example.org"), ("origin", "https://app.example.org")], true),
            (&[("host", "weft.example.org"), ("origin", "https://evil.example.org")], false),
            (&[("host", "weft.example.org"), ("origin", "https://weft.example.org.evil.org")], false),
            (&[("host", "weft.example.org"), ("origin", "null")], false),
            (&[("origin", "https://weft.example.org")], false),
        ] {
            assert_eq!(origins.may_connect(&request(pairs)), expected, "{pairs:?}");
        }
        assert!(Origins::new(&["*".to_owned()]).may_connect(&request(&[("origin", "https://any.org")])));
    }

    #[test]
    fn tools_are_for_programs_and_for_pages_of_this_machine() {
        let origins = Origins::new(&["https://app.example.org".to_owned()]);
        for (pairs, expected) in [
            (&[("host", "weft.example.org")][..], true),
            (&[("host", "weft.example.org"), ("origin", "https://app.example.org")], true),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], true),
            (&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")], true),
            (&[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")], true),
            (&[("host", "[::1]"), ("origin", "http://[::1]")], true),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:3000")], false),
            (&[("host", "evil.example.org"), ("origin", "http://evil.example.org")], false),
            (&[("host", "localhost.evil.org"), ("origin", "http://localhost.evil.org")], false),
            (&[("host", "localhost"), ("origin", "null")], false),
        ] {
            assert_eq!(origins.may_use_tools(&request(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn nothing_is_said_where_nothing_is_allowed() {
        let mut headers = HeaderMap::new();
        Origins::new(&[]).mark(Some(&HeaderValue::from_static("https://a.org")), &mut headers);
        assert!(headers.is_empty());
        let origins = Origins::new(&["https://A.org/".to_owned()]);
        origins.mark(Some(&HeaderValue::from_static("https://a.org")), &mut headers);
        assert_eq!(headers["access-control-allow-origin"], "https://a.org");
        assert!(
            headers["access-control-expose-headers"]
                .to_str()
                .expect("ASCII")
                .contains("grpc-status-details-bin")
        );
        let mut other = HeaderMap::new();
        origins.mark(Some(&HeaderValue::from_static("https://b.org")), &mut other);
        assert_eq!(other.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["vary"]);
    }
}
