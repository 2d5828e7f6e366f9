//! JSON that comes in pieces, as events and as small whole values.

use actson::feeder::JsonFeeder;
use actson::options::JsonParserOptionsBuilder;
use actson::parser::ParserError;
use actson::{JsonEvent, JsonParser};
use serde_json::Value as Json;

/// The piece that is being parsed.
#[derive(Default)]
pub(super) struct Feed {
    bytes: Vec<u8>,
    at: usize,
    done: bool,
    /// Newlines passed.
    pub(super) newlines: u64,
    surrogates: Surrogates,
}

/// Watches `\uXXXX` escapes, because the parser lets half of a surrogate pair pass as six characters.
#[derive(Default)]
struct Surrogates {
    /// Bytes since the backslash of the escape that is being read; 0 outside of one.
    within: u8,
    code: u32,
    /// A high half was read, and the low half must follow at once.
    expects_low: bool,
    /// A half stood alone.
    lone: bool,
}

impl Surrogates {
    fn pass(&mut self, byte: u8) {
        match (self.within, byte) {
            (0, b'\\') => self.within = 1,
            (0, _) => self.lone |= std::mem::take(&mut self.expects_low),
            (1, b'u') => (self.within, self.code) = (2, 0),
            (1, _) => {
                self.within = 0;
                self.lone |= std::mem::take(&mut self.expects_low);
            }
            (digits, _) => {
                self.code = self.code << 4 | char::from(byte).to_digit(16).unwrap_or_default();
                self.within = digits + 1;
                if self.within == 6 {
                    self.within = 0;
                    let low = (0xdc00..0xe000).contains(&self.code);
                    self.lone |= self.expects_low != low;
                    self.expects_low = (0xd800..0xdc00).contains(&self.code);
                }
            }
        }
    }
}

impl JsonFeeder for Feed {
    fn has_input(&self) -> bool {
        self.at < self.bytes.len()
    }

    fn is_done(&self) -> bool {
        self.done && !self.has_input()
    }

    fn next_input(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        self.newlines += u64::from(byte == b'\n');
        if byte == b'\\' || self.surrogates.within > 0 || self.surrogates.expects_low {
            self.surrogates.pass(byte);
        }
        Some(byte)
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Event {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    Name(String),
    Scalar(Json),
}

/// What keeps the next event from coming.
pub(super) enum Stop {
    /// More input is needed.
    Hungry,
    /// The document is complete.
    Complete,
    /// The document ends too early.
    Cut,
    /// It is no JSON.
    Wrong(String),
}

/// Parses JSON that comes in pieces.
pub(super) struct Events {
    parser: JsonParser<Feed>,
}

impl Events {
    /// A parser that is told by its caller when nesting gets too deep, and stops a little later.
    pub(super) fn new(max_depth: usize) -> Self {
        let options = JsonParserOptionsBuilder::default().with_max_depth(max_depth + 8).build();
        Self { parser: JsonParser::new_with_options(Feed::default(), options) }
    }

    /// Gives the next piece; the one before must have been used up.
    pub(super) fn feed(&mut self, text: &str) {
        let feed = &mut self.parser.feeder;
        feed.bytes.clear();
        feed.bytes.extend_from_slice(text.as_bytes());
        feed.at = 0;
    }

    /// Says that no more pieces come.
    pub(super) fn end(&mut self) {
        self.feed("");
        self.parser.feeder.done = true;
    }

    /// The line that was reached, from 1.
    pub(super) fn line(&self) -> u64 {
        self.parser.feeder.newlines + 1
    }

    /// Bytes parsed.
    pub(super) fn bytes(&self) -> usize {
        self.parser.parsed_bytes()
    }

    pub(super) fn next(&mut self) -> Result<Event, Stop> {
        let event = match self.parser.next_event() {
            Ok(Some(event)) => event,
            Ok(None) => return Err(Stop::Complete),
            Err(ParserError::NoMoreInput) => return Err(Stop::Cut),
            Err(error) => return Err(Stop::Wrong(format!("this is not JSON: {error}"))),
        };
        Ok(match event {
            JsonEvent::NeedMoreInput => return Err(Stop::Hungry),
            JsonEvent::StartObject => Event::BeginObject,
            JsonEvent::EndObject => Event::EndObject,
            JsonEvent::StartArray => Event::BeginArray,
            JsonEvent::EndArray => Event::EndArray,
            JsonEvent::FieldName => Event::Name(self.text()?.to_owned()),
            JsonEvent::ValueString => Event::Scalar(Json::String(self.text()?.to_owned())),
            JsonEvent::ValueInt | JsonEvent::ValueFloat => Event::Scalar(number(self.text()?)),
            JsonEvent::ValueTrue => Event::Scalar(Json::Bool(true)),
            JsonEvent::ValueFalse => Event::Scalar(Json::Bool(false)),
            JsonEvent::ValueNull => Event::Scalar(Json::Null),
        })
    }

    fn text(&self) -> Result<&str, Stop> {
        match self.parser.current_str() {
            Ok(text) if !self.parser.feeder.surrogates.lone => Ok(text),
            _ => Err(Stop::Wrong("a string has half of a surrogate pair (\\ud800 to \\udfff)".to_owned())),
        }
    }
}

/// A number, or its text where a double has no room for it.
fn number(text: &str) -> Json {
    match super::super::value::parse_number(text).and_then(serde_json::Number::from_f64) {
        Some(number) => Json::Number(number),
        None => Json::String(text.to_owned()),
    }
}

/// Builds a value out of events.
#[derive(Default)]
pub(super) struct Builder {
    open: Vec<Open>,
}

enum Open {
    Array(Vec<Json>),
    Object(serde_json::Map<String, Json>, Option<String>),
}

impl Builder {
    /// Whether a value has begun and is not complete.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// How many objects and arrays are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Takes an event and gives the value when it is complete.
    pub(super) fn take(&mut self, event: Event) -> Option<Json> {
        let complete = match event {
            Event::BeginObject => {
                self.open.push(Open::Object(serde_json::Map::new(), None));
                return None;
            }
            Event::BeginArray => {
                self.open.push(Open::Array(Vec::new()));
                return None;
            }
            Event::Name(name) => {
                if let Some(Open::Object(_, pending)) = self.open.last_mut() {
                    *pending = Some(name);
                }
                return None;
            }
            Event::Scalar(value) => value,
            Event::EndObject | Event::EndArray => match self.open.pop()? {
                Open::Array(values) => Json::Array(values),
                Open::Object(members, _) => Json::Object(members),
            },
        };
        match self.open.last_mut() {
            None => return Some(complete),
            Some(Open::Array(values)) => values.push(complete),
            Some(Open::Object(members, pending)) => {
                if let Some(name) = pending.take() {
                    members.insert(name, complete);
                }
            }
        }
        None
    }
}
