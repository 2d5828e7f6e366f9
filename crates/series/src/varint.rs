//! Whole numbers of few bytes (LEB128), and reading what anybody may have written.

/// Why bytes are no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub &'static str);

/// Appends a number: seven bits a byte, the lowest first.
pub fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number with a sign, small where it is near zero (zigzag).
pub fn write_signed(out: &mut Vec<u8>, value: i64) {
    write_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends bytes after their length.
pub fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads bytes from the front, never past their end.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    /// Reads `bytes`.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError("ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }

    /// The next number.
    pub fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError("holds a number that is too large"))
    }

    /// The next number with a sign.
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next number, which counts something: at most `most`.
    pub fn count(&mut self, most: usize) -> Result<usize, DecodeError> {
        match usize::try_from(self.unsigned()?) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(DecodeError("counts more than is allowed")),
        }
    }

    /// The next so many bytes.
    pub fn take(&mut self, count: usize) -> Result<&'b [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError("ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next bytes, which come after their length.
    pub fn bytes(&mut self) -> Result<&'b [u8], DecodeError> {
        let count = self.count(self.0.len())?;
        self.take(count)
    }
}
