//! GraphML 1.0.
//!
//! Declared keys become properties of their `attr.name` and `attr.type`. Of nodes, `type` and
//! `labels` (parted by `;`, or a JSON list) are the type and the labels, and the best of
//! `display_name`, `label`, `name` is the name; of edges, `type` is the type and a number `weight`
//! the weight. A text `properties` that holds a JSON object is read as properties. Defaults are
//! applied. The labels of yEd's node graphics become names.
//!
//! Nested graphs are flattened and undirected edges kept as edges from source to target, each with
//! one warning for each file; hyperedges are left out with a warning each; ports are ignored. A
//! `DOCTYPE` with definitions and entities other than the predefined are refused.
//!
//! **What is written**: each property that the writer was shown has a key of its own, if its values
//! are of one type; what does not fit is in `properties`, as JSON. Control characters in types, names
//! and labels, which XML cannot hold, become U+FFFD. Nothing else is lost.

mod read;
mod write;

pub(super) use read::GraphmlReader;
pub(super) use write::GraphmlWriter;
