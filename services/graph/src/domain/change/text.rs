//! Which texts may an element bear? The contract's rules on length are checked before; these are
//! the ones that it can only say in words, and all of them again for what comes out of files.

use prost::Message;
use prost_types::Struct;
use weft_proto::weft::graph::v1::{Edge, Node};

use super::PlanError;
use crate::domain::{limits::GraphLimits, properties};

/// Checks a node on its own. `path` is where it is in the request.
pub(super) fn check_node(
    node: &Node,
    limits: &GraphLimits,
    path: &dyn Fn(&str) -> String,
) -> Result<(), PlanError> {
    check_key(&node.key, 1).map_err(|reason| PlanError::invalid(path("key"), reason))?;
    check_name(&node.r#type, 128).map_err(|reason| PlanError::invalid(path("type"), reason))?;
    if node.display_name.len() > 1024 {
        return Err(PlanError::invalid(path("display_name"), "must have at most 1024 bytes"));
    }
    if node.labels.len() > 64 {
        return Err(PlanError::invalid(path("labels"), "must be at most 64"));
    }
    for (index, label) in node.labels.iter().enumerate() {
        if label.is_empty() {
            return Err(PlanError::invalid(path(&format!("labels[{index}]")), "must not be empty"));
        }
        check_name(label, 128)
            .map_err(|reason| PlanError::invalid(path(&format!("labels[{index}]")), reason))?;
    }
    check_properties(node.properties.as_deref(), limits, path)
}

/// Checks an edge on its own.
pub(super) fn check_edge(
    edge: &Edge,
    limits: &GraphLimits,
    path: &dyn Fn(&str) -> String,
) -> Result<(), PlanError> {
    check_key(&edge.key, 0).map_err(|reason| PlanError::invalid(path("key"), reason))?;
    check_name(&edge.r#type, 128).map_err(|reason| PlanError::invalid(path("type"), reason))?;
    if edge.weight.is_some_and(|weight| !(weight.is_finite() && weight >= 0.0)) {
        return Err(PlanError::invalid(path("weight"), "must be finite and not negative"));
    }
    check_properties(edge.properties.as_deref(), limits, path)
}

fn check_properties(
    properties: Option<&Struct>,
    limits: &GraphLimits,
    path: &dyn Fn(&str) -> String,
) -> Result<(), PlanError> {
    let Some(properties) = properties else { return Ok(()) };
    // Depth first: the size of what is too deep is not worth computing.
    properties::check(properties, limits.max_property_depth)
        .map_err(|reason| PlanError::invalid(path("properties"), reason))?;
    let bytes = properties.encoded_len();
    if bytes > limits.max_property_bytes {
        let reason = format!("have {bytes} bytes encoded; at most {} are kept", limits.max_property_bytes);
        return Err(PlanError::invalid(path("properties"), reason));
    }
    Ok(())
}

/// A key of a node or an edge.
pub(super) fn check_key(key: &str, min_bytes: usize) -> Result<(), String> {
    if key.len() < min_bytes {
        return Err("must not be empty".into());
    }
    check_name(key, 512)
}

fn check_name(name: &str, max_bytes: usize) -> Result<(), String> {
    if name.len() > max_bytes {
        return Err(format!("must have at most {max_bytes} bytes"));
    }
    // ASCII is nearly all there is, and a scan of bytes is many times faster.
    let control = if name.is_ascii() {
        name.bytes().any(|byte| byte.is_ascii_control())
    } else {
        name.chars().any(char::is_control)
    };
    if control { Err("must not have control characters".into()) } else { Ok(()) }
}
