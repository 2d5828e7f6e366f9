//! NUMERIC as it is on the wire: groups of four decimal digits.

use std::fmt::Write;

/// What stands for no number.
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;
/// Most digits before the point, and after it.
const MOST: usize = 140_000;

/// The digits as PostgreSQL shows them, or nothing where they are none.
pub(super) fn numeric(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(2 * at..2 * at + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (word(0)?, word(1)?.cast_signed(), word(2)?, word(3)?);
    match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITY => return Some("Infinity".to_owned()),
        MINUS_INFINITY => return Some("-Infinity".to_owned()),
        0 | NEGATIVE => {}
        _ => return None,
    }
    let groups = (0..count).map(|at| word(4 + at as usize).filter(|group| *group < 10_000));
    let groups = groups.collect::<Option<Vec<_>>>()?;
    // The group that stands `place` before the point; -1 is the first one after it.
    let group = |place: i32| {
        let at = i32::from(weight) - place;
        usize::try_from(at).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let mut text = String::new();
    for place in (0..=i32::from(weight).max(0)).rev() {
        let _ = write!(text, "{:04}", group(place));
    }
    let whole = text.trim_start_matches('0');
    let mut text = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    if scale > 0 {
        let mut fraction = String::new();
        let mut place = -1;
        while fraction.len() < scale as usize {
            let _ = write!(fraction, "{:04}", group(place));
            place -= 1;
        }
        fraction.truncate(scale as usize);
        text = format!("{text}.{fraction}");
    }
    let is_zero = text.bytes().all(|digit| matches!(digit, b'0' | b'.'));
    let text = if sign == NEGATIVE && !is_zero { format!("-{text}") } else { text };
    (text.len() <= MOST).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[i32]) -> Option<String> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| (*word as u16).to_be_bytes()).collect();
        numeric(&bytes)
    }

    #[test]
    fn digits_come_as_they_are() {
        for (words, expected) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[0, 0, 0, 2], "0.00"),
            (&[1, 0, 0, 0, 42], "42"),
            (&[2, 0, 0x4000, 2, 12, 3400], "-12.34"),
            (&[2, 1, 0, 0, 1, 5], "10005"),
            (&[1, 2, 0, 0, 7], "700000000"),
            (&[1, -1, 0, 4, 5], "0.0005"),
            (&[1, -2, 0, 8, 12], "0.00000012"),
            (&[0, 0, 0xC000, 0], "NaN"),
            (&[0, 0, 0xF000, 0], "-Infinity"),
        ] {
            assert_eq!(of(words).as_deref(), Some(expected));
        }
        for words in [&[1, 0, 0, 0][..], &[1, 0, 0, 0, 10_000], &[0, 0, 1, 0], &[0]] {
            assert_eq!(of(words), None, "{words:?}");
        }
        // A few bytes can be many digits, and no more than PostgreSQL has.
        assert_eq!(of(&[1, 32_767, 0, 0, 1]).map(|text| text.len()), Some(131_069));
    }
}
