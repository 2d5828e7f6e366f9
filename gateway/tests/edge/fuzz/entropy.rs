//! Messages and texts made of random bytes: the same bytes, the same message.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};

/// Bytes that decide. When they are used up all decisions are "no", so that everything ends.
pub(crate) struct Entropy<'b>(pub(crate) &'b [u8]);

impl Entropy<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// 0 to `end`, not included.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    fn number(&mut self) -> u64 {
        // Small numbers, powers of two and their neighbours, and all the others.
        match self.below(4) {
            0 => u64::from(self.byte()),
            1 => (1_u64 << self.below(64)).wrapping_sub(u64::from(self.byte() & 1)),
            2 => u64::MAX - u64::from(self.byte()),
            _ => u64::from_be_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(9);
        (0..length).map(|_| self.byte()).collect()
    }

    fn text(&mut self) -> String {
        const LETTERS: [&str; 16] = [
            "", "a", "Z", "0", " ", "\"", "\\", "/", "\u{0}", "\n", "\u{7f}", "é", "\u{2028}", "世", "😀",
            "%",
        ];
        (0..self.below(9)).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }
}

/// A message that has a canonical JSON.
pub(crate) fn message(kind: &MessageDescriptor, entropy: &mut Entropy<'_>, depth: usize) -> DynamicMessage {
    if let Some(message) = well_known(kind, entropy, depth) {
        return message;
    }
    let mut message = DynamicMessage::new(kind.clone());
    let fields: Vec<FieldDescriptor> = kind.fields().collect();
    if fields.is_empty() {
        return message;
    }
    for _ in 0..entropy.below(7) {
        let field = &fields[entropy.below(fields.len())];
        if let Some(value) = field_value(field, entropy, depth) {
            message.set_field(field, value);
        }
    }
    message
}

fn field_value(field: &FieldDescriptor, entropy: &mut Entropy<'_>, depth: usize) -> Option<Value> {
    let kind = field.kind();
    if field.is_map() {
        let entry = kind.as_message().expect("maps are messages").clone();
        let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let mut map = std::collections::HashMap::new();
        for _ in 0..entropy.below(4) {
            map.insert(map_key(&key, entropy), one(&value, entropy, depth)?);
        }
        return Some(Value::Map(map));
    }
    if field.is_list() {
        return (0..entropy.below(4))
            .map(|_| one(&kind, entropy, depth))
            .collect::<Option<_>>()
            .map(Value::List);
    }
    one(&kind, entropy, depth)
}

fn map_key(kind: &Kind, entropy: &mut Entropy<'_>) -> MapKey {
    match kind {
        Kind::Bool => MapKey::Bool(entropy.byte() & 1 == 1),
        Kind::Int64 => MapKey::I64(entropy.number().cast_signed()),
        Kind::Uint64 => MapKey::U64(entropy.number()),
        _ => MapKey::String(entropy.text()),
    }
}

fn one(kind: &Kind, entropy: &mut Entropy<'_>, depth: usize) -> Option<Value> {
    Some(match kind {
        Kind::Double => Value::F64(f64::from_bits(entropy.number())),
        Kind::Float => Value::F32(f32::from_bits(entropy.number() as u32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(entropy.number() as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(entropy.number().cast_signed()),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(entropy.number() as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(entropy.number()),
        Kind::Bool => Value::Bool(entropy.byte() & 1 == 1),
        Kind::String => Value::String(entropy.text()),
        Kind::Bytes => Value::Bytes(entropy.bytes().into()),
        Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => Value::EnumNumber(0),
        Kind::Enum(_) => Value::EnumNumber(entropy.number() as i32),
        Kind::Message(_) if depth == 0 => return None,
        Kind::Message(kind) => Value::Message(message(kind, entropy, depth - 1)),
    })
}

/// Types that have rules of their own.
fn well_known(kind: &MessageDescriptor, entropy: &mut Entropy<'_>, depth: usize) -> Option<DynamicMessage> {
    let mut message = DynamicMessage::new(kind.clone());
    let mut set = |name: &str, value: Value| message.set_field_by_name(name, value);
    let nanos = |entropy: &mut Entropy<'_>| (entropy.number() % 1_000_000_000) as i32;
    match kind.full_name().strip_prefix("google.protobuf.")? {
        "Timestamp" => {
            // The years 1 to 9999.
            set("seconds", Value::I64((entropy.number() % 315_537_897_600).cast_signed() - 62_135_596_800));
            set("nanos", Value::I32(nanos(entropy)));
        }
        "Duration" => {
            let sign = if entropy.byte() & 1 == 1 { -1 } else { 1 };
            set("seconds", Value::I64(i64::from(sign) * (entropy.number() % 315_576_000_000).cast_signed()));
            set("nanos", Value::I32(sign * nanos(entropy)));
        }
        "FieldMask" => {
            let names = ["text", "nested.text", "string_value", "by_number"];
            let paths =
                (0..entropy.below(4)).map(|_| Value::String(names[entropy.below(names.len())].to_owned()));
            set("paths", Value::List(paths.collect()));
        }
        "Value" => {
            let inside = |name: &str| kind.get_field_by_name(name).expect("a field").kind();
            match if depth == 0 { entropy.below(4) } else { entropy.below(6) } {
                0 => set("null_value", Value::EnumNumber(0)),
                // JSON has no other numbers.
                1 => set("number_value", Value::F64(entropy.number() as f64 / 8.0)),
                2 => set("string_value", Value::String(entropy.text())),
                3 => set("bool_value", Value::Bool(entropy.byte() & 1 == 1)),
                4 => set("struct_value", one(&inside("struct_value"), entropy, depth)?),
                _ => set("list_value", one(&inside("list_value"), entropy, depth)?),
            }
        }
        // The library writes those that are not finite as null.
        "DoubleValue" => set("value", Value::F64(entropy.number() as f64 / 8.0)),
        "FloatValue" => set("value", Value::F32((entropy.number() & 0xff_ffff) as f32 / 8.0)),
        "Any" => {
            let names = ["test.v1.Thing", "google.rpc.ErrorInfo"];
            let pool = kind.parent_pool();
            let thing = names.iter().find_map(|name| pool.get_message_by_name(name)).expect("one is known");
            let thing = self::message(&thing, entropy, depth.saturating_sub(1));
            message
                .transcode_from(&prost_types::Any {
                    type_url: format!("type.googleapis.com/{}", thing.descriptor().full_name()),
                    value: prost::Message::encode_to_vec(&thing),
                })
                .expect("an Any is an Any");
        }
        _ => return None,
    }
    Some(message)
}

/// `text` with some of its bytes changed, left out or doubled.
pub(super) fn bent(text: &[u8], entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut bent = text.to_vec();
    for _ in 0..=entropy.below(4) {
        let at = entropy.number() as usize % (bent.len() + 1);
        match entropy.below(5) {
            0 => bent.insert(at, entropy.byte()),
            1 if at < bent.len() => drop(bent.remove(at)),
            2 => bent.truncate(at),
            3 => bent.extend_from_within(at..),
            _ if at < bent.len() => bent[at] ^= entropy.byte(),
            _ => {}
        }
    }
    bent
}
