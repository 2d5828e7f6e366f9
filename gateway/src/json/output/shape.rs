//! What the writer must know of each type, read from the contracts once.

use std::collections::HashMap;

use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, Kind as Described, MessageDescriptor, Syntax,
};

/// Most fields of a type that the writer takes: it has a bit for each.
const MOST_FIELDS: usize = 128;
/// Most choices (`oneof`) of such a type.
const MOST_CHOICES: usize = 64;

/// The types that answers are made of. They name each other by index, as they may contain themselves.
#[derive(Debug)]
pub(crate) struct Shapes {
    pub(super) messages: Vec<Message>,
    by_name: HashMap<String, usize>,
}

/// A type of messages.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) form: Form,
    /// By number, ascending.
    pub(super) fields: Vec<Field>,
}

/// What the JSON of a type looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An object of its fields.
    Object,
    Timestamp,
    Duration,
    Struct,
    Value,
    ListValue,
    /// The value of its only field, which is never left out.
    Wrapper,
    /// Only reflection knows.
    Unknown,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    /// The name as it is written: `"displayName":`.
    pub(super) key: Box<str>,
    pub(super) kind: Kind,
    pub(super) arity: Arity,
    /// The bit of its `oneof`; none for a field outside of them.
    pub(super) choice: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arity {
    /// One that is there even with the value of its type: `optional`, a message, one of several.
    Optional,
    /// One that is left out with the value of its type.
    Implicit,
    List,
    Map {
        key: Scalar,
    },
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    Enum(Names),
    /// `google.protobuf.NullValue`, in JSON `null`.
    Null,
    /// A message, by its index.
    Message(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
}

/// The names of an enum's values, by number.
#[derive(Debug)]
pub(super) struct Names {
    by_number: Box<[(i32, Box<str>)]>,
    pub(super) default: i32,
}

impl Shapes {
    /// The shapes of `roots` and of all that they are made of.
    pub(crate) fn of(roots: impl Iterator<Item = MessageDescriptor>) -> Self {
        let mut shapes = Self { messages: Vec::new(), by_name: HashMap::new() };
        for root in roots {
            shapes.add(&root);
        }
        shapes
    }

    /// The index of a type; past the end for one that is not among them.
    pub(super) fn index(&self, descriptor: &MessageDescriptor) -> usize {
        self.by_name.get(descriptor.full_name()).copied().unwrap_or(usize::MAX)
    }

    fn add(&mut self, descriptor: &MessageDescriptor) -> usize {
        if let Some(&index) = self.by_name.get(descriptor.full_name()) {
            return index;
        }
        let index = self.messages.len();
        self.by_name.insert(descriptor.full_name().to_owned(), index);
        let form = Form::of(descriptor);
        // It may contain itself: its place is taken before its fields are looked at.
        self.messages.push(Message { form, fields: Vec::new() });
        if form != Form::Unknown {
            let mut fields: Vec<Field> = descriptor.fields().map(|field| self.field(&field)).collect();
            fields.sort_by_key(|field| field.number);
            self.messages[index].fields = fields;
        }
        index
    }

    fn field(&mut self, field: &FieldDescriptor) -> Field {
        let key = serde_json::to_string(field.json_name()).expect("a text is JSON") + ":";
        let (arity, kind) = match field.kind() {
            Described::Message(entry) if field.is_map() => {
                let key = Scalar::of(&entry.map_entry_key_field().kind()).expect("keys are scalars");
                (Arity::Map { key }, entry.map_entry_value_field().kind())
            }
            kind if field.cardinality() == Cardinality::Repeated => (Arity::List, kind),
            kind if field.supports_presence() => (Arity::Optional, kind),
            kind => (Arity::Implicit, kind),
        };
        let kind = match kind {
            Described::Message(message) => Kind::Message(self.add(&message)),
            Described::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => Kind::Null,
            Described::Enum(kind) => Kind::Enum(Names::of(&kind)),
            kind => Kind::Scalar(Scalar::of(&kind).expect("all others are scalars")),
        };
        let choice = field.containing_oneof().and_then(|choice| {
            choice.parent_message().oneofs().position(|other| other.full_name() == choice.full_name())
        });
        Field {
            number: field.number(),
            key: key.into(),
            kind,
            arity,
            choice: choice.map_or(0, |bit| 1 << bit),
        }
    }
}

impl Message {
    /// The place of a field. Fields mostly come in order, so it is looked for from `near` on.
    pub(super) fn find(&self, number: u32, near: usize) -> Option<usize> {
        let is_it = |index: &usize| self.fields.get(*index).is_some_and(|field| field.number == number);
        [near, near + 1]
            .into_iter()
            .find(is_it)
            .or_else(|| self.fields.binary_search_by_key(&number, |field| field.number).ok())
    }
}

impl Form {
    fn of(descriptor: &MessageDescriptor) -> Self {
        let is_plain = descriptor.parent_file().syntax() == Syntax::Proto3
            && descriptor.fields().len() <= MOST_FIELDS
            && descriptor.oneofs().len() <= MOST_CHOICES
            && descriptor.extensions().len() == 0;
        if !is_plain {
            return Self::Unknown;
        }
        if !crate::json::is_well_known(descriptor.full_name()) {
            return Self::Object;
        }
        match descriptor.name() {
            // An object without fields.
            "Empty" => Self::Object,
            "Timestamp" => Self::Timestamp,
            "Duration" => Self::Duration,
            "Struct" => Self::Struct,
            "Value" => Self::Value,
            "ListValue" => Self::ListValue,
            "Any" | "FieldMask" => Self::Unknown,
            _ => Self::Wrapper,
        }
    }
}

impl Scalar {
    fn of(kind: &Described) -> Option<Self> {
        Some(match kind {
            Described::Double => Self::Double,
            Described::Float => Self::Float,
            Described::Int32 => Self::Int32,
            Described::Int64 => Self::Int64,
            Described::Uint32 => Self::Uint32,
            Described::Uint64 => Self::Uint64,
            Described::Sint32 => Self::Sint32,
            Described::Sint64 => Self::Sint64,
            Described::Fixed32 => Self::Fixed32,
            Described::Fixed64 => Self::Fixed64,
            Described::Sfixed32 => Self::Sfixed32,
            Described::Sfixed64 => Self::Sfixed64,
            Described::Bool => Self::Bool,
            Described::String => Self::String,
            Described::Bytes => Self::Bytes,
            Described::Message(_) | Described::Enum(_) => return None,
        })
    }
}

impl Names {
    fn of(kind: &EnumDescriptor) -> Self {
        let mut by_number: Vec<(i32, Box<str>)> =
            kind.values().map(|value| (value.number(), value.name().into())).collect();
        // Stable: of two names of one number the first is the canonical one.
        by_number.sort_by_key(|(number, _)| *number);
        by_number.dedup_by_key(|(number, _)| *number);
        Self { by_number: by_number.into(), default: kind.default_value().number() }
    }

    pub(super) fn get(&self, number: i32) -> Option<&str> {
        let index = self.by_number.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&self.by_number[index].1)
    }
}
