//! GEXF 1.2 and 1.3.
//!
//! Attributes become properties of their title and type. Of nodes, `label` is the name unless it
//! only repeats the id, and attributes titled `type` and `labels` are the type and the labels; of
//! edges, an attribute titled `type`, else `kind`, is the type, `weight` the weight and `label` a
//! property. A text attribute `properties` that holds a JSON object is read as properties. Defaults
//! are applied.
//!
//! Hierarchies are flattened and undirected edges kept as edges from source to target, each with one
//! warning for each file. What is only for drawing (`viz`) and times (`spells`, dynamic values) is
//! ignored, and counted in one warning each. A `DOCTYPE` with definitions and entities other than
//! the predefined are refused.
//!
//! **What is written**: version 1.3, properties as in [GraphML](super::graphml). A name that repeats
//! the key is not told from none, and control characters in types, names and labels become U+FFFD.
//! Nothing else is lost.

mod read;
mod write;

pub(super) use read::GexfReader;
pub(super) use write::GexfWriter;
