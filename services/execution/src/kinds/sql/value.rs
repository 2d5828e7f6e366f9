//! Values of PostgreSQL as JSON. Nothing is rounded: what JSON's readers would round is given as text.

use std::{error::Error, net::IpAddr};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Number, Value as Json};
use tokio_postgres::types::{FromSql, Kind, Type};
use uuid::Uuid;

use super::{number, temporal};

/// Whole numbers beyond this are rounded by who reads JSON numbers as floating-point ones.
const EXACT: i64 = 1 << 53;
/// How deep lists and composite values may be in each other.
const DEPTH: usize = 16;
/// How many types one may be made of.
const TYPES: usize = 10_000;
/// Most dimensions of an array.
const DIMENSIONS: i32 = 6;

/// A value as it came, and its type.
pub(super) struct Raw<'v>(pub(super) Type, pub(super) Option<&'v [u8]>);

impl<'v> FromSql<'v> for Raw<'v> {
    fn from_sql(of: &Type, raw: &'v [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(of.clone(), Some(raw)))
    }

    fn from_sql_null(of: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(of.clone(), None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Why a value could not be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is no JSON for its type.
    Type(String),
    /// It is not what its type says, or beyond what JSON's readers know.
    Value(&'static str),
    /// It is more than may be given.
    TooLarge,
}

/// Whether values of a type can be given at all.
pub(super) fn check(of: &Type) -> Result<(), Unread> {
    check_depth(of)?;
    check_known(of)
}

/// Whether a type is made of others only so deep, and of so many: one of a few fields of the same type, and so on, is of more
/// than anybody can look at.
pub(super) fn check_depth(of: &Type) -> Result<(), Unread> {
    fn look(of: &Type, depth: usize, left: &mut usize) -> Result<(), Unread> {
        let too_deep = Unread::Value("has a type that is nested too deep: cast it to text");
        *left = match left.checked_sub(1) {
            Some(left) if depth <= DEPTH => left,
            _ => return Err(too_deep),
        };
        match of.kind() {
            Kind::Array(inner) | Kind::Domain(inner) | Kind::Range(inner) | Kind::Multirange(inner) => {
                look(inner, depth + 1, left)
            }
            Kind::Composite(fields) => {
                fields.iter().try_for_each(|field| look(field.type_(), depth + 1, left))
            }
            _ => Ok(()),
        }
    }
    look(of, 0, &mut { TYPES })
}

fn check_known(of: &Type) -> Result<(), Unread> {
    match of.kind() {
        Kind::Enum(_) => Ok(()),
        Kind::Array(inner) | Kind::Domain(inner) => check_known(inner),
        Kind::Composite(fields) => fields.iter().try_for_each(|field| check_known(field.type_())),
        Kind::Simple | Kind::Pseudo if is_known(of) => Ok(()),
        _ => Err(Unread::Type(of.name().to_owned())),
    }
}

fn is_known(of: &Type) -> bool {
    let known = [
        Type::BOOL,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::OID,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::NUMERIC,
        Type::TEXT,
        Type::VARCHAR,
        Type::BPCHAR,
        Type::NAME,
        Type::CHAR,
        Type::UNKNOWN,
        Type::XML,
        Type::VOID,
        Type::JSON,
        Type::JSONB,
        Type::UUID,
        Type::BYTEA,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMP,
        Type::DATE,
        Type::TIME,
        Type::TIMETZ,
        Type::INTERVAL,
        Type::INET,
        Type::CIDR,
        Type::MACADDR,
    ];
    known.contains(of) || ["citext", "ltree"].contains(&of.name())
}

/// A value as JSON. `room` is how many bytes may still be given, and gets smaller.
pub(super) fn json(value: &Raw<'_>, room: &mut usize) -> Result<Json, Unread> {
    of(&value.0, value.1, room, 0)
}

fn of(kind: &Type, bytes: Option<&[u8]>, room: &mut usize, depth: usize) -> Result<Json, Unread> {
    let Some(bytes) = bytes else {
        take(room, 4)?;
        return Ok(Json::Null);
    };
    if depth > DEPTH {
        return Err(Unread::Value("is nested too deep"));
    }
    let value = match kind.kind() {
        Kind::Domain(inner) => return of(inner, Some(bytes), room, depth + 1),
        Kind::Array(element) => return array(element, bytes, room, depth + 1),
        Kind::Composite(fields) => {
            let mut reader = Reader(bytes);
            if reader.i32()? != fields.len() as i32 {
                return Err(BROKEN);
            }
            let mut members = Map::new();
            for field in fields {
                reader.i32()?;
                let bytes = reader.sized()?;
                take(room, field.name().len() + 4)?;
                members.insert(field.name().to_owned(), of(field.type_(), bytes, room, depth + 1)?);
            }
            return Ok(Json::Object(members));
        }
        Kind::Enum(_) => text(bytes)?,
        _ => simple(kind, bytes)?,
    };
    take(room, size(&value))?;
    Ok(value)
}

const BROKEN: Unread = Unread::Value("is not what its type says");

fn take(room: &mut usize, size: usize) -> Result<(), Unread> {
    *room = room.checked_sub(size).ok_or(Unread::TooLarge)?;
    Ok(())
}

/// About how long a value is as JSON.
fn size(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len() + 2,
        Json::Array(values) => 2 + values.iter().map(|value| size(value) + 1).sum::<usize>(),
        Json::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + size(value) + 4).sum::<usize>()
        }
        Json::Number(_) | Json::Null | Json::Bool(_) => 4,
    }
}

