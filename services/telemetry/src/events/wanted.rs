//! What a search wants: all of its conditions hold for an event.

use weft_series::DecodeError;

use super::{
    Kind,
    block::Block,
    chunk::{Event, Origin},
    filter::{self, Of},
    value, words,
};
use crate::Error;

/// Below this, no two whole numbers are the same fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What a search wants. What is `None`, empty or zero does not count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// Nanoseconds since 1970: not before this.
    pub(crate) from: i64,
    /// Before this.
    pub(crate) to: i64,
    pub(crate) service: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) trace: Option<[u8; 16]>,
    /// Words of the body.
    pub(crate) query: words::Query,
    /// The lowest severity.
    pub(crate) severity: u32,
    pub(crate) operation: String,
    /// The shortest span, in nanoseconds.
    pub(crate) length: i64,
    /// Spans that ended in an error alone.
    pub(crate) errors: bool,
}

/// An attribute and its value, as text. A number may be written in more than one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    key: String,
    values: Vec<String>,
}

impl Attribute {
    /// From `key=value`.
    ///
    /// # Errors
    /// There is no key.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Error::field("attributes", format!("{text:?} is not key=value")));
        };
        let mut values = vec![value.to_owned()];
        // `1.0` means 1, as a number of JSON does.
        if let Ok(number) = value.parse::<f64>()
            && number.abs() < EXACT
            && number.to_string() != value
        {
            values.push(number.to_string());
        }
        Ok(Self { key: key.to_owned(), values })
    }

    fn is_in(&self, attributes: &[u8]) -> Result<bool, DecodeError> {
        if attributes.len() <= 1 {
            return Ok(false);
        }
        let mut entries = value::read_map(attributes)?.into_iter();
        Ok(entries.any(|(key, value)| {
            key == self.key && value.plain().is_some_and(|value| self.values.contains(&value))
        }))
    }
}

impl Wanted {
    /// Whether a block may have it, as far as its directory tells.
    pub(crate) fn may_be_in(&self, kind: Kind, block: &Block) -> bool {
        let is_bad_enough = if kind == Kind::Spans {
            (!self.errors || block.worst >= 2) && self.length <= block.longest
        } else {
            self.severity <= block.worst
        };
        is_bad_enough
            && self.from <= block.last
            && block.first < self.to
            && (self.service.is_empty() || block.may_have_service(&self.service))
            && self.trace.is_none_or(|trace| block.may_have_trace(&trace))
    }

    /// What the filter of a block has, where the block has it: of each list, one.
    pub(crate) fn things(&self) -> Vec<Vec<u64>> {
        let mut things: Vec<Vec<u64>> = self.query.needed().into_iter().map(|word| vec![word]).collect();
        things.extend(self.attributes.iter().map(|Attribute { key, values }| {
            let of = |value: &String| filter::hash(Of::Attribute, &[key.as_bytes(), value.as_bytes()]);
            values.iter().map(of).collect()
        }));
        if !self.operation.is_empty() {
            things.push(vec![filter::hash(Of::Operation, &[self.operation.as_bytes()])]);
        }
        things
    }

    /// Whether it is an event.
    ///
    /// # Errors
    /// The event is damaged.
    pub(crate) fn is(&self, kind: Kind, event: &Event<'_>, origin: &Origin) -> Result<bool, DecodeError> {
        let is_of_kind = if kind == Kind::Spans {
            (!self.errors || event.code & 3 == 2)
                && event.length >= self.length
                && (self.operation.is_empty() || event.name == self.operation)
        } else {
            event.code >= self.severity
        };
        let is_plain = is_of_kind
            && (self.from..self.to).contains(&event.time)
            && (self.service.is_empty() || origin.service == self.service)
            && self.trace.is_none_or(|trace| event.trace == trace);
        if !is_plain {
            return Ok(false);
        }
        for attribute in &self.attributes {
            let is_there = attribute.is_in(event.attributes)?
                || attribute.is_in(&origin.resource)?
                || attribute.is_in(&origin.scope_attributes)?;
            if !is_there {
                return Ok(false);
            }
        }
        if self.query.is_empty() {
            return Ok(true);
        }
        let mut texts = Vec::new();
        value::read(event.body)?.each_text(&mut |text| texts.push(text.to_lowercase()));
        Ok(self.query.holds(&texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        // One attribute, a whole number: what OpenTelemetry's SDKs make of 500.
        let mut attributes = vec![1];
        weft_series::write_bytes(&mut attributes, b"code");
        attributes.push(4);
        weft_series::write_signed(&mut attributes, 500);
        for (text, is_it) in
            [("code=500", true), ("code=500.0", true), ("code=5e2", true), ("code=50", false)]
        {
            assert_eq!(Attribute::parse(text).unwrap().is_in(&attributes).unwrap(), is_it, "{text}");
        }
        assert!(Attribute::parse("code").is_err() && Attribute::parse("=5").is_err());
        assert_eq!(Attribute::parse("a=b=c").unwrap().values, ["b=c"]);
    }
}
