//! The walk over an encoded message.

use std::{io::Write, ops::Range};

use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_types::{Duration, Timestamp};
use serde_json::ser::{CompactFormatter, Formatter};

use super::{
    super::{WholeNumbers, numbers::word},
    shape::{Arity, Field, Form, Kind, Message, Scalar, Shapes},
};

/// Protobuf's own decoders end at 100 levels. What comes near is theirs to judge.
const SURELY_SHALLOW: u32 = 90;
/// The beginning of the year 1 and the end of the year 9999.
const TIMES: Range<i64> = -62_135_596_800..253_402_300_800;
/// Ten thousand years.
const LONGEST: i64 = 315_576_000_000;

/// What the writer leaves to reflection: broken bytes, and whatever a decoder would have to put together.
#[derive(Debug)]
pub(super) struct Unusual;

impl From<prost::DecodeError> for Unusual {
    fn from(_: prost::DecodeError) -> Self {
        Self
    }
}

impl From<bytes::TryGetError> for Unusual {
    fn from(_: bytes::TryGetError) -> Self {
        Self
    }
}

impl From<std::str::Utf8Error> for Unusual {
    fn from(_: std::str::Utf8Error) -> Self {
        Self
    }
}

impl From<std::io::Error> for Unusual {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl From<serde_json::Error> for Unusual {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

type Written<T = ()> = Result<T, Unusual>;

/// Whether a value is the one that its type has without being told.
type IsDefault = bool;

/// JSON on its way.
pub(super) struct Writer<'s> {
    shapes: &'s Shapes,
    json: Vec<u8>,
}

/// A list or map that more of may come.
struct Open {
    field: usize,
    /// Where the keys of a map are in the JSON: no two may be the same.
    keys: Vec<Range<usize>>,
    end: u8,
}

impl<'s> Writer<'s> {
    /// The JSON of an encoded message.
    ///
    /// # Errors
    /// [`Unusual`].
    pub(super) fn write(shapes: &'s Shapes, index: usize, message: &[u8]) -> Written<Vec<u8>> {
        let mut writer = Self { shapes, json: Vec::with_capacity(2 * message.len() + 32) };
        writer.message(index, message, 0)?;
        Ok(writer.json)
    }

    fn message(&mut self, index: usize, bytes: &[u8], depth: u32) -> Written {
        let message = self.shapes.messages.get(index).ok_or(Unusual)?;
        if depth > SURELY_SHALLOW {
            return Err(Unusual);
        }
        match message.form {
            Form::Object => {
                self.json.push(b'{');
                self.fields(message, bytes, depth)?;
                self.json.push(b'}');
                Ok(())
            }
            Form::Struct => self.only_field(message, bytes, depth, b'{', b'}'),
            Form::ListValue => self.only_field(message, bytes, depth, b'[', b']'),
            Form::Value => self.free_value(message, bytes, depth),
            Form::Wrapper => self.wrapper(message, bytes, depth),
            Form::Timestamp => self.timestamp(bytes),
            Form::Duration => self.duration(bytes),
            Form::Unknown => Err(Unusual),
        }
    }

    fn fields(&mut self, message: &'s Message, mut rest: &[u8], depth: u32) -> Written {
        let mut seen = 0_u128;
        let mut chosen = 0_u64;
        let mut near = 0;
        let mut open: Option<Open> = None;
        while !rest.is_empty() {
            let (number, wire) = decode_key(&mut rest)?;
            let Some(index) = message.find(number, near) else {
                skip_field(wire, number, &mut rest, DecodeContext::default())?;
                continue;
            };
            near = index;
            let field = &message.fields[index];
            if open.as_ref().is_none_or(|open| open.field != index) {
                self.close(open.take())?;
                // A second time: the last one counts, or both are one.
                if seen & (1 << index) != 0 || chosen & field.choice != 0 {
                    return Err(Unusual);
                }
                seen |= 1 << index;
                chosen |= field.choice;
            }
            match field.arity {
                Arity::Optional | Arity::Implicit => {
                    let before = self.json.len();
                    self.name(field);
                    let is_default = self.value(&field.kind, wire, &mut rest, depth)?;
                    if is_default && field.arity == Arity::Implicit {
                        self.json.truncate(before);
                    }
                }
                Arity::List => {
                    if open.is_none() && !is_empty_packed(field, wire, rest) {
                        self.name(field);
                        self.json.push(b'[');
                        open = Some(Open { field: index, keys: Vec::new(), end: b']' });
                    }
                    self.elements(field, wire, &mut rest, depth)?;
                }
                Arity::Map { key } => {
                    let open = open.get_or_insert_with(|| {
                        self.name(field);
                        self.json.push(b'{');
                        Open { field: index, keys: Vec::new(), end: b'}' }
                    });
                    let entry = length_delimited(wire, &mut rest)?;
                    open.keys.push(self.entry(key, &field.kind, entry, depth + 1)?);
                }
            }
        }
        self.close(open)
    }

