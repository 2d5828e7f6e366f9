//! Text as XML holds it.

use std::fmt::Write as _;

/// Whether XML 1.0 can hold a text at all: no control characters but tab and line ends, no
/// non-characters.
pub(in super::super) fn fits(text: &str) -> bool {
    text.chars().all(allowed)
}

fn allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// Adds a text that is safe in an attribute and between tags; what XML cannot hold becomes U+FFFD.
pub(in super::super) fn push(line: &mut String, text: &str) {
    if !text.contains(|character: char| matches!(character, '<' | '>' | '&' | '"' | '\'') || character < ' ')
        && fits(text)
    {
        line.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '<' => line.push_str("&lt;"),
            '>' => line.push_str("&gt;"),
            '&' => line.push_str("&amp;"),
            '"' => line.push_str("&quot;"),
            // Line ends and tabs are normalised by every parser unless they are written as numbers.
            '\t' | '\n' | '\r' => {
                let _ = write!(line, "&#{};", u32::from(character));
            }
            other if allowed(other) => line.push(other),
            _ => line.push('\u{fffd}'),
        }
    }
}

/// Adds ` name="value"`.
pub(in super::super) fn push_attribute(line: &mut String, name: &str, value: &str) {
    line.push(' ');
    line.push_str(name);
    line.push_str("=\"");
    push(line, value);
    line.push('"');
}

/// JSON whose texts XML can hold: what it cannot is written `\uXXXX`, which JSON reads back.
pub(in super::super) fn json(text: String) -> String {
    if fits(&text) {
        return text;
    }
    text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}
