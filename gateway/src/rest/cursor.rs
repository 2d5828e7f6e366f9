//! How far a client has come in a stream: ids of server-sent events, and going on from one.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use tonic::Status;
use weft_kit::Problem;
use weft_proto::weft::options::v1::StreamCursor;

use super::query;

/// What `(weft.options.v1.cursor)` says of a method, resolved against the descriptors.
#[derive(Debug)]
pub(crate) struct Cursor {
    request: Vec<FieldDescriptor>,
    positions: Vec<Position>,
}

/// A place in a response where the cursor may be.
#[derive(Debug)]
struct Position {
    field: Vec<FieldDescriptor>,
    /// A bool: unless it is true, more of the same position follows.
    complete: Option<Vec<FieldDescriptor>>,
}

impl Cursor {
    /// # Errors
    /// What the option names that cannot be a cursor.
    pub(super) fn resolve(
        option: &StreamCursor,
        input: &MessageDescriptor,
        output: &MessageDescriptor,
    ) -> Result<Self, String> {
        let request = resolve(input, &option.request_field, is_cursor)?;
        let position = |position: &weft_proto::weft::options::v1::stream_cursor::Position| {
            let complete = Some(position.complete_field.as_str()).filter(|path| !path.is_empty());
            Ok(Position {
                field: resolve(output, &position.field, is_cursor)?,
                complete: complete
                    .map(|path| resolve(output, path, |kind| *kind == Kind::Bool))
                    .transpose()?,
            })
        };
        let positions = option.positions.iter().map(position).collect::<Result<_, String>>()?;
        Ok(Self { request, positions })
    }

    /// The id of the event that `message` becomes; none where it is no whole step.
    pub(super) fn id(&self, message: &DynamicMessage) -> Option<String> {
        self.positions.iter().find_map(|position| {
            let value = find(message, &position.field)?;
            let is_whole = position.complete.as_ref().is_none_or(|complete| {
                find(message, complete).is_some_and(|value| *value == Value::Bool(true))
            });
            is_whole.then(|| text(&value)).flatten()
        })
    }

    /// Makes `request` go on after `id`, whatever it said itself.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when it is no id of such a stream.
    pub(super) fn resume(&self, request: &mut DynamicMessage, id: &str) -> Result<(), Status> {
        let wrong = |problem: String| Status::from(Problem::bad_field("last-event-id", problem));
        let field = self.request.last().expect("a path has a part");
        let value = query::parse(&field.kind(), id).map_err(wrong)?;
        query::set(request, &self.request, value).map_err(wrong)
    }
}

fn is_cursor(kind: &Kind) -> bool {
    matches!(kind, Kind::String | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64)
}

fn resolve(
    message: &MessageDescriptor,
    path: &str,
    fits: impl Fn(&Kind) -> bool,
) -> Result<Vec<FieldDescriptor>, String> {
    let problem = || format!("{path:?} is no field of {} that fits", message.full_name());
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    let mut inside = Some(message.clone());
    for part in path.split('.') {
        let field = inside.and_then(|inside| inside.get_field_by_name(part)).ok_or_else(problem)?;
        if field.is_list() || field.is_map() {
            return Err(problem());
        }
        inside = field.kind().as_message().cloned();
        fields.push(field);
    }
    if fields.last().is_some_and(|last| fits(&last.kind())) { Ok(fields) } else { Err(problem()) }
}

/// The value at the end of a path; none where something on the way is not there.
fn find<'m>(message: &'m DynamicMessage, fields: &[FieldDescriptor]) -> Option<Cow<'m, Value>> {
    let (field, outer) = fields.split_last()?;
    let mut inside = message;
    for field in outer {
        if !inside.has_field(field) {
            return None;
        }
        match inside.get_field(field) {
            Cow::Borrowed(value) => inside = value.as_message()?,
            Cow::Owned(_) => return None,
        }
    }
    inside.has_field(field).then(|| inside.get_field(field))
}

/// A value as an event's id, which is one line (WHATWG HTML, 9.2.6).
fn text(value: &Value) -> Option<String> {
    match value {
        Value::I32(number) => Some(number.to_string()),
        Value::I64(number) => Some(number.to_string()),
        Value::U32(number) => Some(number.to_string()),
        Value::U64(number) => Some(number.to_string()),
        Value::String(text) if !text.contains(['\n', '\r', '\0']) => Some(text.clone()),
        _ => None,
    }
}
