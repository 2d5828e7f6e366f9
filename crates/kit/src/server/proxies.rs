//! Who really asks: what proxies in front say of their clients is believed if they are ours.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::config::{ConnectionOptions, ForwardedHeader};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a request came from, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    /// Whether the client speaks TLS, to us or to a proxy of ours.
    pub(super) is_secure: bool,
}

/// Reads where a request came from that reached us from `connected`.
///
/// A proxy adds whom it heard to the right of what it was told. So from the right, everything that stands left
/// of a proxy of ours is that proxy's word, and what stands left of anybody else may be made up.
pub(super) fn origin(headers: &HeaderMap, connected: Origin, options: &ConnectionOptions) -> Origin {
    let is_ours = |address: IpAddr| options.trusted_proxies.iter().any(|network| network.contains(address));
    if !is_ours(connected.address.ip()) {
        return connected;
    }
    let mut found = connected;
    let mut hops = match options.forwarded_header {
        ForwardedHeader::XForwardedFor => {
            // How the last proxy was asked: a chain of them passes on what the first one saw, or says its own.
            let proto = listed(headers, &FORWARDED_PROTO).pop();
            found.is_secure |= proto.is_some_and(is_https);
            let hops = listed(headers, &FORWARDED_FOR);
            hops.into_iter().map(|text| Hop { client: address(text), is_secure: None }).collect()
        }
        ForwardedHeader::Forwarded => {
            listed(headers, &header::FORWARDED).into_iter().map(Hop::read).collect::<Vec<_>>()
        }
    };
    while is_ours(found.address.ip()) {
        // One that nobody can read (`unknown`, `_hidden`) is as far as can be seen.
        let Some(Hop { client: Some(client), is_secure }) = hops.pop() else { break };
        found.address = client;
        found.is_secure = is_secure.unwrap_or(found.is_secure);
    }
    found
}

/// What one proxy says of whom it heard.
struct Hop {
    client: Option<SocketAddr>,
    is_secure: Option<bool>,
}

impl Hop {
    /// Reads one element of `forwarded` (RFC 7239): `for="[2001:db8::1]:4711";proto=https`.
    fn read(element: &str) -> Self {
        let mut hop = Self { client: None, is_secure: None };
        for (name, value) in element.split(';').filter_map(|pair| pair.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.client = address(value),
                "proto" => hop.is_secure = Some(is_https(value)),
                _ => {}
            }
        }
        hop
    }
}

fn is_https(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
}

/// The elements of all headers of a name, in order. No address and no scheme has a comma in it.
fn listed<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    values.flat_map(|value| value.split(',')).map(str::trim).collect()
}

/// An address, with or without a port; one of IPv6 in brackets or not.
fn address(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let portless = bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0));
    portless.or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked(
        from: &str,
        header: ForwardedHeader,
        headers: &[(&'static str, &'static str)],
    ) -> (String, bool) {
        let options = ConnectionOptions {
            trusted_proxies: ["10.0.0.0/8", "fd00::1"].map(|text| text.parse().expect("a network")).into(),
            forwarded_header: header,
            ..ConnectionOptions::default()
        };
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let connected =
            Origin { address: SocketAddr::new(from.parse().expect("an address"), 1), is_secure: false };
        let found = origin(&headers, connected, &options);
        (found.address.ip().to_string(), found.is_secure)
    }

    #[test]
    fn a_proxy_of_ours_is_believed_and_nobody_else() {
        use ForwardedHeader::{Forwarded, XForwardedFor};
        for (from, header, headers, client, is_secure) in [
            // Not ours: whatever it says.
            (
                "192.0.2.1",
                XForwardedFor,
                &[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")][..],
                "192.0.2.1",
                false,
            ),
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1", false),
            ("::ffff:10.0.0.1", XForwardedFor, &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1", false),
            // What the client said of itself stands left of what the proxy says of it.
            (
                "10.0.0.1",
                XForwardedFor,
                &[
                    ("x-forwarded-for", "198.51.100.1"),
                    ("x-forwarded-for", "192.0.2.1"),
                    ("x-forwarded-proto", "https"),
                ],
                "192.0.2.1",
                true,
            ),
            // Two proxies of ours in a row.
            (
                "10.0.0.1",
                XForwardedFor,
                &[("x-forwarded-for", "6.6.6.6, 192.0.2.1, fd00::1")],
                "192.0.2.1",
                false,
            ),
            // All of them ours: the first.
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "10.9.9.9, 10.0.0.2")], "10.9.9.9", false),
            (
                "10.0.0.1",
                XForwardedFor,
                &[("x-forwarded-for", "6.6.6.6, unknown, 10.0.0.2")],
                "10.0.0.2",
                false,
            ),
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "192.0.2.1:4711")], "192.0.2.1", false),
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1", false),
            ("10.0.0.1", XForwardedFor, &[], "10.0.0.1", false),
            // The header that our proxies do not write is the client's.
            ("10.0.0.1", XForwardedFor, &[("forwarded", "for=6.6.6.6;proto=https")], "10.0.0.1", false),
            ("10.0.0.1", Forwarded, &[("x-forwarded-for", "6.6.6.6")], "10.0.0.1", false),
            (
                "10.0.0.1",
                Forwarded,
                &[("forwarded", "for=6.6.6.6;proto=http, For=\"[2001:db8::1]:4711\";by=fd00::1;Proto=https")],
                "2001:db8::1",
                true,
            ),
            ("10.0.0.1", Forwarded, &[("forwarded", "for=6.6.6.6, for=_hidden")], "10.0.0.1", false),
        ] {
            assert_eq!(asked(from, header, headers), (client.to_owned(), is_secure), "{from} {headers:?}");
        }
    }
}
