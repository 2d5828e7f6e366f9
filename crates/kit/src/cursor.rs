//! Where in a list does the next page begin? After the values of the last element, which are the
//! same in every process.

/// A cursor that does not say a place in this list.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not one that this list gave")]
pub struct CursorError;

/// Between two values: no key, type or name has a control character.
const BETWEEN: char = '\u{1f}';

/// A place in a list: the values that it is sorted by, as text for a page token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Adds a number.
    pub fn number(self, number: u32) -> Self {
        self.text(&number.to_string())
    }

    /// Adds a fraction, exactly.
    pub fn fraction(self, fraction: f64) -> Self {
        self.text(&format!("{:x}", fraction.to_bits()))
    }

    /// Adds a text without control characters.
    pub fn text(mut self, text: &str) -> Self {
        self.0.push_str(text);
        self.0.push(BETWEEN);
        self
    }

    /// The cursor as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a cursor, value by value, in the order in which they were added.
#[derive(Clone, Debug)]
pub struct CursorReader<'a>(&'a str);

impl<'a> CursorReader<'a> {
    /// Reads the cursor in a page token; there is none for the first page.
    pub fn new(cursor: &'a str) -> Option<Self> {
        (!cursor.is_empty()).then_some(Self(cursor))
    }

    /// The next value: a number.
    ///
    /// # Errors
    /// If there is none.
    pub fn number(&mut self) -> Result<u32, CursorError> {
        self.text()?.parse().map_err(|_| CursorError)
    }

    /// The next value: a fraction; never NaN.
    ///
    /// # Errors
    /// If there is none.
    pub fn fraction(&mut self) -> Result<f64, CursorError> {
        let bits = u64::from_str_radix(self.text()?, 16).map_err(|_| CursorError)?;
        let fraction = f64::from_bits(bits);
        if fraction.is_nan() { Err(CursorError) } else { Ok(fraction) }
    }

    /// The next value: a text.
    ///
    /// # Errors
    /// If there is none.
    pub fn text(&mut self) -> Result<&'a str, CursorError> {
        let (text, rest) = self.0.split_once(BETWEEN).ok_or(CursorError)?;
        self.0 = rest;
        Ok(text)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// If something is.
    pub fn end(self) -> Result<(), CursorError> {
        if self.0.is_empty() { Ok(()) } else { Err(CursorError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_brings_its_values_back() {
        let cursor = Cursor::default().number(7).fraction(0.1).text("").text("libc6");
        let mut reader = CursorReader::new(cursor.as_str()).expect("not the first page");
        assert_eq!((reader.number(), reader.fraction()), (Ok(7), Ok(0.1)));
        assert_eq!((reader.text(), reader.text()), (Ok(""), Ok("libc6")));
        assert_eq!(reader.end(), Ok(()));
        assert!(CursorReader::new("").is_none());
    }

    #[test]
    fn what_was_tampered_with_is_refused() {
        let cursor = Cursor::default().number(7).text("x");
        for cut in 1..cursor.as_str().len() {
            let mut reader = CursorReader::new(&cursor.as_str()[..cut]).expect("not the first page");
            assert!(reader.number().is_err() || reader.text().is_err(), "cut at {cut}");
        }
        for bad in ["x\u{1f}", "-1\u{1f}", "4294967296\u{1f}", "7"] {
            assert!(CursorReader::new(bad).expect("not empty").number().is_err(), "{bad}");
        }
        let nan = Cursor::default().text("7ff8000000000000");
        assert!(CursorReader::new(nan.as_str()).expect("not empty").fraction().is_err());
        let mut longer = CursorReader::new("1\u{1f}2\u{1f}").expect("not empty");
        assert_eq!((longer.number(), longer.end()), (Ok(1), Err(CursorError)));
    }
}
