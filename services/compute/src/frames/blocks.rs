//! How a column of small differences is written in few bits: blocks of 128 values, each in the form
//! that is shortest for it.
//!
//! Fixed widths are what is left of Lemire and Boytsov, "Decoding billions of integers per second
//! through vectorization" (2015); the other form is that of Rice, "Some practical universal noiseless
//! coding techniques" (1979), with an escape, so that one node that jumps costs no other one anything.

use super::DecodeError;

/// Values in a block.
pub(super) const BLOCK: usize = 128;
/// First byte of a block in Rice's form, plus the number of low bits.
const RICE: u8 = 0x20;
/// So many ones announce 16 bits that hold the value itself.
const ESCAPE: u32 = 16;
/// Bytes of a block at most, but for its first one; and room for a word beyond.
const ROOM: usize = BLOCK * 4 + 8;

/// Appends what takes `before` to `now`; `before` is all zeros when absent.
pub(super) fn write(out: &mut Vec<u8>, before: Option<&[i16]>, now: &[i16]) {
    let mut values = [0_u16; BLOCK];
    for (index, now) in now.chunks(BLOCK).enumerate() {
        let values = &mut values[..now.len()];
        if let Some(before) = before {
            let before = &before[index * BLOCK..][..now.len()];
            for ((value, now), before) in values.iter_mut().zip(now).zip(before) {
                *value = zigzag(now.wrapping_sub(*before));
            }
        } else {
            for (value, now) in values.iter_mut().zip(now) {
                *value = zigzag(*now);
            }
        }
        write_block(out, values);
    }
}

fn write_block(out: &mut Vec<u8>, values: &[u16]) {
    let used = values.iter().fold(0_u16, |used, value| used | value);
    if used == 0 {
        out.push(0);
        return;
    }
    let count = values.len() as u32;
    let width = u16::BITS - used.leading_zeros();
    let sum: u32 = values.iter().map(|value| u32::from(*value)).sum();
    // The best number of low bits is near the logarithm of the mean times ln 2.
    let low = (sum / count * 11 / 16).checked_ilog2().unwrap_or(0);
    let rice: u32 = values
        .iter()
        .map(|value| {
            let high = u32::from(value >> low);
            if high < ESCAPE { high + 1 + low } else { 2 * ESCAPE }
        })
        .sum();
    let mut bits = BitWriter::new();
    if rice < width * count {
        out.push(RICE + low as u8);
        for value in values {
            let (value, high) = (u64::from(*value), u32::from(value >> low));
            if high < ESCAPE {
                let ones = (1_u64 << high) - 1;
                let rest = value & ((1 << low) - 1);
                bits.put(ones | (rest << (high + 1)), high + 1 + low);
            } else {
                bits.put(0xffff | (value << ESCAPE), 2 * ESCAPE);
            }
        }
    } else {
        out.push(width as u8);
        for value in values {
            bits.put(u64::from(*value), width);
        }
    }
    out.extend_from_slice(bits.finish());
}

/// Takes a column on by the differences at the beginning of `bytes`, and cuts them off.
pub(super) fn read(bytes: &mut &[u8], column: &mut [i16]) -> Result<(), DecodeError> {
    for block in column.chunks_mut(BLOCK) {
        let (&form, rest) = bytes.split_first().ok_or(DecodeError::Block)?;
        let mut bits = BitReader { bytes: rest, at: 0 };
        match u32::from(form) {
            0 => {}
            width @ 1..=16 => {
                for step in block {
                    let value = bits.peek() & ((1 << width) - 1);
                    bits.at += width as usize;
                    *step = step.wrapping_add(unzigzag(value as u16));
                }
            }
            rice @ 0x20..=0x2f => {
                let low = rice - u32::from(RICE);
                for step in block {
                    let word = bits.peek();
                    let high = word.trailing_ones().min(ESCAPE);
                    let (value, length) = if high < ESCAPE {
                        let rest = (word >> (high + 1)) & ((1 << low) - 1);
                        ((u64::from(high) << low) | rest, high + 1 + low)
                    } else {
                        ((word >> ESCAPE) & 0xffff, 2 * ESCAPE)
                    };
                    bits.at += length as usize;
                    let value = u16::try_from(value).map_err(|_| DecodeError::Block)?;
                    *step = step.wrapping_add(unzigzag(value));
                }
            }
            _ => return Err(DecodeError::Block),
        }
        *bytes = bits.rest()?;
    }
    Ok(())
}

/// Small numbers of either sign as small numbers: 0, −1, 1, −2 become 0, 1, 2, 3.
fn zigzag(value: i16) -> u16 {
    ((value << 1) ^ (value >> 15)) as u16
}

fn unzigzag(value: u16) -> i16 {
    (value >> 1) as i16 ^ -((value & 1) as i16)
}

/// Bits in a row, the lowest first.
struct BitWriter {
    bytes: [u8; ROOM],
    length: usize,
    word: u64,
    filled: u32,
}

impl BitWriter {
    fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0, word: 0, filled: 0 }
    }

    /// At most 32 bits at once.
    #[inline]
    fn put(&mut self, bits: u64, count: u32) {
        self.word |= bits << self.filled;
        self.filled += count;
        if self.filled >= 32 {
            self.bytes[self.length..self.length + 4].copy_from_slice(&(self.word as u32).to_le_bytes());
            self.length += 4;
            self.word >>= 32;
            self.filled -= 32;
        }
    }

    /// Zero bits fill the last byte up.
    fn finish(&mut self) -> &[u8] {
        self.bytes[self.length..self.length + 4].copy_from_slice(&(self.word as u32).to_le_bytes());
        &self.bytes[..self.length + (self.filled as usize).div_ceil(8)]
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits that are behind; beyond the end where the bytes are too few.
    at: usize,
}

impl<'a> BitReader<'a> {
    /// The next 57 bits at least; zeros beyond the end.
    #[inline]
    fn peek(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or(&[]);
        let word = rest.first_chunk::<8>().map_or_else(
            || rest.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte)),
            |word| u64::from_le_bytes(*word),
        );
        word >> (self.at % 8)
    }

    /// What comes after the byte that was read last, whose unread bits must be zero.
    fn rest(&self) -> Result<&'a [u8], DecodeError> {
        let (read, rest) = self.bytes.split_at_checked(self.at.div_ceil(8)).ok_or(DecodeError::Block)?;
        match read.last() {
            Some(last) if !self.at.is_multiple_of(8) && last >> (self.at % 8) != 0 => {
                Err(DecodeError::Padding)
            }
            _ => Ok(rest),
        }
    }
}
