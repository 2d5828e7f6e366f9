//! CSV: tables of nodes and of edges, quoted as in RFC 4180, with a header line.
//!
//! The header's first line tells whether columns are parted by tabs, commas or semicolons. A table
//! whose file name has `node` in it and that has a key column holds nodes; one with a source and a
//! target column holds edges; one with a key column only holds nodes. Names of columns, in any case,
//! the first that is there counting:
//!
//! | meaning | columns |
//! | --- | --- |
//! | node: key | `key` `id` `node` `name` `label` |
//! | node: type | `type` `category` `kind` |
//! | node: name | `display_name` `label` `name` `title` |
//! | node: labels | `labels` `tags`; parted by `;`, or a JSON list |
//! | edge: source, target | `source` `from` `src`; `target` `to` `dst` |
//! | edge: type | `type` `kind` |
//! | edge: weight, key | `weight`; `key` `id` |
//! | either: more properties | `properties`, a JSON object |
//!
//! Every other column is a property of that name; an empty cell is none. A cell is a truth if it is
//! `true` or `false`, a number if JSON would write it so, else text; `zip:string`, `size:number`,
//! `open:boolean` and `shape:json` in the header say it outright. Gephi's `Type` column of
//! `Directed` and `Undirected` beside its `Source` is no type.
//!
//! **What is written**: a tar archive of `nodes.csv` and `edges.csv`; of large graphs several parts,
//! `nodes-2.csv` and so on, of about 4 MiB each. Nothing is lost.

mod columns;
mod labels;
mod read;
mod write;

pub(super) use columns::is_header;
pub(super) use labels::{join, split};
pub(super) use read::CsvReader;
pub(super) use write::CsvWriter;
