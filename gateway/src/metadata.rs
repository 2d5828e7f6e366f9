//! Which headers of an HTTP request become metadata of a call, and back.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tonic::{Status, metadata::MetadataMap};
use weft_kit::{Problem, timeout};

/// Headers of REST requests that are passed on: who calls, and what joins logs and traces.
/// Cookies are not: a page of another site could send them without the person's knowledge.
const PASSED: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::USER_AGENT,
    HeaderName::from_static("baggage"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
];

/// The time that a REST client gives a call: `X-Weft-Timeout: 2.5s`.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("x-weft-timeout");

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

const CONNECT_TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");

/// Whether a header speaks of one connection, not of the request (RFC 9110, 7.6.1).
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The metadata of a REST request or of a WebSocket's handshake.
pub(crate) fn from_headers(headers: &HeaderMap) -> MetadataMap {
    let mut passed = HeaderMap::new();
    for name in PASSED {
        for value in headers.get_all(&name) {
            passed.append(name.clone(), value.clone());
        }
    }
    MetadataMap::from_headers(passed)
}

/// Puts what an answer's metadata tells HTTP clients into its headers: `x-…`, `retry-after`,
/// `www-authenticate`. The rest is gRPC's own.
pub(crate) fn to_headers(metadata: MetadataMap, headers: &mut HeaderMap) {
    let metadata = metadata.into_headers();
    for (name, value) in &metadata {
        let passes = (name.as_str().starts_with("x-") && !name.as_str().ends_with("-bin"))
            || name == header::RETRY_AFTER
            || name == header::WWW_AUTHENTICATE;
        if passes && !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Takes away what belongs to a connection: also what `Connection` itself names.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let mut names = named_by_connection(headers);
    names.extend(headers.keys().filter(|name| is_hop_by_hop(name)).cloned());
    for name in names {
        headers.remove(name);
    }
}

/// What `Connection` says that it belongs to the connection.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        // A client must not make the gateway drop what guards the call.
        .filter(|name| *name != header::AUTHORIZATION && *name != header::TE)
        .collect()
}

/// A metadata key and value that a client names in a WebSocket's `open`. Keys that gRPC or HTTP
/// keep for themselves are left out.
pub(crate) fn insert(headers: &mut HeaderMap, key: &str, value: &str) -> Result<(), Status> {
    let wrong = |problem: &str| Problem::bad_field(format!("metadata.{key}"), problem.to_owned());
    let name = HeaderName::try_from(key).map_err(|_| wrong("is not a metadata key"))?;
    if !is_reserved(&name) {
        let value =
            HeaderValue::try_from(value).ok().filter(|value| value.to_str().is_ok()).ok_or_else(|| {
                wrong("must be visible ASCII; binary values are base64 under a key that ends in -bin")
            })?;
        headers.insert(name, value);
    }
    Ok(())
}

/// Keys that HTTP or gRPC keep for themselves.
fn is_reserved(name: &HeaderName) -> bool {
    ["grpc-", "content-", "x-forwarded-"].iter().any(|prefix| name.as_str().starts_with(prefix))
        || is_hop_by_hop(name)
        || matches!(name.as_str(), "te" | "host" | "cookie")
}

/// The metadata of a Connect request: all of its headers but those of HTTP, of browsers and of the
/// protocol itself.
pub(crate) fn from_connect(headers: &HeaderMap) -> MetadataMap {
    let named = named_by_connection(headers);
    let passed = headers.iter().filter(|(name, _)| {
        let is_https_own = ["accept", "access-control-", "connect-", "if-", "sec-"]
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix));
        let is_anothers = is_reserved(name) || named.contains(name);
        !is_https_own && !is_anothers && !matches!(name.as_str(), "origin" | "referer")
    });
    MetadataMap::from_headers(copied(passed, headers.len()))
}

/// The headers of a Connect answer that are metadata: what is not HTTP's or gRPC's own.
pub(crate) fn to_connect(metadata: MetadataMap) -> HeaderMap {
    let headers = metadata.into_headers();
    let passed = headers.iter().filter(|(name, _)| {
        let is_https_own = ["accept", "access-control-", "connect-", "trailer-"]
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix));
        let is_own = matches!(name.as_str(), "date" | "server" | "set-cookie" | "trailer" | "vary");
        !is_https_own && !is_reserved(name) && !is_own
    });
    copied(passed, headers.len())
}

/// At most so many headers, with room for all of them from the beginning.
fn copied<'a>(headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>, most: usize) -> HeaderMap {
    let mut copy = HeaderMap::with_capacity(most);
    copy.extend(headers.map(|(name, value)| (name.clone(), value.clone())));
    copy
}

/// The time that the client gives the call, from `X-Weft-Timeout` (`300ms`, `2.5s`, `1m`) or
/// gRPC's own `grpc-timeout` (`2500m`).
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    match read_timeout(headers, &TIMEOUT, parse_timeout, "300ms, 2.5s or 1m")? {
        Some(timeout) => Ok(Some(timeout)),
        None => grpc_timeout(headers),
    }
}

