//! What is in an element's properties? Read where they lie, encoded, without building them.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_types::{ListValue, Struct, Value, value::Kind};

/// A `google.protobuf.Struct`, encoded.
#[derive(Clone, Copy, Debug)]
pub struct Properties<'a>(pub &'a [u8]);

/// A `google.protobuf.Value`, its insides still encoded.
#[derive(Clone, Copy, Debug)]
pub enum Property<'a> {
    /// JSON null.
    Null,
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// True or false.
    Bool(bool),
    /// An object.
    Object(Properties<'a>),
    /// A list.
    List(PropertyList<'a>),
}

/// A `google.protobuf.ListValue`, encoded.
#[derive(Clone, Copy, Debug)]
pub struct PropertyList<'a>(&'a [u8]);

impl<'a> Properties<'a> {
    /// The property at a path of names; `None` if there is none.
    pub fn at<S: AsRef<str>>(self, path: &[S]) -> Option<Property<'a>> {
        let (first, rest) = path.split_first()?;
        let found = self.iter().find(|(name, _)| *name == first.as_ref())?.1;
        match found {
            _ if rest.is_empty() => Some(found),
            Property::Object(inner) => inner.at(rest),
            _ => None,
        }
    }

    /// Names and values, in the order in which they were encoded.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Property<'a>)> {
        Fields(self.0).filter_map(|(number, field)| match (number, field) {
            (1, Field::Bytes(entry)) => {
                let (mut name, mut value) = ("", Property::Null);
                for inner in Fields(entry) {
                    match inner {
                        (1, Field::Bytes(bytes)) => name = text(bytes),
                        (2, Field::Bytes(bytes)) => value = decode(bytes),
                        _ => {}
                    }
                }
                Some((name, value))
            }
            _ => None,
        })
    }

    /// Calls `visit` with every text in the properties, however deep.
    pub fn texts(self, visit: &mut dyn FnMut(&'a str)) {
        for (_, value) in self.iter() {
            value.texts(visit);
        }
    }
}

impl<'a> Property<'a> {
    fn texts(self, visit: &mut dyn FnMut(&'a str)) {
        match self {
            Self::Text(text) => visit(text),
            Self::Object(inner) => inner.texts(visit),
            Self::List(list) => list.iter().for_each(|value| value.texts(visit)),
            Self::Null | Self::Number(_) | Self::Bool(_) => {}
        }
    }
}

impl<'a> PropertyList<'a> {
    /// The values.
    pub fn iter(self) -> impl Iterator<Item = Property<'a>> {
        Fields(self.0).filter_map(|(number, field)| match (number, field) {
            (1, Field::Bytes(bytes)) => Some(decode(bytes)),
            _ => None,
        })
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn decode(value: &[u8]) -> Property<'_> {
    // In a oneof the last one counts.
    Fields(value).fold(Property::Null, |before, field| match field {
        (1, _) => Property::Null,
        (2, Field::Fixed64(bits)) => Property::Number(f64::from_bits(bits)),
        (3, Field::Bytes(bytes)) => Property::Text(text(bytes)),
        (4, Field::Varint(number)) => Property::Bool(number != 0),
        (5, Field::Bytes(bytes)) => Property::Object(Properties(bytes)),
        (6, Field::Bytes(bytes)) => Property::List(PropertyList(bytes)),
        _ => before,
    })
}

enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, one level. Ends where the message is not well formed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let (number, wire_type) = decode_key(&mut self.0).ok()?;
            let field = match wire_type {
                WireType::Varint => Field::Varint(decode_varint(&mut self.0).ok()?),
                WireType::SixtyFourBit => {
                    let (bits, rest) = self.0.split_first_chunk::<8>()?;
                    self.0 = rest;
                    Field::Fixed64(u64::from_le_bytes(*bits))
                }
                WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut self.0).ok()?).ok()?;
                    let (bytes, rest) = self.0.split_at_checked(length)?;
                    self.0 = rest;
                    Field::Bytes(bytes)
                }
                _ => {
                    skip_field(wire_type, number, &mut self.0, DecodeContext::default()).ok()?;
                    continue;
                }
            };
            return Some((number, field));
        }
    }
}

/// What is wrong with properties, in words that complete "the properties …".
///
/// # Errors
/// If they are nested deeper than `max_depth`, or are not JSON: a number that is not finite, a
/// value without a kind.
pub fn check(properties: &Struct, max_depth: usize) -> Result<(), String> {
    properties.fields.values().try_for_each(|value| check_value(value, max_depth))
}

