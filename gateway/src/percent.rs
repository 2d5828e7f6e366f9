//! Percent-decoding, with the rules of paths and of queries.

use std::borrow::Cow;

/// What stays encoded, and what a plus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A path variable of one segment: everything is decoded.
    Segment,
    /// A path variable of several segments: `%2F` stays, so that it can be told from a `/`.
    Segments,
    /// A name or value of a query: `+` is a space.
    Query,
}

/// Decodes `text`.
///
/// # Errors
/// What is wrong: a `%` without two hexadecimal digits, or bytes that are not UTF-8.
pub(crate) fn decode(text: &str, part: Part) -> Result<Cow<'_, str>, &'static str> {
    let plus = part == Part::Query;
    if !text.bytes().any(|byte| byte == b'%' || (plus && byte == b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' if plus => decoded.push(b' '),
            b'%' => {
                let [high, low, after @ ..] = rest else {
                    return Err("has a % without two hexadecimal digits");
                };
                let (Some(high_bits), Some(low_bits)) = (hex(*high), hex(*low)) else {
                    return Err("has a % without two hexadecimal digits");
                };
                rest = after;
                match (high_bits << 4) | low_bits {
                    b'/' if part == Part::Segments => decoded.extend_from_slice(&[b'%', *high, *low]),
                    byte => decoded.push(byte),
                }
            }
            byte => decoded.push(*byte),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| "is not UTF-8")
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_by_the_rules_of_the_part() {
        for (text, part, expected) in [
            ("plain", Part::Segment, Ok("plain")),
            ("a%2Fb%20c", Part::Segment, Ok("a/b c")),
            ("a%2Fb%2fc/d%20e", Part::Segments, Ok("a%2Fb%2fc/d e")),
            ("%252F", Part::Segments, Ok("%2F")),
            ("a+b%2Bc", Part::Query, Ok("a b+c")),
            ("a+b", Part::Segment, Ok("a+b")),
            ("%E2%82%AC", Part::Query, Ok("€")),
            ("%", Part::Query, Err("has a % without two hexadecimal digits")),
            ("%2", Part::Segment, Err("has a % without two hexadecimal digits")),
            ("%+1", Part::Segment, Err("has a % without two hexadecimal digits")),
            ("%zz", Part::Segments, Err("has a % without two hexadecimal digits")),
            ("%FF", Part::Segment, Err("is not UTF-8")),
            ("%C0%AF", Part::Segment, Err("is not UTF-8")),
        ] {
            assert_eq!(decode(text, part).as_deref(), expected.as_ref().map(|text| *text), "{text}");
        }
    }
}
