//! JSON Graph Format, version 2 and 1, and the node-link form of D3 and NetworkX.
//!
//! Version 2 has `nodes` as an object by key, version 1 and node-link as an array; `edges` may be
//! named `links`. The graph is in `graph`, in `graphs` (several are read into one, with a warning),
//! or is the document itself. Nodes and edges are taken as soon as each is complete; other members
//! are passed over.
//!
//! | of a node | from |
//! | --- | --- |
//! | key | the member's name; `id`, `key`; else `name`, `label`; else its position, from 0 |
//! | name | `label`, `display_name`, `name` |
//! | type, labels | `type` if text, `labels` if a list of texts; in `metadata` too |
//! | properties | members of `metadata` and of its `properties`; all other members |
//!
//! | of an edge | from |
//! | --- | --- |
//! | source, target | `source`, `from`; `target`, `to`; numbers are positions where a node before had no key |
//! | key | `id`, `key`, if text |
//! | type | `relation`, `type`, if text |
//! | weight | `weight`, in `metadata` too; `value` |
//! | properties | as of a node |
//!
//! Edges by position may come before the nodes, up to 1,000,000 of them.
//!
//! Hyperedges are left out with a warning; undirected edges are kept as edges from source to target,
//! with one warning for each file. Whole numbers that a double cannot hold become text.
//!
//! **What is written**: version 2; types, labels and weights are in `metadata` beside the
//! properties, and a property whose name is taken is in `metadata.properties`. Nothing is lost.

mod element;
mod events;
mod read;
mod write;

pub(super) use read::JsonGraphReader;
pub(super) use write::JsonGraphWriter;