fn check_value(value: &Value, depth_left: usize) -> Result<(), String> {
    match &value.kind {
        None => Err("hold a value without a kind; null is a kind of its own".into()),
        Some(Kind::NumberValue(number)) if !number.is_finite() => {
            Err("hold a number that is not finite; JSON has none such".into())
        }
        Some(Kind::StructValue(_) | Kind::ListValue(_)) if depth_left <= 1 => {
            Err("are nested too deeply".into())
        }
        Some(Kind::StructValue(inner)) => {
            inner.fields.values().try_for_each(|value| check_value(value, depth_left - 1))
        }
        Some(Kind::ListValue(ListValue { values })) => {
            values.iter().try_for_each(|value| check_value(value, depth_left - 1))
        }
        Some(_) => Ok(()),
    }
}

/// Writes the property at `path` from `new` into `target`; where `new` has none, it is removed.
/// What is on the way and not an object becomes one.
pub fn write_path(target: &mut Struct, new: Option<&Struct>, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else { return };
    let value = new.and_then(|new| new.fields.get(*first));
    if rest.is_empty() {
        match value {
            Some(value) => target.fields.insert((*first).to_owned(), value.clone()),
            None => target.fields.remove(*first),
        };
        return;
    }
    let inner_new = match value.and_then(|value| value.kind.as_ref()) {
        Some(Kind::StructValue(inner)) => Some(inner),
        _ => None,
    };
    if inner_new.is_none() && !target.fields.contains_key(*first) {
        return;
    }
    let slot = target.fields.entry((*first).to_owned()).or_default();
    if !matches!(slot.kind, Some(Kind::StructValue(_))) {
        slot.kind = Some(Kind::StructValue(Struct::default()));
    }
    if let Some(Kind::StructValue(inner)) = &mut slot.kind {
        write_path(inner, inner_new, rest);
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    fn object(fields: &[(&str, Value)]) -> Struct {
        Struct { fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect() }
    }

    fn sample() -> Struct {
        let list =
            ListValue { values: vec![value(Kind::StringValue("x".into())), value(Kind::BoolValue(true))] };
        object(&[
            ("empty", value(Kind::StringValue(String::new()))),
            ("inner", value(Kind::StructValue(object(&[("n", value(Kind::NumberValue(2.5)))])))),
            ("list", value(Kind::ListValue(list))),
            ("nothing", value(Kind::NullValue(0))),
        ])
    }

    #[test]
    fn reads_every_kind_where_it_lies() {
        let encoded = sample().encode_to_vec();
        let properties = Properties(&encoded);
        assert!(matches!(properties.at(&["empty"]), Some(Property::Text(""))));
        assert!(matches!(properties.at(&["inner", "n"]), Some(Property::Number(2.5))));
        assert!(matches!(properties.at(&["nothing"]), Some(Property::Null)));
        assert!(properties.at(&["inner", "n", "deeper"]).is_none());
        assert!(properties.at(&["none"]).is_none());
        assert!(properties.at::<&str>(&[]).is_none());
        let Some(Property::List(list)) = properties.at(&["list"]) else { panic!("a list is there") };
        assert!(matches!(list.iter().collect::<Vec<_>>()[..], [Property::Text("x"), Property::Bool(true)]));
        let mut texts = Vec::new();
        properties.texts(&mut |text| texts.push(text));
        assert_eq!(texts, ["", "x"]);
    }

    #[test]
    fn damaged_bytes_end_early_and_do_not_panic() {
        let encoded = sample().encode_to_vec();
        for cut in 0..encoded.len() {
            Properties(&encoded[..cut]).texts(&mut |_| {});
        }
    }

    #[test]
    fn refuses_what_is_not_json_or_too_deep() {
        assert_eq!(check(&sample(), 2), Ok(()));
        assert!(check(&sample(), 1).is_err());
        assert!(check(&object(&[("n", value(Kind::NumberValue(f64::NAN)))]), 9).is_err());
        assert!(check(&object(&[("n", Value { kind: None })]), 9).is_err());
    }

    #[test]
    fn writes_and_removes_at_a_path() {
        let mut target = sample();
        let new =
            object(&[("inner", value(Kind::StructValue(object(&[("m", value(Kind::BoolValue(true)))]))))]);
        write_path(&mut target, Some(&new), &["inner", "m"]);
        write_path(&mut target, Some(&new), &["inner", "n"]);
        write_path(&mut target, Some(&new), &["list"]);
        write_path(&mut target, Some(&new), &["not", "there"]);
        write_path(&mut target, None, &["empty"]);
        let inner = value(Kind::StructValue(object(&[("m", value(Kind::BoolValue(true)))])));
        assert_eq!(target, object(&[("inner", inner), ("nothing", value(Kind::NullValue(0)))]));
    }
}
