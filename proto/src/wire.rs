//! Reading one field out of an encoded message without decoding the rest.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The string at `path` (field numbers, outermost first) of an encoded message; `None` where
/// the message does not have it or is not well formed. The last occurrence counts, as in
/// protobuf itself. The cost is one skip for each field at the levels of the path.
pub fn string_at<'a>(mut message: &'a [u8], path: &[u32]) -> Option<&'a str> {
    let (&last, parents) = path.split_last()?;
    for &number in parents {
        message = last_field(message, number)?;
    }
    std::str::from_utf8(last_field(message, last)?).ok()
}

/// Whether the bool at `path` of an encoded message is true; false where the message does not have it or
/// is not well formed, and for an empty path. As cheap as [`string_at`].
pub fn bool_at(mut message: &[u8], path: &[u32]) -> bool {
    let Some((&last, parents)) = path.split_last() else { return false };
    for &number in parents {
        let Some(inside) = last_field(message, number) else { return false };
        message = inside;
    }
    let mut is_true = false;
    while !message.is_empty() {
        let Ok((number, wire_type)) = decode_key(&mut message) else { return false };
        if number == last && wire_type == WireType::Varint {
            let Ok(value) = decode_varint(&mut message) else { return false };
            is_true = value != 0;
        } else if skip_field(wire_type, number, &mut message, DecodeContext::default()).is_err() {
            return false;
        }
    }
    is_true
}

fn last_field(message: &[u8], wanted: u32) -> Option<&[u8]> {
    let mut rest = message;
    let mut found = None;
    while !rest.is_empty() {
        if let Field::Wanted(value) = next_field(&mut rest, wanted)? {
            found = Some(value);
        }
    }
    found
}

/// All fields of that number whose values have a length, up to where the message is not well formed.
pub(crate) fn fields(mut rest: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            if let Field::Wanted(value) = next_field(&mut rest, wanted)? {
                return Some(value);
            }
        }
        None
    })
}

enum Field<'a> {
    Wanted(&'a [u8]),
    Other,
}

/// Takes one field off the message; `None` where it is not well formed.
fn next_field<'a>(rest: &mut &'a [u8], wanted: u32) -> Option<Field<'a>> {
    let (number, wire_type) = decode_key(rest).ok()?;
    if number != wanted || wire_type != WireType::LengthDelimited {
        skip_field(wire_type, number, rest, DecodeContext::default()).ok()?;
        return Some(Field::Other);
    }
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let (value, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(Field::Wanted(value))
}

/// Whether an encoded message is a sequence of fields. What is inside of them is not looked at.
pub fn is_well_formed(message: &[u8]) -> bool {
    let mut rest = message;
    while !rest.is_empty() {
        let Ok((number, wire_type)) = decode_key(&mut rest) else { return false };
        if skip_field(wire_type, number, &mut rest, DecodeContext::default()).is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::{bool_at, is_well_formed, string_at};
    use crate::weft::graph::v1::{Graph, UpdateGraphRequest};

    fn request() -> Vec<u8> {
        UpdateGraphRequest {
            graph: Some(Graph {
                name: "projects/p/graphs/g".into(),
                display_name: "x".repeat(300),
                revision: 7,
                ..Graph::default()
            }),
            update_mask: None,
        }
        .encode_to_vec()
    }

    #[test]
    fn finds_a_nested_name() {
        assert_eq!(string_at(&request(), &[1, 1]), Some("projects/p/graphs/g"));
    }

    #[test]
    fn takes_the_last_of_two() {
        let mut twice = request();
        twice.extend(
            UpdateGraphRequest {
                graph: Some(Graph { name: "projects/q/graphs/g".into(), ..Graph::default() }),
                update_mask: None,
            }
            .encode_to_vec(),
        );
        assert_eq!(string_at(&twice, &[1, 1]), Some("projects/q/graphs/g"));
    }

    #[test]
    fn reads_a_nested_bool() {
        // 1: { 2: bytes, 4: true }, and the same with false after it.
        let message = b"\x0a\x06\x12\x02xx\x20\x01";
        assert!(bool_at(message, &[1, 4]));
        assert!(!bool_at(b"\x0a\x04\x20\x01\x20\x00", &[1, 4]));
        for path in [&[][..], &[1], &[1, 2], &[1, 3], &[4], &[2, 4]] {
            assert!(!bool_at(message, path), "{path:?}");
        }
        for cut in 0..message.len() {
            assert!(!bool_at(&message[..cut], &[1, 4]), "cut at {cut}");
        }
    }

    #[test]
    fn cut_is_not_well_formed() {
        let whole = request();
        assert!(is_well_formed(&whole) && is_well_formed(b""));
        for cut in 1..whole.len() {
            assert!(!is_well_formed(&whole[..cut]), "cut at {cut}");
        }
    }

    #[test]
    fn absent_or_broken_is_none() {
        assert_eq!(string_at(&request(), &[9]), None);
        assert_eq!(string_at(&request(), &[]), None);
        let whole = request();
        for cut in 1..whole.len() {
            // Cut anywhere, it is None or the whole name, and never a panic.
            let found = string_at(&whole[..cut], &[1, 1]);
            assert!(matches!(found, None | Some("projects/p/graphs/g")), "cut at {cut}");
        }
    }
}
