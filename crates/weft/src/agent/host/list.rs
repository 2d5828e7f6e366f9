//! Lists of what is there at a moment: a page of them begins at a place, not at an item, because items come and go.

use std::cmp::Ordering;

use prost_reflect::prost::Message;
use weft_kit::order::SortKey;
use weft_proto::weft::agent::v1::HostRefusal;

use super::refusal;

/// Most bytes of items on a page: with what is around them they stay below what an answer may have.
const PAGE_BYTES: usize = 180 << 10;

/// A page, and the token of the next one, empty where there is none.
pub(in crate::agent) fn page<T: Message>(
    items: Vec<T>,
    token: &str,
    size: i32,
) -> Result<(Vec<T>, String), HostRefusal> {
    page_of(items, |item| item, token, size)
}

/// The same, of items that are made only for the page that they are on.
pub(in crate::agent) fn page_of<R, T: Message>(
    items: Vec<R>,
    make: impl FnMut(R) -> T,
    token: &str,
    size: i32,
) -> Result<(Vec<T>, String), HostRefusal> {
    let from = match token {
        "" => 0,
        token => {
            token.parse().map_err(|_| refusal::invalid("page_token", "is not one that this list gave"))?
        }
    };
    let (total, size) = (items.len(), usize::try_from(size).unwrap_or(0).max(1));
    let mut bytes = 0;
    let fits = |item: &T| {
        bytes += item.encoded_len() + 8;
        bytes <= PAGE_BYTES
    };
    let page: Vec<T> = items.into_iter().skip(from).take(size).map(make).take_while(fits).collect();
    let next = from + page.len();
    Ok(if next < total && !page.is_empty() { (page, next.to_string()) } else { (page, String::new()) })
}

/// Compares two by the first field in which they differ.
pub(in crate::agent) fn compare<F: Copy, T>(
    order: &[SortKey<F>],
    by: impl Fn(F, &T, &T) -> Ordering,
    one: &T,
    other: &T,
) -> Ordering {
    let orders = order.iter().map(|key| {
        let order = by(key.field, one, other);
        if key.descending { order.reverse() } else { order }
    });
    orders.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::agent::v1::Process;

    use super::*;

    fn processes(count: i64, length: usize) -> Vec<Process> {
        let process =
            |process_id| Process { process_id, command_line: "x".repeat(length), ..Process::default() };
        (1..=count).map(process).collect()
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let (items, next) = page(processes(7, 1), &token, 3).expect("the token is its own");
            seen.extend(items.iter().map(|process| process.process_id));
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
        assert!(page(processes(7, 1), "seven", 3).is_err());
        assert_eq!(page(processes(7, 1), "9", 3).expect("fewer are left"), (Vec::new(), String::new()));
    }

    #[test]
    fn a_page_has_no_more_bytes_than_an_answer() {
        let (items, next) = page(processes(400, 1_000), "", 400).expect("there is no token");
        assert!(items.len() > 100 && items.len() < 200, "{}", items.len());
        assert_eq!(next, items.len().to_string());
    }
}
