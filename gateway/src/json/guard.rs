//! A first walk over a client's JSON: bounds and doubles, before anything is built from it.
//!
//! The parser behind the second walk takes the last of two equal fields, takes a field under both
//! of its names, and takes `"1e400"` for infinity. None of these is what the client meant.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt::{self, Write},
};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;
use tonic::Status;

use super::{bad_field, is_well_known, not_json, too_deep, without_position};

/// The fields that a JSON object has, as paths of a `google.protobuf.FieldMask`: `labels`,
/// `settings.gravity`. Messages are entered; lists, maps and well-known types are taken whole.
#[derive(Debug, Default)]
pub(crate) struct FieldPaths(pub(crate) Vec<String>);

/// Walks over `json`. Returns how deep it is.
pub(super) fn check(
    descriptor: &MessageDescriptor,
    json: &[u8],
    max_depth: usize,
    paths: Option<&mut FieldPaths>,
) -> Result<usize, Status> {
    let mut walk = Walk { path: SmallVec::new(), depth: 0, deepest: 0, max_depth, paths };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let shape = Shape::of_message(descriptor.clone());
    let walked = Step { walk: &mut walk, shape: &shape, prefix: Some(String::new()) }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match walked {
        Ok(()) => Ok(walk.deepest),
        Err(_) if walk.depth > max_depth => Err(too_deep()),
        Err(error) if error.is_data() => Err(bad_field(&walk.path(), &without_position(&error.to_string()))),
        Err(error) => Err(not_json(&error)),
    }
}

/// What is expected at a place.
enum Shape {
    /// An object of a message's fields.
    Message(MessageDescriptor),
    /// An object of free keys.
    Map(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// A floating-point number, maybe as a string.
    Float,
    /// Whatever; the second walk knows.
    Any,
}

impl Shape {
    fn of_message(message: MessageDescriptor) -> Self {
        if is_well_known(message.full_name()) { Self::Any } else { Self::Message(message) }
    }

    fn of_field(field: &FieldDescriptor) -> Self {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                Self::Map(Box::new(Self::of_kind(entry.map_entry_value_field().kind())))
            }
            kind if field.is_list() => Self::List(Box::new(Self::of_kind(kind))),
            kind => Self::of_kind(kind),
        }
    }

    fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Message(message) => Self::of_message(message),
            Kind::Double | Kind::Float => Self::Float,
            _ => Self::Any,
        }
    }

    /// What stands in a list or under a free key.
    fn inner(&self) -> &Self {
        match self {
            Self::Map(inner) | Self::List(inner) => inner,
            _ => &Self::Any,
        }
    }
}

/// Where the walk is.
struct Walk<'w, 'de> {
    /// Not shortened when the walk fails: then it is where.
    path: SmallVec<[Place<'de>; 8]>,
    depth: usize,
    deepest: usize,
    max_depth: usize,
    paths: Option<&'w mut FieldPaths>,
}

enum Place<'de> {
    Key(Cow<'de, str>),
    Index(usize),
}

impl Walk<'_, '_> {
    fn path(&self) -> String {
        let mut text = String::new();
        for place in &self.path {
            match place {
                Place::Index(index) => write!(text, "[{index}]"),
                Place::Key(key) if text.is_empty() => write!(text, "{key}"),
                Place::Key(key) => write!(text, ".{key}"),
            }
            .expect("a string takes everything");
        }
        text
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        if self.depth > self.max_depth { Err(E::custom("too deep")) } else { Ok(()) }
    }
}

/// One value of the walk.
struct Step<'s, 'w, 'de> {
    walk: &'s mut Walk<'w, 'de>,
    shape: &'s Shape,
    /// Path of this value in the field mask; `None` inside of lists and maps.
    prefix: Option<String>,
}

impl Step<'_, '_, '_> {
    /// This value belongs to the mask as a whole.
    fn leaf(&mut self) {
        if let (Some(paths), Some(prefix)) = (self.walk.paths.as_deref_mut(), self.prefix.take())
            && !prefix.is_empty()
        {
            paths.0.push(prefix);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Step<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(mut self, _: bool) -> Result<(), E> {
        self.leaf();
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, _: i64) -> Result<(), E> {
        self.leaf();
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, _: u64) -> Result<(), E> {
        self.leaf();
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, _: f64) -> Result<(), E> {
        self.leaf();
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        if matches!(self.shape, Shape::Float) && !is_float(text) {
            return Err(E::custom("is not a number, \"NaN\", \"Infinity\" or \"-Infinity\""));
        }
        self.leaf();
        Ok(())
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.leaf();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.walk.enter()?;
        let mut index = 0;
        loop {
            self.walk.path.push(Place::Index(index));
            let step = Step { walk: &mut *self.walk, shape: self.shape.inner(), prefix: None };
            if list.next_element_seed(step)?.is_none() {
                break;
            }
            self.walk.path.pop();
            index += 1;
        }
        self.walk.path.pop();
        self.walk.depth -= 1;
        self.leaf();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.walk.enter()?;
        match self.shape {
            Shape::Message(message) => self.visit_message(message, map),
            _ => self.visit_free(map),
        }
    }
}

impl<'de> Step<'_, '_, 'de> {
    fn visit_message<A: MapAccess<'de>>(
        mut self,
        message: &MessageDescriptor,
        mut map: A,
    ) -> Result<(), A::Error> {
        // No more than the message has fields: what is unknown ends the walk.
        let mut seen: SmallVec<[u32; 16]> = SmallVec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            let field = message.get_field_by_json_name(&key).or_else(|| message.get_field_by_name(&key));
            let field = match field {
                Some(field) => field,
                // Extensions are not ours to know; the second walk does.
                None if key.starts_with('[') => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                    continue;
                }
                None => {
                    let error =
                        A::Error::custom(format!("there is no such field in {}", message.full_name()));
                    self.walk.path.push(Place::Key(key));
                    return Err(error);
                }
            };
            self.walk.path.push(Place::Key(key));
            if seen.contains(&field.number()) {
                return Err(A::Error::custom("is given twice"));
            }
            seen.push(field.number());
            let prefix = self.prefix.as_ref().filter(|_| self.walk.paths.is_some()).map(|prefix| {
                if prefix.is_empty() { field.name().to_owned() } else { format!("{prefix}.{}", field.name()) }
            });
            let shape = Shape::of_field(&field);
            map.next_value_seed(Step { walk: &mut *self.walk, shape: &shape, prefix })?;
            self.walk.path.pop();
        }
        self.walk.depth -= 1;
        if seen.is_empty() {
            self.leaf();
        }
        Ok(())
    }

    fn visit_free<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key_seed(Key)? {
            self.walk.path.push(Place::Key(key.clone()));
            if !seen.insert(key) {
                return Err(A::Error::custom("is given twice"));
            }
            map.next_value_seed(Step { walk: &mut *self.walk, shape: self.shape.inner(), prefix: None })?;
            self.walk.path.pop();
        }
        self.walk.depth -= 1;
        self.leaf();
        Ok(())
    }
}

/// A finite number, or one of the three words of proto3 JSON.
fn is_float(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
        || (text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
            && text.parse::<f64>().is_ok_and(f64::is_finite))
}

/// A key, borrowed from the body where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