    /// The name of a field, and the comma before it.
    fn name(&mut self, field: &Field) {
        self.comma(b'{');
        self.json.extend_from_slice(field.key.as_bytes());
    }

    /// A comma, unless what began with `begin` is empty. No value ends with what an object or a list begins with.
    fn comma(&mut self, begin: u8) {
        if self.json.last() != Some(&begin) {
            self.json.push(b',');
        }
    }

    fn close(&mut self, open: Option<Open>) -> Written {
        let Some(mut open) = open else { return Ok(()) };
        self.unique(&mut open.keys)?;
        self.json.push(open.end);
        Ok(())
    }

    fn unique(&self, keys: &mut [Range<usize>]) -> Written {
        let text = |key: &Range<usize>| &self.json[key.clone()];
        keys.sort_unstable_by(|one, other| text(one).cmp(text(other)));
        let is_double = keys.windows(2).any(|pair| text(&pair[0]) == text(&pair[1]));
        if is_double { Err(Unusual) } else { Ok(()) }
    }

    /// One element of a list, or several that are packed.
    fn elements(&mut self, field: &'s Field, wire: WireType, rest: &mut &[u8], depth: u32) -> Written {
        let Some(element) = packable(&field.kind).filter(|_| wire == WireType::LengthDelimited) else {
            self.comma(b'[');
            return self.value(&field.kind, wire, rest, depth).map(drop);
        };
        let mut packed = length_delimited(wire, rest)?;
        while !packed.is_empty() {
            self.comma(b'[');
            self.value(&field.kind, element, &mut packed, depth)?;
        }
        Ok(())
    }

    /// An entry of a map; where its key is. Either part is left out where it is the default of its type.
    fn entry(&mut self, key: Scalar, kind: &'s Kind, mut entry: &[u8], depth: u32) -> Written<Range<usize>> {
        self.comma(b'{');
        let begin = self.json.len();
        let mut next = next_key(&mut entry)?;
        // Every key is a text in JSON.
        let quote = !matches!(
            key,
            Scalar::String
                | Scalar::Int64
                | Scalar::Uint64
                | Scalar::Sint64
                | Scalar::Fixed64
                | Scalar::Sfixed64
        );
        if quote {
            self.json.push(b'"');
        }
        if let Some((1, wire)) = next {
            self.scalar(key, wire, &mut entry)?;
            next = next_key(&mut entry)?;
        } else {
            self.default_scalar(key);
        }
        if quote {
            self.json.push(b'"');
        }
        let range = begin..self.json.len();
        self.json.push(b':');
        match next {
            Some((2, wire)) => {
                self.value(kind, wire, &mut entry, depth)?;
            }
            Some(_) => return Err(Unusual),
            None => self.default_value(kind, depth)?,
        }
        if entry.is_empty() { Ok(range) } else { Err(Unusual) }
    }

    /// A type that is nothing but its list or map.
    fn only_field(
        &mut self,
        message: &'s Message,
        mut rest: &[u8],
        depth: u32,
        begin: u8,
        end: u8,
    ) -> Written {
        let field = message.fields.first().ok_or(Unusual)?;
        self.json.push(begin);
        let mut keys = Vec::new();
        while let Some((number, wire)) = next_key(&mut rest)? {
            match field.arity {
                _ if number != field.number => return Err(Unusual),
                Arity::Map { key } => {
                    let entry = length_delimited(wire, &mut rest)?;
                    keys.push(self.entry(key, &field.kind, entry, depth + 1)?);
                }
                _ => self.elements(field, wire, &mut rest, depth)?,
            }
        }
        self.unique(&mut keys)?;
        self.json.push(end);
        Ok(())
    }

    /// A `google.protobuf.Value`: whichever of its fields there is.
    fn free_value(&mut self, message: &'s Message, mut rest: &[u8], depth: u32) -> Written {
        let Some((number, wire)) = next_key(&mut rest)? else {
            self.json.extend_from_slice(b"null");
            return Ok(());
        };
        let field = message.find(number, 0).map(|index| &message.fields[index]).ok_or(Unusual)?;
        if matches!(field.kind, Kind::Scalar(Scalar::Double)) && !{ rest }.try_get_f64_le()?.is_finite() {
            return Err(Unusual);
        }
        self.value(&field.kind, wire, &mut rest, depth)?;
        if rest.is_empty() { Ok(()) } else { Err(Unusual) }
    }

