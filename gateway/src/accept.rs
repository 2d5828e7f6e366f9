//! Which media type an `Accept` header prefers (RFC 9110, 12.5.1).

use http::{HeaderMap, header};

/// A media type that can be answered with.
pub(crate) type Offer = &'static str;

pub(crate) const JSON: Offer = "application/json";
pub(crate) const NDJSON: Offer = "application/x-ndjson";
pub(crate) const EVENTS: Offer = "text/event-stream";

/// The offer that the client likes best; among equals the one that it names most exactly, then
/// the first. `None` if it accepts none. Without a header everything is accepted.
pub(crate) fn choose(headers: &HeaderMap, offers: &[Offer]) -> Option<Offer> {
    let ranges: Vec<Range<'_>> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    if ranges.is_empty() {
        return offers.first().copied();
    }
    let mut best: Option<(u16, u8, Offer)> = None;
    for offer in offers {
        let Some(range) =
            ranges.iter().filter(|range| range.admits(offer)).max_by_key(|range| range.exactness())
        else {
            continue;
        };
        let (quality, exactness) = (range.quality, range.exactness());
        if quality > 0 && best.is_none_or(|(most, exact, _)| (quality, exactness) > (most, exact)) {
            best = Some((quality, exactness, offer));
        }
    }
    best.map(|(_, _, offer)| offer)
}

/// Whether an `Accept` header names `text/html`: a person with a browser, not a program.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .any(|range| range.kind == "text" && range.subtype == "html" && range.quality > 0)
}

struct Range<'h> {
    kind: &'h str,
    subtype: &'h str,
    /// Thousandths.
    quality: u16,
}

impl<'h> Range<'h> {
    fn parse(text: &'h str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts
            .find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")))
            .map_or(Some(1.0), |quality| quality.parse::<f32>().ok())?;
        Some(Self { kind, subtype, quality: (quality.clamp(0.0, 1.0) * 1000.0) as u16 })
    }

    fn admits(&self, offer: &str) -> bool {
        let (kind, subtype) = offer.split_once('/').expect("offers are media types");
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn exactness(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn chooses_what_the_client_likes_best() {
        let offers = [NDJSON, EVENTS, JSON];
        for (accept, expected) in [
            ("*/*", Some(NDJSON)),
            ("application/*", Some(NDJSON)),
            ("text/*", Some(EVENTS)),
            ("application/json", Some(JSON)),
            ("application/json, text/plain, */*", Some(JSON)),
            ("text/event-stream", Some(EVENTS)),
            ("application/json;q=0.5, text/event-stream;q=0.8", Some(EVENTS)),
            ("application/x-ndjson;q=0, */*;q=0.1", Some(EVENTS)),
            ("Application/JSON; charset=utf-8", Some(JSON)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("nonsense", Some(NDJSON)),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(choose(&headers, &offers), expected, "{accept}");
        }
        assert_eq!(choose(&HeaderMap::new(), &offers), Some(NDJSON));
    }

    #[test]
    fn knows_a_browser() {
        let page =
            |accept| wants_page(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]));
        assert!(page("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!page("*/*"));
        assert!(!page("application/json"));
    }
}