fn read_timeout(
    headers: &HeaderMap,
    name: &HeaderName,
    parse: fn(&str) -> Option<Duration>,
    form: &str,
) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| parse(text.trim()));
    parsed
        .map(Some)
        .ok_or_else(|| Problem::bad_field(name.as_str(), format!("must be a time such as {form}")).into())
}

/// The time that a gRPC client gives the call.
///
/// # Errors
/// INVALID_ARGUMENT for what is none.
pub(crate) fn grpc_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    read_timeout(headers, &GRPC_TIMEOUT, parse_grpc_timeout, "2500m (milliseconds) or 3S (seconds)")
}

/// The time that a Connect client gives the call: `connect-timeout-ms`, at most ten digits.
pub(crate) fn connect_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(CONNECT_TIMEOUT) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    let millis = text.parse().ok().filter(|_| is_number).map(Duration::from_millis);
    millis
        .map(|timeout| Some(timeout.min(LONGEST)))
        .ok_or_else(|| Problem::bad_field(CONNECT_TIMEOUT.as_str(), "must be 1 to 10 digits").into())
}

fn parse_timeout(text: &str) -> Option<Duration> {
    timeout::parse(text).filter(|timeout| *timeout <= LONGEST)
}

fn parse_grpc_timeout(text: &str) -> Option<Duration> {
    timeout::parse_grpc(text).map(|timeout| timeout.min(LONGEST))
}

/// A year: more cannot be meant, and would overflow a clock.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn reads_timeouts() {
        for (name, value, expected) in [
            ("x-weft-timeout", "300ms", Some(300)),
            ("x-weft-timeout", "2.5s", Some(2_500)),
            ("x-weft-timeout", "2", Some(2_000)),
            ("x-weft-timeout", "1m", Some(60_000)),
            ("grpc-timeout", "250m", Some(250)),
            ("grpc-timeout", "3S", Some(3_000)),
            ("x-other", "3S", None),
        ] {
            let read = timeout(&headers(&[(name, value)])).expect("a good time");
            assert_eq!(read, expected.map(Duration::from_millis), "{name}: {value}");
        }
    }

    #[test]
    fn refuses_odd_timeouts() {
        for (name, value) in [
            ("x-weft-timeout", "soon"),
            ("x-weft-timeout", "-1s"),
            ("x-weft-timeout", "1e300s"),
            ("x-weft-timeout", "NaN"),
            ("x-weft-timeout", "3 fortnights"),
            ("grpc-timeout", ""),
            ("grpc-timeout", "S"),
            ("grpc-timeout", "123456789S"),
            ("grpc-timeout", "1x"),
        ] {
            let status = timeout(&headers(&[(name, value)])).expect_err(value);
            assert!(status.message().starts_with(name), "{value}: {}", status.message());
        }
        let every = HeaderMap::from_iter([(GRPC_TIMEOUT, HeaderValue::from_static("99999999H"))]);
        assert_eq!(timeout(&every).expect("gRPC allows it"), Some(LONGEST));
    }

    #[test]
    fn passes_only_what_is_safe() {
        let metadata = from_headers(&headers(&[
            ("authorization", "Bearer x"),
            ("cookie", "session=1"),
            ("x-request-id", "r"),
            ("x-forwarded-for", "10.0.0.1"),
        ]));
        let mut names: Vec<_> = metadata.into_headers().keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["authorization", "x-request-id"]);
    }

    #[test]
    fn a_connect_timeout_is_a_few_digits() {
        for (value, expected) in
            [("1", Some(1)), ("0", Some(0)), ("0000005000", Some(5_000)), ("9999999999", Some(9_999_999_999))]
        {
            let read = connect_timeout(&headers(&[("connect-timeout-ms", value)])).expect("a good time");
            assert_eq!(read, expected.map(Duration::from_millis), "{value}");
        }
        assert_eq!(connect_timeout(&HeaderMap::new()).expect("none"), None);
        for value in ["", "-1", "+1", "1.5", "12345678901", "1s", " 1"] {
            assert!(connect_timeout(&headers(&[("connect-timeout-ms", value)])).is_err(), "{value:?}");
        }
    }

    #[test]
    fn connect_passes_what_is_the_clients_own() {
        let metadata = from_connect(&headers(&[
            ("authorization", "Bearer x"),
            ("acme-shard", "42"),
            ("data-bin", "AQ"),
            ("accept-encoding", "gzip"),
            ("connect-timeout-ms", "5"),
            ("content-type", "application/json"),
            ("cookie", "session=1"),
            ("grpc-timeout", "1S"),
            ("origin", "https://a.org"),
            ("sec-fetch-mode", "cors"),
            ("x-forwarded-for", "10.0.0.1"),
            ("connection", "x-one"),
            ("x-one", "1"),
        ]));
        let mut names: Vec<_> = metadata.into_headers().keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["acme-shard", "authorization", "data-bin"]);
    }

    #[test]
    fn a_connection_header_cannot_take_the_credential_away() {
        let mut all =
            headers(&[("connection", "x-one, authorization"), ("x-one", "1"), ("authorization", "Bearer x")]);
        remove_hop_by_hop(&mut all);
        assert_eq!(all.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["authorization"]);
    }
}
