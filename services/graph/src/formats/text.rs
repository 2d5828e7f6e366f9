//! Bytes to text: UTF-8 that may be cut anywhere, and says where it is wrong.

use super::{FormatError, Position};

/// Decodes UTF-8 that comes in pieces.
#[derive(Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose rest has not come.
    carry: [u8; 4],
    carried: usize,
    /// Bytes decoded.
    offset: u64,
    /// Newlines decoded.
    newlines: u64,
}

impl Utf8 {
    /// Decodes a piece and hands on what is complete.
    pub(super) fn push(
        &mut self,
        path: &str,
        mut bytes: &[u8],
        mut take: impl FnMut(&str) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        if let Some(nul) = memchr::memchr(0, bytes) {
            let problem = "a NUL byte: this is UTF-16 or not text; convert it to UTF-8";
            return Err(self.wrong(path, &bytes[..nul], problem));
        }
        while self.carried > 0 && !bytes.is_empty() {
            self.carry[self.carried] = bytes[0];
            self.carried += 1;
            bytes = &bytes[1..];
            let carry = self.carry;
            match std::str::from_utf8(&carry[..self.carried]) {
                Ok(character) => {
                    self.carried = 0;
                    self.hand_on(character, &mut take)?;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(self.not_utf8(path, &[], carry[0])),
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.hand_on(text, &mut take),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                if error.error_len().is_some() {
                    return Err(self.not_utf8(path, valid, rest[0]));
                }
                let text = std::str::from_utf8(valid).expect("the part before the error is valid");
                self.hand_on(text, &mut take)?;
                self.carry[..rest.len()].copy_from_slice(rest);
                self.carried = rest.len();
                Ok(())
            }
        }
    }

    /// Checks that the text does not end inside a character.
    pub(super) fn finish(&self, path: &str) -> Result<(), FormatError> {
        if self.carried == 0 {
            return Ok(());
        }
        let at = Position { path: path.to_owned(), line: self.newlines + 1, byte: Some(self.offset) };
        Err(FormatError::Truncated { at, problem: "the text ends inside a character".to_owned() })
    }

    fn hand_on(
        &mut self,
        text: &str,
        take: &mut impl FnMut(&str) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        if text.is_empty() {
            return Ok(());
        }
        let marked = self.offset == 0;
        self.offset += text.len() as u64;
        self.newlines += memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        take(if marked { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text })
    }

    fn not_utf8(&self, path: &str, before: &[u8], byte: u8) -> FormatError {
        let problem = if self.offset == 0 && before.is_empty() && byte >= 0xfe {
            "the byte order mark of UTF-16 or UTF-32; convert it to UTF-8".to_owned()
        } else {
            format!("byte {byte:#04x} is not UTF-8; if this is Latin-1 or the like, convert it to UTF-8")
        };
        self.wrong(path, before, &problem)
    }

    fn wrong(&self, path: &str, before: &[u8], problem: &str) -> FormatError {
        let line = self.newlines + 1 + memchr::memchr_iter(b'\n', before).count() as u64;
        let byte = Some(self.offset + before.len() as u64);
        let at = Position { path: path.to_owned(), line, byte };
        FormatError::Encoding { at, problem: problem.to_owned() }
    }
}

/// Cuts text that comes in pieces into lines without their ends (`\n` or `\r\n`).
#[derive(Default)]
pub(super) struct Lines {
    carry: String,
}

impl Lines {
    /// Hands on every line that is complete. `max` bounds one line in bytes; a longer one is
    /// reported by `false` instead of a text.
    pub(super) fn push<E>(
        &mut self,
        mut text: &str,
        max: usize,
        mut take: impl FnMut(Result<&str, TooLong>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = memchr::memchr(b'\n', text.as_bytes()) {
            let piece = &text[..end];
            text = &text[end + 1..];
            if self.carry.len() + piece.len() > max {
                return take(Err(TooLong));
            }
            if self.carry.is_empty() {
                take(Ok(piece.strip_suffix('\r').unwrap_or(piece)))?;
            } else {
                self.carry.push_str(piece);
                let line = std::mem::take(&mut self.carry);
                take(Ok(line.strip_suffix('\r').unwrap_or(&line)))?;
            }
        }
        if self.carry.len() + text.len() > max {
            return take(Err(TooLong));
        }
        self.carry.push_str(text);
        Ok(())
    }

    /// The last line, if it has no end.
    pub(super) fn finish(&mut self) -> Option<String> {
        let mut line = std::mem::take(&mut self.carry);
        if line.ends_with('\r') {
            line.pop();
        }
        (!line.is_empty()).then_some(line)
    }
}

/// A line is longer than allowed.
pub(super) struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<String, FormatError> {
        let mut utf8 = Utf8::default();
        let mut all = String::new();
        for piece in pieces {
            utf8.push("f", piece, |text| {
                all.push_str(text);
                Ok(())
            })?;
        }
        utf8.finish("f").map(|()| all)
    }

    #[test]
    fn any_cut_gives_the_same_text() {
        let text = "\u{feff}aé\n漢🦀z".as_bytes();
        for first in 0..text.len() {
            for second in first..text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(decode(&pieces).unwrap(), "aé\n漢🦀z");
            }
        }
    }

    #[test]
    fn the_first_wrong_byte_is_named() {
        let error = decode(&[b"ok\nna\xefve"]).unwrap_err();
        let FormatError::Encoding { at, problem } = error else { panic!("{error}") };
        assert_eq!((at.line, at.byte), (2, Some(5)));
        assert!(problem.contains("0xef"), "{problem}");
    }

    #[test]
    fn utf_16_is_named() {
        for bytes in [b"\xff\xfea\0b\0".as_slice(), b"\xfe\xff\0a\0b", b"a\0b\0"] {
            let error = decode(&[bytes]).unwrap_err();
            assert!(error.to_string().contains("UTF-16"), "{error}");
        }
    }

    #[test]
    fn an_end_inside_a_character_is_truncated() {
        assert!(matches!(decode(&["é".as_bytes(), b"\xf0\x9f"]), Err(FormatError::Truncated { .. })));
    }
}
