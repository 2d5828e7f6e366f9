//! What one `google.api.http` rule says of its method, resolved against the descriptors.

use std::{collections::HashSet, sync::Arc};

use http::Method;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use weft_proto::google::api::{FieldBehavior, HttpRule, http_rule::Pattern};

use super::{cursor::Cursor, template::Template};
use crate::{catalog::Entry, json};

/// One way to reach a method over REST.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) entry: Arc<Entry>,
    /// `None`: any HTTP method.
    pub(crate) http_method: Option<Method>,
    /// As it is written in the contract.
    pub(crate) path: String,
    /// Whether it is one of `additional_bindings`.
    pub(crate) is_additional: bool,
    pub(crate) template: Template,
    pub(crate) variables: Vec<Bound>,
    pub(crate) body: BodyRule,
    /// The field of the response that is the body; the whole response where `None`.
    pub(crate) response_field: Option<FieldDescriptor>,
    pub(crate) mask: Option<MaskRule>,
    /// Where the stream says how far its client has come.
    pub(crate) cursor: Option<Cursor>,
}

/// A variable of the path and the field that it becomes.
#[derive(Debug)]
pub(crate) struct Bound {
    /// From the request to the field.
    pub(crate) fields: Vec<FieldDescriptor>,
    pub(crate) from: usize,
    pub(crate) to: Option<usize>,
    pub(crate) multi: bool,
}

/// What the body of the HTTP request is.
#[derive(Debug)]
pub(crate) enum BodyRule {
    /// There is none.
    None,
    /// The whole request.
    Whole,
    /// One field of the request.
    Field(FieldDescriptor),
}

/// The update mask that a PATCH without one gets.
#[derive(Debug)]
pub(crate) struct MaskRule {
    /// `update_mask`.
    pub(crate) field: FieldDescriptor,
    /// Fields of the resource that are not for a client to write: its name, its etag, and what
    /// the contract calls output only.
    pub(crate) left_out: HashSet<String>,
}

/// All routes of a method.
///
/// # Errors
/// What is wrong with its rules.
pub(crate) fn routes(entry: &Arc<Entry>) -> Result<Vec<Route>, String> {
    let Some(rule) = rule(entry)? else { return Ok(Vec::new()) };
    let mut routes = vec![bind(entry, &rule, false)?];
    for additional in &rule.additional_bindings {
        if !additional.additional_bindings.is_empty() {
            return Err("additional_bindings must not be nested".to_owned());
        }
        routes.push(bind(entry, additional, true)?);
    }
    Ok(routes)
}

fn rule(entry: &Entry) -> Result<Option<HttpRule>, String> {
    let options = entry.descriptor.options();
    let pool = entry.descriptor.parent_pool();
    let Some(extension) = pool.get_extension_by_name("google.api.http") else { return Ok(None) };
    if !options.has_extension(&extension) {
        return Ok(None);
    }
    let encoded = options.get_extension(&extension).as_message().map(DynamicMessage::encode_to_vec);
    let encoded = encoded.ok_or("is not a message")?;
    HttpRule::decode(encoded.as_slice()).map(Some).map_err(|error| error.to_string())
}

fn bind(entry: &Arc<Entry>, rule: &HttpRule, is_additional: bool) -> Result<Route, String> {
    let (http_method, path) = match rule.pattern.as_ref().ok_or("has no path")? {
        Pattern::Get(path) => (Some(Method::GET), path),
        Pattern::Put(path) => (Some(Method::PUT), path),
        Pattern::Post(path) => (Some(Method::POST), path),
        Pattern::Delete(path) => (Some(Method::DELETE), path),
        Pattern::Patch(path) => (Some(Method::PATCH), path),
        Pattern::Custom(custom) if custom.kind == "*" => (None, &custom.path),
        Pattern::Custom(custom) => {
            let method = Method::from_bytes(custom.kind.as_bytes());
            (Some(method.map_err(|_| format!("{:?} is not an HTTP method", custom.kind))?), &custom.path)
        }
    };
    let template = Template::parse(path)?;
    let variables = template
        .variables
        .iter()
        .map(|variable| {
            let fields = resolve(&entry.input, &variable.field_path)?;
            let last = fields.last().expect("a field path has a part");
            let is_text = !last.is_list() && !last.is_map() && !matches!(last.kind(), Kind::Message(_));
            if !is_text {
                return Err(format!("{}: lists, maps and messages cannot be in a path", last.full_name()));
            }
            Ok(Bound { fields, from: variable.from, to: variable.to, multi: variable.multi })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let body = match rule.body.as_str() {
        "" => BodyRule::None,
        "*" => BodyRule::Whole,
        name => BodyRule::Field(field(&entry.input, name)?),
    };
    let response_field = match rule.response_body.as_str() {
        "" => None,
        name => Some(field(&entry.output, name)?),
    };
    let cursor = entry
        .cursor
        .as_ref()
        .map(|cursor| Cursor::resolve(cursor, &entry.input, &entry.output))
        .transpose()
        .map_err(|problem| format!("its cursor: {problem}"))?;
    let mask = if http_method == Some(Method::PATCH) { mask(entry, &body, &variables) } else { None };
    Ok(Route {
        entry: Arc::clone(entry),
        http_method,
        path: path.clone(),
        is_additional,
        template,
        variables,
        body,
        response_field,
        mask,
        cursor,
    })
}

fn field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    message.get_field_by_name(name).ok_or_else(|| format!("{} has no field {name}", message.full_name()))
}

fn resolve(message: &MessageDescriptor, path: &[String]) -> Result<Vec<FieldDescriptor>, String> {
    let mut message = Some(message.clone());
    let mut fields = Vec::with_capacity(path.len());
    for name in path {
        let inside = message.ok_or_else(|| format!("{} is not a field of a message", path.join(".")))?;
        let next = field(&inside, name)?;
        message = if next.is_list() || next.is_map() { None } else { next.kind().as_message().cloned() };
        fields.push(next);
    }
    Ok(fields)
}

fn mask(entry: &Entry, body: &BodyRule, variables: &[Bound]) -> Option<MaskRule> {
    let BodyRule::Field(body) = body else { return None };
    let field = entry.input.get_field_by_name("update_mask")?;
    let is_mask =
        matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "google.protobuf.FieldMask");
    let Kind::Message(resource) = body.kind() else { return None };
    if !is_mask
        || field.is_list()
        || body.is_list()
        || body.is_map()
        || json::is_well_known(resource.full_name())
    {
        return None;
    }
    let mut left_out: HashSet<String> = resource
        .fields()
        .filter(|field| field.name() == "etag" || is_servers_own(field))
        .map(|field| field.name().to_owned())
        .collect();
    for variable in variables {
        if let [first, second, ..] = variable.fields.as_slice()
            && first == body
        {
            left_out.insert(second.name().to_owned());
        }
    }
    Some(MaskRule { field, left_out })
}

/// Whether `google.api.field_behavior` says that clients do not write the field.
fn is_servers_own(field: &FieldDescriptor) -> bool {
    let Some(extension) =
        field.parent_message().parent_pool().get_extension_by_name("google.api.field_behavior")
    else {
        return false;
    };
    let options = field.options();
    options.get_extension(&extension).as_list().is_some_and(|behaviors| {
        behaviors.iter().any(|behavior| {
            [FieldBehavior::OutputOnly as i32, FieldBehavior::Identifier as i32]
                .map(Some)
                .contains(&behavior.as_enum_number())
        })
    })
}
