//! Pages of lists (AIP-158): their size, and the token that says where to go on.
//!
//! A token is a place and not a permission, so it is checked and not signed. Who may read a list, and
//! what is in it, is decided from the request each time; all that the token adds is where in that list
//! a page begins. Somebody who makes one up gets a page of what they may read anyway, or a refusal. A
//! signature would add a key to be kept and rotated, and would protect nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::Problem;

/// How many items a page has: `default` when the client asks for none, never more than `most`.
pub fn page_size(asked: i32, default: u32, most: u32) -> u32 {
    match u32::try_from(asked) {
        Ok(0) | Err(_) => default,
        Ok(asked) => asked.min(most),
    }
}

/// One list: what was asked, but for page size and token. A token of one list is refused by
/// every other, so that a client which changes its filter between two pages is told.
#[derive(Clone, Copy, Debug)]
pub struct List([u8; 8]);

impl List {
    /// The list that these parts of a request ask for.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut short = [0; 8];
        short.copy_from_slice(&hash.finalize()[..8]);
        Self(short)
    }

    /// The token of the page that begins after `cursor`.
    pub fn token(self, cursor: &str) -> String {
        URL_SAFE_NO_PAD.encode([&self.0, cursor.as_bytes()].concat())
    }

    /// The cursor in a token; empty for the first page.
    ///
    /// # Errors
    /// A token that this list did not give.
    pub fn cursor(self, token: &str) -> Result<String, Problem> {
        if token.is_empty() {
            return Ok(String::new());
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let cursor = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&self.0));
        cursor
            // A token that lost its end would begin anew, and its client never come to an end. And no
            // database compares texts with a zero in them: one refuses them, the other may not.
            .filter(|cursor| !cursor.is_empty() && !cursor.contains(&0))
            .and_then(|cursor| String::from_utf8(cursor.to_vec()).ok())
            .ok_or_else(|| Problem::bad_field("page_token", "is not one that this list gave"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_for_its_own_list_only() {
        let list = List::of(&["projects/p", "kind = 1"]);
        assert_eq!(list.cursor(&list.token("g-7")).expect("its own"), "g-7");
        assert_eq!(list.cursor("").expect("the first page"), "");
        assert!(List::of(&["projects/p", "kind = 2"]).cursor(&list.token("g-7")).is_err());
        assert!(List::of(&["projects/pk", "ind = 1"]).cursor(&list.token("g-7")).is_err());
        for bad in [
            "made up",
            "AAAA",
            "%%%",
            &URL_SAFE_NO_PAD.encode(list.0),
            &URL_SAFE_NO_PAD.encode([&list.0[..], &[0xff, 0xfe]].concat()),
            &URL_SAFE_NO_PAD.encode([&list.0[..], b"g\0-7"].concat()),
        ] {
            assert!(list.cursor(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_a_default_and_a_limit() {
        let sizes = [0, -3, 7, 1_000_000].map(|asked| page_size(asked, 50, 1_000));
        assert_eq!(sizes, [50, 50, 7, 1_000]);
    }
}
