//! Edge lists: one edge a line, and the nodes file that may come beside them.
//!
//! **Lines.** `source target [weight [type]]`. The first line that is no comment decides how columns
//! are parted: by tabs if it has one, else by commas, else by runs of white space. Columns are
//! trimmed. Lines that begin with `#` or `%` are comments, as in the files of SNAP and KONECT. A
//! third column that is no number is the type if there is no fourth; further columns are left out
//! with one warning for each file. A Matrix Market header (`%%MatrixMarket`) is refused.
//!
//! **Nodes file.** A file whose name has `node` in it: `key [type [name]]` a line, parted by tabs,
//! else by commas; without either the whole line is the key.
//!
//! **What numbers mean.** Data sets often give a nodes file without numbers and an edge list of
//! zero-based line numbers. Where nodes files were given and *fewer than half* of their keys are
//! whole numbers, a whole number in an edge list is a line of the nodes files, counted from 0 over
//! all of them without comments and empty lines; one that is out of range is an error. In all other
//! cases it is a key as it stands. (Not *none*: among 63,436 package names there is one `2048`.)
//! The files may come in any order: edges between numbers that come before any nodes file are held
//! back, up to 4,000,000 of them.
//!
//! **What is written.** UTF-8, tabs, a first line `#: weft edge list 1`, then the nodes as comment
//! lines `#: node TAB key TAB type TAB name`, which other programs skip, then the edges. In a file
//! that begins with that line, tab, line feed, carriage return and backslash inside a column are
//! written `\t`, `\n`, `\r`, `\\`, a `#` or `%` at its beginning `\#`, `\%`, and numbers are keys. Keys
//! of edges, labels and properties have no place in an edge list and are not written.

mod read;
mod write;

pub(super) use read::EdgeListReader;
pub(super) use write::EdgeListWriter;

/// The first line of an edge list that was written here.
const HEADER: &str = "#: weft edge list 1";
/// What a node's comment line begins with.
const NODE: &str = "#: node\t";
