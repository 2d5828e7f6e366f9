//! A column of numbers in few bytes, exact to the bit.
//!
//! Values that people and programs measure are decimals of few digits, or whole numbers. Such a column is kept as
//! whole numbers of a power of ten ([`scaled`]), of which only the differences are written, or the differences of
//! those, in blocks of as few bits as the block needs ([`packed`]); what all differences have in common as a factor
//! (pages of memory) is written once. Values that are no such numbers (infinite, NaN, the mark of an end) are written
//! beside it. What is no decimal at all is kept as bits ([`floats`]).
//!
//! The prototype behind it and what others need for the same samples: `docs/adr/0017-telemetry.md`.

mod floats;
mod packed;
mod scaled;

use crate::{
    value::{ABSENT, is_absent},
    varint::{DecodeError, Reader, write_unsigned},
};

/// No value at all.
const EMPTY: u8 = 0;
/// Whole numbers.
const WHOLE: u8 = 1;
/// Whole numbers of a power of ten, which follows.
const SCALED: u8 = 2;
/// Bits.
const FLOATS: u8 = 3;
const KIND: u8 = 0x0f;
/// Values beside the numbers: their places and bits follow.
const BESIDE: u8 = 0x40;
/// Some rows have no value: a bit for each row follows.
const GAPS: u8 = 0x80;

/// Appends a column; rows without a value are [`ABSENT`].
pub fn encode(values: &[f64], out: &mut Vec<u8>) {
    let there = values.iter().filter(|value| !is_absent(**value)).count();
    if there == 0 {
        return out.push(EMPTY);
    }
    let gaps = if there < values.len() { GAPS } else { 0 };
    let mut dense = Vec::new();
    let present: &[f64] = if gaps == 0 {
        values
    } else {
        dense.extend(values.iter().copied().filter(|value| !is_absent(*value)));
        &dense
    };
    let numbers = scaled::Numbers::of(present);
    let (kind, beside) = match &numbers {
        Some(numbers) => {
            let kind = if numbers.exponent == 0 { WHOLE } else { SCALED };
            (kind, if numbers.beside.is_empty() { 0 } else { BESIDE })
        }
        None => (FLOATS, 0),
    };
    out.push(kind | gaps | beside);
    if gaps != 0 {
        write_gaps(values, out);
    }
    match numbers {
        None => floats::encode(present, out),
        Some(numbers) => {
            if kind == SCALED {
                out.push(numbers.exponent);
            }
            if beside != 0 {
                write_unsigned(out, numbers.beside.len() as u64);
                for (place, value) in &numbers.beside {
                    write_unsigned(out, *place as u64);
                    out.extend(value.to_bits().to_le_bytes());
                }
            }
            packed::encode(&numbers.whole, out);
        }
    }
}

/// Reads a column of `rows` rows.
///
/// # Errors
/// The bytes are none, or are not all of it.
pub fn decode(bytes: &[u8], rows: usize) -> Result<Vec<f64>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let head = reader.byte()?;
    if head == EMPTY {
        return end(reader, vec![ABSENT; rows]);
    }
    let gaps = if head & GAPS == 0 { None } else { Some(reader.take(rows.div_ceil(8))?) };
    let is_there = |row: usize| gaps.is_none_or(|gaps| gaps[row / 8] >> (row % 8) & 1 == 1);
    let there = gaps.map_or(rows, |_| (0..rows).filter(|row| is_there(*row)).count());
    let dense = match head & KIND {
        FLOATS => floats::decode(&mut reader, there)?,
        kind @ (WHOLE | SCALED) => {
            let exponent = if kind == SCALED { reader.byte()? } else { 0 };
            let mut beside = Vec::new();
            if head & BESIDE != 0 {
                for _ in 0..reader.count(there)? {
                    let place = reader.count(there.saturating_sub(1))?;
                    let bits = reader.take(8)?.try_into().map_err(|_| DecodeError("ends too early"))?;
                    beside.push((place, f64::from_bits(u64::from_le_bytes(bits))));
                }
            }
            let whole = packed::decode(&mut reader, there - beside.len())?;
            scaled::values(&whole, exponent, &beside)?
        }
        _ => return Err(DecodeError("holds a column of an unknown kind")),
    };
    if gaps.is_none() {
        return end(reader, dense);
    }
    let mut dense = dense.into_iter();
    let spread = (0..rows).map(|row| if is_there(row) { dense.next().unwrap_or(ABSENT) } else { ABSENT });
    end(reader, spread.collect())
}