    /// A type that is nothing but its value.
    fn wrapper(&mut self, message: &'s Message, mut rest: &[u8], depth: u32) -> Written {
        let field = message.fields.first().ok_or(Unusual)?;
        match next_key(&mut rest)? {
            None => self.default_value(&field.kind, depth)?,
            Some((number, wire)) if number == field.number => {
                self.value(&field.kind, wire, &mut rest, depth)?;
            }
            Some(_) => return Err(Unusual),
        }
        if rest.is_empty() { Ok(()) } else { Err(Unusual) }
    }

    fn timestamp(&mut self, bytes: &[u8]) -> Written {
        let (seconds, nanos) = seconds_and_nanos(bytes)?;
        if !TIMES.contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
            return Err(Unusual);
        }
        Ok(write!(self.json, "\"{}\"", Timestamp { seconds, nanos })?)
    }

    fn duration(&mut self, bytes: &[u8]) -> Written {
        let (seconds, nanos) = seconds_and_nanos(bytes)?;
        let is_of_one_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
        let is_short =
            seconds.unsigned_abs() < LONGEST.unsigned_abs() && nanos.unsigned_abs() < 1_000_000_000;
        if !is_of_one_sign || !is_short {
            return Err(Unusual);
        }
        Ok(write!(self.json, "\"{}\"", Duration { seconds, nanos })?)
    }

