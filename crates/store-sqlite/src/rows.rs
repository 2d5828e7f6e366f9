//! Rows of a statement as one JSON array, bytes as hexadecimal: one statement for any number of rows, checked when this
//! crate is compiled. SQLite has no arrays as parameters.

use std::fmt::Write;

/// Rows of one statement as JSON.
pub(crate) struct Rows(String);

impl Rows {
    pub(crate) fn new(rows: usize) -> Self {
        let mut text = String::with_capacity(rows * 256);
        text.push('[');
        Self(text)
    }

    pub(crate) fn begin(&mut self) {
        self.0.push_str(if self.0.len() == 1 { "[0" } else { ",[0" });
    }

    pub(crate) fn number(&mut self, number: i64) {
        // A string takes everything.
        let _ = write!(self.0, ",{number}");
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.0.push(',');
        self.0.push_str(&serde_json::to_string(text).expect("text is always JSON"));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.0.push_str(",\"");
        for byte in bytes {
            self.0.push(char::from(DIGITS[usize::from(byte >> 4)]));
            self.0.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        self.0.push('"');
    }

    pub(crate) fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.0.push_str(",null"),
        }
    }

    pub(crate) fn optional_number(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.number(number),
            None => self.0.push_str(",null"),
        }
    }

    pub(crate) fn optional_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.push_str(",null"),
        }
    }

    pub(crate) fn end(&mut self) {
        self.0.push(']');
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push(']');
        self.0
    }
}