fn simple(kind: &Type, bytes: &[u8]) -> Result<Json, Unread> {
    let mut reader = Reader(bytes);
    let too_far = Unread::Value("is beyond the year 9999, or before the year 0: cast it to text");
    let value = match *kind {
        Type::BOOL => Json::Bool(reader.take(1)? != [0]),
        Type::INT2 => Json::from(i16::from_be_bytes(reader.array()?)),
        Type::INT4 => Json::from(reader.i32()?),
        Type::OID => Json::from(reader.i32()?.cast_unsigned()),
        Type::INT8 => {
            let number = reader.i64()?;
            if (-EXACT..=EXACT).contains(&number) { number.into() } else { number.to_string().into() }
        }
        Type::FLOAT4 => float(f32::from_be_bytes(reader.array()?).to_string().as_str()),
        Type::FLOAT8 => float(f64::from_be_bytes(reader.array()?).to_string().as_str()),
        Type::NUMERIC => number::numeric(reader.rest()).ok_or(BROKEN)?.into(),
        Type::JSON => document(reader.rest())?,
        Type::JSONB => match reader.array()? {
            [1] => document(reader.rest())?,
            _ => return Err(BROKEN),
        },
        Type::UUID => Uuid::from_bytes(reader.array()?).to_string().into(),
        Type::BYTEA => BASE64_STANDARD.encode(reader.rest()).into(),
        Type::TIMESTAMPTZ => temporal::timestamp(reader.i64()?, true).ok_or(too_far)?.into(),
        Type::TIMESTAMP => temporal::timestamp(reader.i64()?, false).ok_or(too_far)?.into(),
        Type::DATE => temporal::date(reader.i32()?).ok_or(too_far)?.into(),
        Type::TIME => temporal::time_of_day(reader.i64()?).ok_or(BROKEN)?.into(),
        Type::TIMETZ => {
            let (micros, west) = (reader.i64()?, reader.i32()?);
            temporal::time_with_zone(micros, west).ok_or(BROKEN)?.into()
        }
        Type::INTERVAL => {
            let (micros, days, months) = (reader.i64()?, reader.i32()?, reader.i32()?);
            temporal::interval(micros, days, months).into()
        }
        Type::INET | Type::CIDR => address(&mut reader)?.into(),
        Type::MACADDR => {
            let bytes: [u8; 6] = reader.array()?;
            bytes.map(|byte| format!("{byte:02x}")).join(":").into()
        }
        Type::VOID => Json::Null,
        _ if kind.name() == "ltree" => match reader.array()? {
            [1] => text(reader.rest())?,
            _ => return Err(BROKEN),
        },
        _ if is_known(kind) => text(reader.rest())?,
        _ => return Err(Unread::Type(kind.name().to_owned())),
    };
    if reader.0.is_empty() { Ok(value) } else { Err(BROKEN) }
}

/// A number, or the word for what is none. A small one is not made longer than it was.
fn float(text: &str) -> Json {
    match text {
        "NaN" => "NaN".into(),
        "inf" => "Infinity".into(),
        "-inf" => "-Infinity".into(),
        text => text.parse().ok().and_then(Number::from_f64).map_or(Json::Null, Json::Number),
    }
}

fn text(bytes: &[u8]) -> Result<Json, Unread> {
    std::str::from_utf8(bytes).map(Json::from).map_err(|_| BROKEN)
}

fn document(bytes: &[u8]) -> Result<Json, Unread> {
    serde_json::from_slice(bytes)
        .map_err(|_| Unread::Value("is JSON with numbers, or a depth, that nobody can read"))
}

fn address(reader: &mut Reader<'_>) -> Result<String, Unread> {
    let [family, bits, is_network, length] = reader.array()?;
    let (address, whole): (IpAddr, u8) = match (family, length) {
        (2, 4) => (IpAddr::from(reader.array::<4>()?), 32),
        (3, 16) => (IpAddr::from(reader.array::<16>()?), 128),
        _ => return Err(BROKEN),
    };
    Ok(if is_network == 0 && bits == whole { address.to_string() } else { format!("{address}/{bits}") })
}

