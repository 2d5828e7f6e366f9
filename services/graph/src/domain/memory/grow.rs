//! How do the columns grow? By a quarter, not by doubling: the slack counts against the targets.

/// Makes room for `more` elements.
pub(super) fn reserve<T>(column: &mut Vec<T>, more: usize) {
    let free = column.capacity() - column.len();
    if free < more {
        column.reserve_exact(more.max(column.len() / 4).max(8));
    }
}

/// Appends one element.
pub(super) fn push<T>(column: &mut Vec<T>, value: T) {
    reserve(column, 1);
    column.push(value);
}
