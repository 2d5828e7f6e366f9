//! Where a secret may be sent to.

use reqwest::Url;

/// Whether an address is at one of these hosts: a name, or `*.` and a name for all below it, or an address in numbers;
/// with a port, or at its scheme's own; over TLS, unless it begins with `http://`. Of none every host is.
pub(super) fn is_allowed(url: &Url, allowed: &[String]) -> bool {
    allowed.is_empty() || allowed.iter().any(|allowed| is_at(url, allowed))
}

fn is_at(url: &Url, allowed: &str) -> bool {
    let (scheme, place) = allowed.strip_prefix("http://").map_or(("https", allowed), |place| ("http", place));
    let own = if scheme == "https" { 443 } else { 80 };
    let (name, port) = match place.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((name, port)) => (name, port.parse().unwrap_or(0)),
        None => (place, own),
    };
    if url.scheme() != scheme || url.port_or_known_default() != Some(port) {
        return false;
    }
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    match name.strip_prefix("*.") {
        None => host == name,
        Some(parent) => {
            host.strip_suffix(parent).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_and_a_star_is_what_is_below() {
        let allowed =
            ["api.example.org", "*.example.com", "a.test:8443", "http://plain.test", "[2001:db8::1]:444"]
                .map(str::to_owned);
        let is = |url: &str, allowed: &[String]| is_allowed(&url.parse().expect(url), allowed);
        for url in [
            "https://api.example.org/x",
            "https://API.Example.Org./",
            "https://a.example.com",
            "https://a.b.example.com:443",
            "https://a.test:8443",
            "http://plain.test/",
            "https://[2001:db8::1]:444/",
        ] {
            assert!(is(url, &allowed), "{url}");
        }
        for url in [
            "http://api.example.org/",
            "https://api.example.org:8443/",
            "https://example.org",
            "https://xapi.example.org",
            "https://example.com",
            "https://aexample.com",
            "https://a.test",
            "https://plain.test",
            "http://plain.test:8080",
            "https://[2001:db8::1]/",
            "https://api.example.org.evil.test/",
        ] {
            assert!(!is(url, &allowed), "{url}");
        }
        assert!(is("http://anything", &[]));
    }
}