fn array(element: &Type, bytes: &[u8], room: &mut usize, depth: usize) -> Result<Json, Unread> {
    let mut reader = Reader(bytes);
    let count = reader.i32()?;
    // Whether there is a null, and the type of the elements, which is known.
    reader.take(8)?;
    if !(0..=DIMENSIONS).contains(&count) {
        return Err(BROKEN);
    }
    let mut lengths = Vec::new();
    for _ in 0..count {
        let (length, _first) = (reader.i32()?, reader.i32()?);
        lengths.push(usize::try_from(length).map_err(|_| BROKEN)?);
    }
    let list = dimension(element, &lengths, &mut reader, room, depth)?;
    if reader.0.is_empty() { Ok(list) } else { Err(BROKEN) }
}

fn dimension(
    element: &Type,
    lengths: &[usize],
    reader: &mut Reader<'_>,
    room: &mut usize,
    depth: usize,
) -> Result<Json, Unread> {
    take(room, 2)?;
    let Some((length, inner)) = lengths.split_first() else { return Ok(Json::Array(Vec::new())) };
    let mut list = Vec::new();
    for _ in 0..*length {
        take(room, 1)?;
        list.push(match inner {
            [] => of(element, reader.sized()?, room, depth)?,
            inner => dimension(element, inner, reader, room, depth)?,
        });
    }
    Ok(Json::Array(list))
}

/// Reads from what is left.
struct Reader<'v>(&'v [u8]);

impl<'v> Reader<'v> {
    fn take(&mut self, length: usize) -> Result<&'v [u8], Unread> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BROKEN)?;
        self.0 = rest;
        Ok(taken)
    }

    fn rest(&mut self) -> &'v [u8] {
        std::mem::take(&mut self.0)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Unread> {
        self.take(LENGTH)?.try_into().map_err(|_| BROKEN)
    }

    fn i32(&mut self) -> Result<i32, Unread> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, Unread> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A value after its length; none where that is negative.
    fn sized(&mut self) -> Result<Option<&'v [u8]>, Unread> {
        let length = self.i32()?;
        usize::try_from(length).ok().map(|length| self.take(length)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio_postgres::types::Field;

    use super::*;

    fn read(kind: &Type, bytes: &[u8]) -> Result<Json, Unread> {
        json(&Raw(kind.clone(), Some(bytes)), &mut 1_000)
    }

    #[test]
    fn numbers_are_never_rounded() {
        assert_eq!(read(&Type::INT8, &EXACT.to_be_bytes()), Ok(json!(9_007_199_254_740_992_i64)));
        assert_eq!(read(&Type::INT8, &(EXACT + 1).to_be_bytes()), Ok(json!("9007199254740993")));
        assert_eq!(read(&Type::INT8, &i64::MIN.to_be_bytes()), Ok(json!("-9223372036854775808")));
        assert_eq!(read(&Type::FLOAT4, &0.1_f32.to_be_bytes()), Ok(json!(0.1)));
        assert_eq!(read(&Type::FLOAT8, &f64::NEG_INFINITY.to_be_bytes()), Ok(json!("-Infinity")));
    }

    #[test]
    fn types_are_made_of_so_many_others() {
        let new = |kind| Type::new("t".to_owned(), 70_000, kind, "public".to_owned());
        let nested = |depth| (0..depth).fold(Type::INT4, |inner, _| new(Kind::Domain(inner)));
        assert_eq!(check(&nested(DEPTH)), Ok(()));
        assert!(matches!(check(&nested(DEPTH + 1)), Err(Unread::Value(_))));
        // Ten of ten of ten: nobody could look at all of them.
        let wide = |depth| {
            (0..depth).fold(Type::INT4, |inner, _| {
                let fields = (0..10).map(|at| Field::new(format!("f{at}"), inner.clone()));
                new(Kind::Composite(fields.collect()))
            })
        };
        assert_eq!(check(&wide(3)), Ok(()));
        assert!(matches!(check(&wide(DEPTH)), Err(Unread::Value(_))));
        let parameter = new(Kind::Range(nested(DEPTH)));
        assert!(check_depth(&parameter).is_err() && check_depth(&Type::INT4_RANGE).is_ok());
    }

    #[test]
    fn a_few_bytes_do_not_become_many() {
        // A list of lists of nothing, as long as it says.
        let mut bytes = Vec::new();
        for number in [2, 0, 23, i32::MAX, 1, 0, 1] {
            bytes.extend(number.to_be_bytes());
        }
        assert_eq!(read(&Type::INT4_ARRAY, &bytes), Err(Unread::TooLarge));
        let long = [0, 1, 0x7f, 0xff, 0, 0, 0, 0, 0, 1];
        assert_eq!(read(&Type::NUMERIC, &long), Err(Unread::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(which in 0..32_usize, bytes in proptest::collection::vec(0..=255_u8, 0..80)) {
            let kinds = [Type::INT4_ARRAY, Type::JSONB_ARRAY, Type::INET, Type::NUMERIC, Type::INTERVAL, Type::TIMETZ,
                Type::TIMESTAMPTZ, Type::JSONB, Type::BOOL, Type::TEXT, Type::UUID, Type::TS_VECTOR];
            drop(read(&kinds[which % kinds.len()], &bytes));
        }
    }
}
