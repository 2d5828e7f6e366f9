//! Whole numbers as differences, in blocks of as few bits as each block needs.
//!
//! A column is its first number, and then either the differences of neighbours or, where that is smaller, the
//! differences of those (times and steady counters). A block of differences is its smallest one, and what each is
//! more than that in bits of one width ("frame of reference", Goldstein et al. 1998).

use crate::varint::{DecodeError, Reader, write_signed, write_unsigned};

/// Numbers in a block: a step that is unusually large makes this many others wide.
const BLOCK: usize = 64;
/// Differences of differences.
const SECOND: u8 = 1;
/// All differences have a factor in common, which follows.
const FACTOR: u8 = 2;

pub(super) fn encode(numbers: &[i64], out: &mut Vec<u8>) {
    let Some(first) = numbers.first() else { return };
    if numbers.len() == 1 {
        return write_signed(out, *first);
    }
    let mut steps = differences(numbers);
    let factor = common(&steps);
    if factor > 1 {
        for step in &mut steps {
            *step /= factor;
        }
    }
    let second = differences(&steps);
    let is_second = numbers.len() > 2 && cost(&second) + 2 < cost(&steps);
    out.push(if is_second { SECOND } else { 0 } | if factor > 1 { FACTOR } else { 0 });
    write_signed(out, *first);
    if factor > 1 {
        write_unsigned(out, factor as u64);
    }
    if is_second {
        write_signed(out, steps[0]);
        blocks(&second, out);
    } else {
        blocks(&steps, out);
    }
}

pub(super) fn decode(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, DecodeError> {
    match count {
        0 => return Ok(Vec::new()),
        1 => return Ok(vec![reader.signed()?]),
        _ => {}
    }
    let head = reader.byte()?;
    let first = reader.signed()?;
    let factor = if head & FACTOR == 0 { 1 } else { reader.unsigned()? as i64 };
    let mut numbers = Vec::with_capacity(count);
    numbers.push(first);
    let mut at = first;
    if head & SECOND == 0 {
        unpack(reader, count - 1, |step| {
            at = at.wrapping_add(step.wrapping_mul(factor));
            numbers.push(at);
        })?;
        return Ok(numbers);
    }
    let mut step = reader.signed()?;
    at = at.wrapping_add(step.wrapping_mul(factor));
    numbers.push(at);
    unpack(reader, count - 2, |change| {
        step = step.wrapping_add(change);
        at = at.wrapping_add(step.wrapping_mul(factor));
        numbers.push(at);
    })?;
    Ok(numbers)
}

fn differences(numbers: &[i64]) -> Vec<i64> {
    numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect()
}

/// The greatest factor of all; 1 where there is none, or all are zero.
fn common(steps: &[i64]) -> i64 {
    let mut factor = 0u64;
    for step in steps {
        let (mut one, mut other) = (factor, step.unsigned_abs());
        while other != 0 {
            (one, other) = (other, one % other);
        }
        factor = one;
        if factor == 1 {
            return 1;
        }
    }
    i64::try_from(factor).unwrap_or(1).max(1)
}

fn range(block: &[i64]) -> (i64, u32) {
    let (least, most) =
        block.iter().fold((i64::MAX, i64::MIN), |(least, most), step| (least.min(*step), most.max(*step)));
    (least, 64 - (most.wrapping_sub(least) as u64).leading_zeros())
}

/// Bytes of the blocks, nearly.
fn cost(steps: &[i64]) -> usize {
    steps.chunks(BLOCK).map(|block| 2 + (range(block).1 as usize * block.len()).div_ceil(8)).sum()
}

fn blocks(steps: &[i64], out: &mut Vec<u8>) {
    for block in steps.chunks(BLOCK) {
        let (least, width) = range(block);
        out.push(width as u8);
        write_signed(out, least);
        if width > 0 {
            pack(block, least, width, out);
        }
    }
}

/// Bits of one width, the lowest first.
fn pack(block: &[i64], least: i64, width: u32, out: &mut Vec<u8>) {
    let (mut held, mut bits) = (0u128, 0);
    for step in block {
        held |= u128::from(step.wrapping_sub(least) as u64) << bits;
        bits += width;
        if bits >= 64 {
            out.extend((held as u64).to_le_bytes());
            held >>= 64;
            bits -= 64;
        }
    }
    out.extend(&held.to_le_bytes()[..bits.div_ceil(8) as usize]);
}

fn unpack(reader: &mut Reader<'_>, count: usize, mut each: impl FnMut(i64)) -> Result<(), DecodeError> {
    let mut left = count;
    while left > 0 {
        let numbers = left.min(BLOCK);
        left -= numbers;
        let width = u32::from(reader.byte()?);
        let least = reader.signed()?;
        match width {
            0 => (0..numbers).for_each(|_| each(least)),
            1..=64 => {
                let bytes = reader.take((width as usize * numbers).div_ceil(8))?;
                let mask = u64::MAX >> (64 - width);
                let mut words = bytes.chunks(8).map(|word| {
                    let mut whole = [0; 8];
                    whole[..word.len()].copy_from_slice(word);
                    u64::from_le_bytes(whole)
                });
                let (mut held, mut bits) = (0u128, 0);
                for _ in 0..numbers {
                    if bits < width {
                        held |= u128::from(words.next().unwrap_or(0)) << bits;
                        bits += 64;
                    }
                    each(least.wrapping_add((held as u64 & mask) as i64));
                    held >>= width;
                    bits -= width;
                }
            }
            _ => return Err(DecodeError("holds a width that is too large")),
        }
    }
    Ok(())
}