/// Appends a column of times, in milliseconds.
pub fn encode_times(times: &[i64], out: &mut Vec<u8>) {
    packed::encode(times, out);
}

/// Reads a column of `rows` times.
///
/// # Errors
/// The bytes are none.
pub fn decode_times(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<i64>, DecodeError> {
    packed::decode(reader, rows)
}

fn write_gaps(values: &[f64], out: &mut Vec<u8>) {
    for rows in values.chunks(8) {
        let bit = |(place, value): (usize, &f64)| u8::from(!is_absent(*value)) << place;
        out.push(rows.iter().enumerate().map(bit).sum());
    }
}

fn end<T>(reader: Reader<'_>, read: T) -> Result<T, DecodeError> {
    if reader.is_empty() { Ok(read) } else { Err(DecodeError("goes on after its end")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::STALE;

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn size(values: &[f64]) -> usize {
        let mut out = Vec::new();
        encode(values, &mut out);
        let read = decode(&out, values.len()).expect("it was written here");
        assert_eq!(bits(&read), bits(values));
        out.len()
    }

    #[test]
    fn usual_columns_are_small() {
        let rows = 0..240;
        let constant: Vec<f64> = rows.clone().map(|_| 8_589_934_592.0).collect();
        assert!(size(&constant) <= 16, "{}", size(&constant));
        let counter: Vec<f64> = rows.clone().map(|row| 1e9 + f64::from(row) * 1_500.0).collect();
        assert!(size(&counter) <= 24, "{}", size(&counter));
        let pages: Vec<f64> = rows.clone().map(|row| f64::from(row * row % 97) * 4_096.0).collect();
        assert!(size(&pages) <= 260, "{}", size(&pages));
        let percent: Vec<f64> = rows.map(|row| f64::from(row * 7 % 31) / 10.0).collect();
        assert!(size(&percent) <= 240, "{}", size(&percent));
        assert!(size(&[42.0]) <= 3);
    }

    #[test]
    fn values_that_are_no_numbers_stand_beside() {
        let odd = [1.0, f64::NAN, 2.5, STALE, f64::INFINITY, -0.0, ABSENT, f64::MIN_POSITIVE, 3.0, ABSENT];
        size(&odd);
        size(&[ABSENT; 9]);
        size(&[]);
        size(&[f64::NAN, STALE]);
        size(&[std::f64::consts::PI; 40]);
        size(&[i64::MAX as f64, i64::MIN as f64, 0.0, 1e300, -1e-300]);
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-1_000_000i64..1_000_000, 0u32..6).prop_map(|(n, e)| n as f64 / f64::from(10u32.pow(e))),
            2 => any::<i64>().prop_map(|n| n as f64),
            1 => any::<u64>().prop_map(f64::from_bits),
            1 => Just(ABSENT),
            1 => Just(STALE),
        ]
    }

    proptest! {
        #[test]
        fn every_column_comes_back_bit_by_bit(values in proptest::collection::vec(value(), 0..300)) {
            size(&values);
        }

        #[test]
        fn every_column_of_times_comes_back(times in proptest::collection::vec(any::<i64>(), 0..300)) {
            let mut out = Vec::new();
            encode_times(&times, &mut out);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(decode_times(&mut reader, times.len()), Ok(times));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), rows in 0usize..500) {
            let _ = decode(&bytes, rows);
            let _ = decode_times(&mut Reader::new(&bytes), rows);
        }
    }
}
