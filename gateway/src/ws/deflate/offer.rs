//! Agreeing on compression in the handshake (RFC 7692, 5 and 7.1).

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};

const NAME: &str = "permessage-deflate";
/// What both sides have unless one of them asks for less.
const LARGEST_WINDOW: u8 = 15;
/// zlib has no raw window of 8 bits, the smallest that a client may ask for.
const SMALLEST_WINDOW: u8 = 9;

/// What client and server agreed on. Neither remembers one message in the next, whatever the client offered: the
/// server may ask that of it unasked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Agreed {
    /// Logarithm of how far back what the server packs may refer, if the client asked.
    asked_window: Option<u8>,
}

impl Agreed {
    /// The first of the client's offers that can be kept.
    pub(crate) fn on(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(SEC_WEBSOCKET_EXTENSIONS)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(Self::accept)
    }

    /// One offer: a name, and parameters with values or without. One with anything unknown, doubled or out of range is
    /// as if it were not there (7.1).
    fn accept(offer: &str) -> Option<Self> {
        let mut parts = offer.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let mut agreed = Self { asked_window: None };
        let mut seen = Vec::new();
        for parameter in parts {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start()))),
                None => (parameter, None),
            };
            let name = name.to_ascii_lowercase();
            match (name.as_str(), value) {
                // The first two are kept in any case. What a client packs with a smaller window can be unpacked.
                (
                    "server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits",
                    None,
                ) => {}
                ("server_max_window_bits", Some(value)) => {
                    agreed.asked_window = Some(window(value).filter(|bits| *bits >= SMALLEST_WINDOW)?);
                }
                ("client_max_window_bits", Some(value)) => {
                    window(value)?;
                }
                _ => return None,
            }
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
        }
        Some(agreed)
    }

    /// What the server says of it.
    pub(crate) fn answer(self) -> HeaderValue {
        let mut answer = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
        if let Some(bits) = self.asked_window {
            // A string takes all that is written to it.
            let _ = write!(answer, "; server_max_window_bits={bits}");
        }
        HeaderValue::try_from(answer).expect("it is visible ASCII")
    }

    /// Logarithm of the window that the server packs with.
    pub(super) fn window_bits(self) -> u8 {
        self.asked_window.unwrap_or(LARGEST_WINDOW)
    }
}

/// A window's size: 8 to 15, without zeros before.
fn window(value: &str) -> Option<u8> {
    let bits: u8 = value.parse().ok()?;
    ((8..=LARGEST_WINDOW).contains(&bits) && !value.starts_with(['0', '+'])).then_some(bits)
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offers: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(offer).unwrap());
        }
        Agreed::on(&headers).map(|agreed| agreed.answer().to_str().unwrap().to_owned())
    }

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn what_browsers_offer_is_taken() {
        assert_eq!(answer(&["permessage-deflate; client_max_window_bits"]).as_deref(), Some(PLAIN));
        assert_eq!(answer(&["x-webkit-deflate-frame, Permessage-Deflate"]).as_deref(), Some(PLAIN));
    }

    #[test]
    fn a_window_is_kept_and_said() {
        let with = |bits: u8| Some(format!("{PLAIN}; server_max_window_bits={bits}"));
        assert_eq!(answer(&["permessage-deflate; server_max_window_bits=9"]), with(9));
        assert_eq!(answer(&["permessage-deflate; server_max_window_bits=\"15\""]), with(15));
        assert_eq!(
            answer(&["permessage-deflate;server_max_window_bits = 12 ; client_max_window_bits=8"]),
            with(12)
        );
    }

    #[test]
    fn the_first_offer_that_can_be_kept_counts() {
        let offers = ["permessage-deflate; server_max_window_bits=8", "permessage-deflate"];
        assert_eq!(answer(&offers).as_deref(), Some(PLAIN));
        let offers = ["permessage-deflate; mode=best, permessage-deflate; server_no_context_takeover"];
        assert_eq!(answer(&offers).as_deref(), Some(PLAIN));
    }

    #[test]
    fn what_the_rules_do_not_know_is_declined() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; client_max_window_bits=+9",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate; ",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer:?}");
        }
    }
}