    /// One value, and whether it is the default of its type. A message never is: where it is there, it is said.
    fn value(&mut self, kind: &'s Kind, wire: WireType, rest: &mut &[u8], depth: u32) -> Written<IsDefault> {
        match kind {
            Kind::Scalar(scalar) => self.scalar(*scalar, wire, rest),
            Kind::Message(index) => {
                let inside = length_delimited(wire, rest)?;
                self.message(*index, inside, depth + 1)?;
                Ok(false)
            }
            Kind::Enum(names) => {
                let number = varint(wire, rest)? as i32;
                match names.get(number) {
                    Some(name) => {
                        // Names of contracts have nothing to escape.
                        self.json.push(b'"');
                        self.json.extend_from_slice(name.as_bytes());
                        self.json.push(b'"');
                    }
                    None => CompactFormatter.write_i32(&mut self.json, number)?,
                }
                Ok(number == 0)
            }
            Kind::Null => {
                let number = varint(wire, rest)?;
                self.json.extend_from_slice(b"null");
                Ok(number == 0)
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar, wire: WireType, rest: &mut &[u8]) -> Written<IsDefault> {
        let json = &mut self.json;
        let integer = |number: u64| -> i64 { number.cast_signed() };
        let is_default = match scalar {
            Scalar::String => {
                let text = std::str::from_utf8(length_delimited(wire, rest)?)?;
                serde_json::to_writer(json, text)?;
                text.is_empty()
            }
            Scalar::Bytes => {
                let bytes = length_delimited(wire, rest)?;
                write!(json, "\"{}\"", Base64Display::new(bytes, &BASE64_STANDARD))?;
                bytes.is_empty()
            }
            Scalar::Bool => {
                let is_true = varint(wire, rest)? != 0;
                CompactFormatter.write_bool(json, is_true)?;
                !is_true
            }
            Scalar::Double => {
                expect(wire, WireType::SixtyFourBit)?;
                let number = rest.try_get_f64_le()?;
                if number.is_finite() {
                    WholeNumbers.write_f64(json, number)?;
                } else {
                    write!(json, "\"{}\"", word(number))?;
                }
                number == 0.0
            }
            Scalar::Float => {
                expect(wire, WireType::ThirtyTwoBit)?;
                let number = rest.try_get_f32_le()?;
                if number.is_finite() {
                    WholeNumbers.write_f32(json, number)?;
                } else {
                    write!(json, "\"{}\"", word(number.into()))?;
                }
                number == 0.0
            }
            Scalar::Int32 => i32(json, varint(wire, rest)? as i32)?,
            Scalar::Uint32 => u32(json, varint(wire, rest)? as u32)?,
            Scalar::Sint32 => {
                let number = varint(wire, rest)? as u32;
                i32(json, (number >> 1).cast_signed() ^ -(number & 1).cast_signed())?
            }
            Scalar::Fixed32 => {
                expect(wire, WireType::ThirtyTwoBit)?;
                u32(json, rest.try_get_u32_le()?)?
            }
            Scalar::Sfixed32 => {
                expect(wire, WireType::ThirtyTwoBit)?;
                i32(json, rest.try_get_i32_le()?)?
            }
            Scalar::Int64 => i64(json, integer(varint(wire, rest)?))?,
            Scalar::Uint64 => u64(json, varint(wire, rest)?)?,
            Scalar::Sint64 => {
                let number = varint(wire, rest)?;
                i64(json, integer(number >> 1) ^ -integer(number & 1))?
            }
            Scalar::Fixed64 => {
                expect(wire, WireType::SixtyFourBit)?;
                u64(json, rest.try_get_u64_le()?)?
            }
            Scalar::Sfixed64 => {
                expect(wire, WireType::SixtyFourBit)?;
                i64(json, rest.try_get_i64_le()?)?
            }
        };
        Ok(is_default)
    }

    fn default_value(&mut self, kind: &'s Kind, depth: u32) -> Written {
        match kind {
            Kind::Scalar(scalar) => self.default_scalar(*scalar),
            Kind::Enum(names) => {
                let name = names.get(names.default).ok_or(Unusual)?;
                write!(self.json, "\"{name}\"")?;
            }
            Kind::Null => self.json.extend_from_slice(b"null"),
            Kind::Message(index) => self.message(*index, &[], depth + 1)?,
        }
        Ok(())
    }

    fn default_scalar(&mut self, scalar: Scalar) {
        self.json.extend_from_slice(match scalar {
            Scalar::String | Scalar::Bytes => b"\"\"",
            Scalar::Bool => b"false",
            Scalar::Int64 | Scalar::Uint64 | Scalar::Sint64 | Scalar::Fixed64 | Scalar::Sfixed64 => b"\"0\"",
            _ => b"0",
        });
    }
}

fn i32(json: &mut Vec<u8>, number: i32) -> Written<IsDefault> {
    CompactFormatter.write_i32(json, number)?;
    Ok(number == 0)
}

fn u32(json: &mut Vec<u8>, number: u32) -> Written<IsDefault> {
    CompactFormatter.write_u32(json, number)?;
    Ok(number == 0)
}

/// Of 64 bits: a text, as not every reader of JSON has such numbers.
fn i64(json: &mut Vec<u8>, number: i64) -> Written<IsDefault> {
    json.push(b'"');
    CompactFormatter.write_i64(json, number)?;
    json.push(b'"');
    Ok(number == 0)
}

fn u64(json: &mut Vec<u8>, number: u64) -> Written<IsDefault> {
    json.push(b'"');
    CompactFormatter.write_u64(json, number)?;
    json.push(b'"');
    Ok(number == 0)
}

/// How elements are packed, if they can be.
fn packable(kind: &Kind) -> Option<WireType> {
    match kind {
        Kind::Message(_) | Kind::Scalar(Scalar::String | Scalar::Bytes) => None,
        Kind::Scalar(Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64) => Some(WireType::SixtyFourBit),
        Kind::Scalar(Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32) => Some(WireType::ThirtyTwoBit),
        Kind::Enum(_) | Kind::Null | Kind::Scalar(_) => Some(WireType::Varint),
    }
}

/// A packed list of nothing is no list.
fn is_empty_packed(field: &Field, wire: WireType, rest: &[u8]) -> bool {
    wire == WireType::LengthDelimited && packable(&field.kind).is_some() && rest.first() == Some(&0)
}

fn next_key(rest: &mut &[u8]) -> Written<Option<(u32, WireType)>> {
    if rest.is_empty() { Ok(None) } else { Ok(Some(decode_key(rest)?)) }
}

fn expect(wire: WireType, expected: WireType) -> Written {
    if wire == expected { Ok(()) } else { Err(Unusual) }
}

fn varint(wire: WireType, rest: &mut &[u8]) -> Written<u64> {
    expect(wire, WireType::Varint)?;
    Ok(decode_varint(rest)?)
}

fn length_delimited<'b>(wire: WireType, rest: &mut &'b [u8]) -> Written<&'b [u8]> {
    expect(wire, WireType::LengthDelimited)?;
    let length = usize::try_from(decode_varint(rest)?).map_err(|_| Unusual)?;
    let (inside, after) = rest.split_at_checked(length).ok_or(Unusual)?;
    *rest = after;
    Ok(inside)
}

/// The parts of a time or a length of time.
fn seconds_and_nanos(mut bytes: &[u8]) -> Written<(i64, i32)> {
    let (mut seconds, mut nanos) = (0, 0);
    while let Some((number, wire)) = next_key(&mut bytes)? {
        match number {
            1 => seconds = varint(wire, &mut bytes)?.cast_signed(),
            2 => nanos = varint(wire, &mut bytes)? as i32,
            _ => return Err(Unusual),
        }
    }
    Ok((seconds, nanos))
}
