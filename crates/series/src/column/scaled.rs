//! Decimals as whole numbers of a power of ten, where that is exact to the bit.
//!
//! A decimal of at most 15 digits is the double nearest to it; the quotient of a whole number below 2^53 and a power
//! of ten up to 10^22 is rounded once, so it is that double again.

use crate::varint::DecodeError;

/// The largest power that is tried: values of finer steps are floats.
const MOST: u8 = 9;
/// Whole numbers up to here are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;
const POWERS: [f64; MOST as usize + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// A column as whole numbers.
pub(super) struct Numbers {
    pub(super) exponent: u8,
    pub(super) whole: Vec<i64>,
    /// Those that are no numbers, with their places in the column.
    pub(super) beside: Vec<(usize, f64)>,
}

impl Numbers {
    /// `None` where it has values that no power makes whole, or most are no numbers.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut exponent = 0;
        let mut aside = 0;
        for value in values {
            if is_aside(*value) {
                aside += 1;
                continue;
            }
            // A power that suits one value suits those before it, if it does not make them too large.
            while whole(*value, exponent).is_none() {
                exponent += 1;
                if exponent > MOST {
                    return None;
                }
            }
        }
        if aside * 4 > values.len() {
            return None;
        }
        let mut numbers = Self { exponent, whole: Vec::with_capacity(values.len()), beside: Vec::new() };
        for (place, value) in values.iter().enumerate() {
            if is_aside(*value) {
                numbers.beside.push((place, *value));
            } else {
                numbers.whole.push(whole(*value, exponent)?);
            }
        }
        Some(numbers)
    }
}

/// Back to values; those of `beside` at their places, which are in order.
pub(super) fn values(whole: &[i64], exponent: u8, beside: &[(usize, f64)]) -> Result<Vec<f64>, DecodeError> {
    let power = *POWERS.get(usize::from(exponent)).ok_or(DecodeError("holds an unknown power"))?;
    if beside.is_empty() {
        return Ok(if exponent == 0 {
            whole.iter().map(|number| *number as f64).collect()
        } else {
            whole.iter().map(|number| *number as f64 / power).collect()
        });
    }
    let (mut numbers, mut aside) = (whole.iter(), beside.iter().peekable());
    let mut values = Vec::with_capacity(whole.len() + beside.len());
    for place in 0..whole.len() + beside.len() {
        match aside.next_if(|(at, _)| *at == place) {
            Some((_, value)) => values.push(*value),
            None => match numbers.next() {
                Some(number) => values.push(*number as f64 / power),
                None => return Err(DecodeError("holds values out of their places")),
            },
        }
    }
    Ok(values)
}

/// Infinite, NaN, and minus zero, which no whole number is.
fn is_aside(value: f64) -> bool {
    !value.is_finite() || (value == 0.0 && value.is_sign_negative())
}

fn whole(value: f64, exponent: u8) -> Option<i64> {
    let power = POWERS[usize::from(exponent)];
    let number = (value * power).round();
    (number.abs() < EXACT && number / power == value).then_some(number as i64)
}
