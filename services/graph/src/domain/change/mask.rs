//! How does an update mask merge new fields into an element that is there?

use prost_types::{FieldMask, Struct};
use weft_proto::{
    Lazy,
    weft::graph::v1::{Edge, Node},
};

use crate::domain::properties::write_path;

/// Whether a mask stands for all fields.
pub(super) fn is_whole(mask: Option<&FieldMask>) -> bool {
    mask.is_none_or(|mask| mask.paths.is_empty() || mask.paths.iter().any(|path| path == "*"))
}

/// Writes the fields of `new` that the mask names into `old`.
///
/// # Errors
/// The index of the path that names no such field.
pub(super) fn merge_node(mut old: Node, new: &Node, mask: &FieldMask) -> Result<Node, usize> {
    for (index, path) in mask.paths.iter().enumerate() {
        match path.as_str() {
            "type" => old.r#type.clone_from(&new.r#type),
            "display_name" => old.display_name.clone_from(&new.display_name),
            "labels" => old.labels.clone_from(&new.labels),
            path => merge_properties(&mut old.properties, new.properties.as_deref(), path).ok_or(index)?,
        }
    }
    Ok(old)
}

/// As [`merge_node`], for an edge.
pub(super) fn merge_edge(mut old: Edge, new: &Edge, mask: &FieldMask) -> Result<Edge, usize> {
    for (index, path) in mask.paths.iter().enumerate() {
        match path.as_str() {
            "source" => old.source.clone_from(&new.source),
            "target" => old.target.clone_from(&new.target),
            "type" => old.r#type.clone_from(&new.r#type),
            "weight" => old.weight = new.weight,
            path => merge_properties(&mut old.properties, new.properties.as_deref(), path).ok_or(index)?,
        }
    }
    Ok(old)
}

fn merge_properties(old: &mut Option<Lazy<Struct>>, new: Option<&Struct>, path: &str) -> Option<()> {
    if path == "properties" {
        *old = new.cloned().map(Lazy::from);
        return Some(());
    }
    let inner: Vec<&str> = path.strip_prefix("properties.")?.split('.').collect();
    if inner.iter().any(|name| name.is_empty()) {
        return None;
    }
    write_path(old.get_or_insert_default(), new, &inner);
    Some(())
}
