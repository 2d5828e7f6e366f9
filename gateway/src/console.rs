//! The console: files of a web page, embedded by the build.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;

/// A file of the console.
struct Asset {
    /// Path below the root, for example `/assets/main-1a2b3c.js`.
    path: &'static str,
    content_type: &'static str,
    /// A digest of the content, quoted.
    etag: &'static str,
    bytes: &'static [u8],
    /// The same compressed, where that is worth it.
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Scripts and styles of our own only, and no page around ours. A script may reach this host
/// (gRPC-web, the WebSocket); pictures may also be made in the page.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// What `/` says when the console was not there at the build.
const LEFT_OUT: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>weft</title>\n\
    <h1>weft is running</h1>\n\
    <p>This build has no console. To have one: <code>make console</code>, or <code>npm ci && npm run build</code> in \
    <code>gateway/console</code>, and then build weft again.</p>\n\
    <p>Everything else is here: <a href=\"/docs\">the REST interface</a>, gRPC, gRPC-web and the WebSocket at \
    <code>/ws</code>.</p>\n</html>\n";

/// Whether this build has the console in it.
pub fn has_console() -> bool {
    find("/index.html").is_some()
}

/// Answers for a page or a file of the console. `is_page` says that a path which is no file
/// gets the page: the console finds its own way from there.
pub(crate) fn handle(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    is_page: bool,
) -> Option<Response<Body>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let is_root = is_root(path);
    let asset = match find(path) {
        Some(asset) => Some(asset),
        None if is_root || is_page => find("/index.html"),
        None => return None,
    };
    let mut response = match asset {
        Some(asset) => serve(asset, headers),
        None if is_root => left_out(),
        None => return None,
    };
    secure(response.headers_mut());
    if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    Some(response)
}

/// Whether a page or a file stands at `path`, whoever asks.
pub(crate) fn has(path: &str) -> bool {
    is_root(path) || find(path).is_some()
}

fn is_root(path: &str) -> bool {
    path == "/" || path == "/index.html"
}

fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|index| &ASSETS[index])
}

fn serve(asset: &'static Asset, headers: &HeaderMap) -> Response<Body> {
    let has = |name: HeaderName, text: &str| {
        headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(text)))
    };
    let mut response = Response::new(Body::empty());
    if has(header::IF_NONE_MATCH, asset.etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let compressed = asset.gzip.filter(|_| has(header::ACCEPT_ENCODING, "gzip"));
        if compressed.is_some() {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let bytes = compressed.unwrap_or(asset.bytes);
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        *response.body_mut() = Body::new(Full::new(bytes::Bytes::from_static(bytes)));
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // The build gives files under `assets` names with a digest: they never change.
    let caching =
        if asset.path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

fn left_out() -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(LEFT_OUT)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn secure(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
}
