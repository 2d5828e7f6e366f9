//! Every method of the mesh says who may call it, what it costs and from where; and what its options
//! name is in its messages.

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, Value};

use crate::Result;

/// Fails unless every method of `weft.*` says who may call it, what it costs and from where.
pub(crate) fn check(pool: &DescriptorPool) -> Result<()> {
    let mut faults = Vec::new();
    for service in pool.services().filter(|service| service.full_name().starts_with("weft.")) {
        for method in service.methods() {
            for checked in [check_method(pool, &method), check_cursor(pool, &method)] {
                if let Err(fault) = checked {
                    faults.push(format!("{}: {fault}", method.full_name()));
                }
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn check_method(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<()> {
    let extension = pool
        .get_extension_by_name("weft.options.v1.policy")
        .ok_or("weft/options/v1/options.proto is missing")?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return Err("has no (weft.options.v1.policy)".into());
    }
    let value = options.get_extension(&extension).into_owned();
    let policy = value.as_message().ok_or("its policy is not a message")?;
    for field in ["access", "rate_class", "exposure"] {
        if policy.get_field_by_name(field).as_deref().and_then(Value::as_enum_number) == Some(0) {
            return Err(format!("its policy does not say `{field}`").into());
        }
    }
    let access = policy.get_field_by_name("access").and_then(|value| value.as_enum_number());
    let bound_to_project = matches!(access, Some(3..=5));
    let resource_field = policy
        .get_field_by_name("resource_field")
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default();
    if bound_to_project && resource_field.is_empty() {
        return Err("its role is looked up in a project, but `resource_field` names none".into());
    }
    let mut message = Some(method.input());
    for part in resource_field.split('.').filter(|part| !part.is_empty()) {
        let field = message
            .as_ref()
            .and_then(|message| message.get_field_by_name(part))
            .ok_or_else(|| format!("`resource_field` {resource_field} is not in its request"))?;
        message = field.kind().as_message().cloned();
    }
    let is_tool = policy.get_field_by_name("mcp_tool").and_then(|value| value.as_bool()) == Some(true);
    let exposure = policy.get_field_by_name("exposure").and_then(|value| value.as_enum_number());
    if is_tool && (method.is_client_streaming() || method.is_server_streaming() || exposure != Some(1)) {
        return Err("`mcp_tool` is for methods without streams that the edge can reach".into());
    }
    Ok(())
}

/// A cursor names fields that are there and can hold one.
fn check_cursor(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<()> {
    let extension = pool
        .get_extension_by_name("weft.options.v1.cursor")
        .ok_or("weft/options/v1/options.proto is missing")?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return Ok(());
    }
    if method.is_client_streaming() || !method.is_server_streaming() {
        return Err("a cursor is for server streams".into());
    }
    let value = options.get_extension(&extension).into_owned();
    let cursor = value.as_message().ok_or("its cursor is not a message")?;
    let is_place =
        |kind: &Kind| matches!(kind, Kind::String | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64);
    check_path(&method.input(), &text(cursor, "request_field"), is_place)?;
    let positions = cursor.get_field_by_name("positions");
    let positions = positions.as_deref().and_then(Value::as_list).unwrap_or_default();
    if positions.is_empty() {
        return Err("its cursor names no `positions`".into());
    }
    for position in positions.iter().filter_map(Value::as_message) {
        check_path(&method.output(), &text(position, "field"), is_place)?;
        let complete = text(position, "complete_field");
        if !complete.is_empty() {
            check_path(&method.output(), &complete, |kind| *kind == Kind::Bool)?;
        }
    }
    Ok(())
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn check_path(message: &MessageDescriptor, path: &str, fits: impl Fn(&Kind) -> bool) -> Result<()> {
    let fault = || format!("its cursor's {path:?} is no field of {} that fits", message.full_name());
    let mut inside = Some(message.clone());
    let mut last = None;
    for part in path.split('.') {
        let field = inside.and_then(|inside| inside.get_field_by_name(part)).ok_or_else(fault)?;
        if field.is_list() {
            return Err(fault().into());
        }
        inside = field.kind().as_message().cloned();
        last = Some(field.kind());
    }
    if last.is_some_and(|kind| fits(&kind)) { Ok(()) } else { Err(fault().into()) }
}
