//! Where a secret may be sent to.

use reqwest::Url;

/// Where something is sent to.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// Where what is asked for listens when nothing is said.
    pub(super) own_port: u16,
    /// Whether it goes over TLS.
    pub(super) is_secure: bool,
}

impl<'a> Place<'a> {
    pub(super) fn of(url: &'a Url) -> Self {
        let is_secure = url.scheme() == "https";
        let own_port = if is_secure { 443 } else { 80 };
        let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(own_port));
        Self { host, port, own_port, is_secure }
    }

    /// Whether it is one of these hosts: a name, or `*.` and a name for all below it, or an address in numbers; with a
    /// port, or at its own; over TLS, unless it begins with `http://`. Of none every host is.
    pub(super) fn is_allowed(self, allowed: &[String]) -> bool {
        allowed.is_empty() || allowed.iter().any(|allowed| self.is_at(allowed))
    }

    fn is_at(self, allowed: &str) -> bool {
        let (is_secure, place) =
            allowed.strip_prefix("http://").map_or((true, allowed), |place| (false, place));
        let (name, port) = match place.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((name, port)) => (name, port.parse().unwrap_or(0)),
            None => (place, self.own_port),
        };
        if self.is_secure != is_secure || self.port != port {
            return false;
        }
        let host = self.host.trim_end_matches('.');
        match name.strip_prefix("*.") {
            None => host == name,
            Some(parent) => {
                host.strip_suffix(parent).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
            }
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
        let is = |url: &str, allowed: &[String]| Place::of(&url.parse().expect(url)).is_allowed(allowed);
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
