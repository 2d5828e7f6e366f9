//! How messages look on the wire, in both sub-protocols.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, header};
use prost_reflect::DescriptorPool;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tonic::Status;

use crate::refusal::{status_bytes, status_json};

/// A sub-protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `weft.v1.proto`: binary messages.
    Proto,
    /// `weft.v1.json`: text messages.
    Json,
}

impl Protocol {
    /// By its name in `Sec-WebSocket-Protocol`.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "weft.v1.proto" => Some(Self::Proto),
            "weft.v1.json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The first of a request's that is known.
    pub(super) fn asked(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(|name| Self::by_name(name.trim()))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Proto => "weft.v1.proto",
            Self::Json => "weft.v1.json",
        }
    }
}

/// What a client says about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Begins it; the JSON object of `open`.
    Open(Bytes),
    /// A message, encoded as the sub-protocol does.
    Message(Bytes),
    /// There are no more messages.
    End,
    /// No answer is wanted any more.
    Cancel,
}

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// About a call, by its number.
    OfCall(u64, Said),
    /// Who it is, and whether it comes back; the JSON object of `hello`.
    Hello(Bytes),
    /// It has so many messages of its session.
    Ack(u64),
}

/// Who a client is, and whether it comes back.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Hello {
    /// Metadata of all calls that are begun from now on, unless they say otherwise: credentials.
    pub(super) metadata: BTreeMap<String, String>,
    /// A one-use ticket, in place of a credential.
    pub(super) ticket: String,
    /// Whether a session is wanted, to which the client can come back.
    pub(super) resumable: bool,
    /// The session to which it comes back.
    pub(super) session: String,
    /// How many messages of that session it has.
    pub(super) received: u64,
}

/// The answer to a hello.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Welcome<'w> {
    /// Who the client is.
    pub(super) caller: &'w str,
    /// What to come back with; not there without a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<&'w str>,
    /// Whether the session is the one that was asked for, with all its calls.
    pub(super) resumed: bool,
    /// How many messages of the client the session has.
    pub(super) received: u64,
    /// How long the session is kept for a client that is gone, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resume_seconds: Option<u64>,
}

/// The head of a call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Open {
    /// `weft.graph.v1.GraphService/GetGraph`.
    pub(super) method: String,
    /// Credentials, trace context and whatever else the service looks at.
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    /// Milliseconds that the client waits.
    pub(super) timeout_ms: Option<u64>,
}

const OPEN: u8 = 1;
const MESSAGE: u8 = 2;
const END: u8 = 3;
const CANCEL: u8 = 4;
const STATUS: u8 = 5;
const HELLO: u8 = 6;
const WELCOME: u8 = 7;
const ACK: u8 = 8;

/// Reads a binary message.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_binary(mut bytes: Bytes) -> Result<Heard, &'static str> {
    let call = read_varint(&mut bytes)?;
    if !bytes.has_remaining() {
        return Err("a message has a kind");
    }
    let said = match bytes.get_u8() {
        OPEN => Said::Open(bytes),
        MESSAGE => Said::Message(bytes),
        END if bytes.is_empty() => Said::End,
        CANCEL if bytes.is_empty() => Said::Cancel,
        END | CANCEL => return Err("end and cancel have no payload"),
        HELLO if call == 0 => return Ok(Heard::Hello(bytes)),
        ACK if call == 0 => {
            let number = read_varint(&mut bytes)?;
            return if bytes.is_empty() { Ok(Heard::Ack(number)) } else { Err("ack is one number") };
        }
        HELLO | ACK => return Err("hello and ack are of no call: its number is 0"),
        _ => return Err("there is no such kind of message"),
    };
    Ok(Heard::OfCall(call, said))
}

fn read_varint(bytes: &mut Bytes) -> Result<u64, &'static str> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        if !bytes.has_remaining() {
            return Err("a number is missing, or cut off");
        }
        let byte = bytes.get_u8();
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number has at most 64 bits")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextFrame<'a> {
    call: Option<u64>,
    #[serde(borrow)]
    open: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    end: Option<bool>,
    cancel: Option<bool>,
    #[serde(borrow)]
    hello: Option<&'a RawValue>,
    ack: Option<u64>,
}

/// Reads a text message.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_text(text: &Utf8Bytes) -> Result<Heard, &'static str> {
    const FORM: &str =
        "a message is an object of a call and one of open, message, end, cancel; or of hello or ack";
    let frame: TextFrame<'_> = serde_json::from_str(text.as_str()).map_err(|_| FORM)?;
    let bytes = |raw: &RawValue| AsRef::<Bytes>::as_ref(text).slice_ref(raw.get().as_bytes());
    let (said, call) = match frame {
        TextFrame { open, message, end, cancel, call: Some(call), hello: None, ack: None } => {
            ((open, message, end, cancel), call)
        }
        TextFrame { open: None, message: None, end: None, cancel: None, call: None, hello, ack } => {
            return match (hello, ack) {
                (Some(hello), None) => Ok(Heard::Hello(bytes(hello))),
                (None, Some(number)) => Ok(Heard::Ack(number)),
                _ => Err(FORM),
            };
        }
        _ => return Err(FORM),
    };
    let said = match said {
        (Some(open), None, None, None) => Said::Open(bytes(open)),
        (None, Some(message), None, None) => Said::Message(bytes(message)),
        (None, None, Some(true), None) => Said::End,
        (None, None, None, Some(true)) => Said::Cancel,
        _ => return Err(FORM),
    };
    Ok(Heard::OfCall(call, said))
}

/// Credentials and trace context have room in it, data have not.
const MOST_BYTES_OF_A_HEAD: usize = 32 * 1024;

/// Reads a JSON object of the socket's own. An array would be read as the fields in their order.
fn read_object<'j, T: Deserialize<'j>>(json: &'j [u8], form: &'static str) -> Result<T, &'static str> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(form);
    }
    serde_json::from_slice(json).map_err(|_| form)
}

impl Hello {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(json: &[u8]) -> Result<Self, &'static str> {
        if json.len() > MOST_BYTES_OF_A_HEAD {
            return Err("hello has at most 32 KiB");
        }
        let form = "hello is an object of metadata, ticket, resumable, session and received";
        read_object(json, form)
    }

    /// Whether it says nothing but who somebody is.
    pub(super) fn is_only_metadata(&self) -> bool {
        self.ticket.is_empty() && self.session.is_empty() && !self.resumable && self.received == 0
    }
}

impl Open {
    /// Reads the head of a call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(json: &[u8]) -> Result<Self, &'static str> {
        if json.len() > MOST_BYTES_OF_A_HEAD {
            return Err("open has at most 32 KiB");
        }
        read_object(json, "open is an object of method, metadata and timeoutMs")
    }
}

/// A message of the server: `payload` is encoded as the sub-protocol does.
pub(super) fn message(protocol: Protocol, call: u64, payload: &[u8]) -> Message {
    match protocol {
        Protocol::Proto => binary(call, MESSAGE, payload),
        Protocol::Json => text(call, "message", payload),
    }
}

/// The end of a call.
pub(super) fn status(protocol: Protocol, call: u64, status: &Status, pool: &DescriptorPool) -> Message {
    match protocol {
        Protocol::Proto => binary(call, STATUS, &status_bytes(status)),
        Protocol::Json => text(call, "status", status_json(status, pool, false).to_string().as_bytes()),
    }
}

/// The answer to a hello.
pub(super) fn welcome(protocol: Protocol, welcome: &Welcome<'_>) -> Message {
    let json = serde_json::to_vec(welcome).expect("it is made of texts and numbers");
    match protocol {
        Protocol::Proto => binary(0, WELCOME, &json),
        Protocol::Json => text_of([b"{\"welcome\":".as_slice(), &json, b"}"].concat()),
    }
}

/// Tells a client of a session how many of its messages have arrived.
pub(super) fn ack(protocol: Protocol, number: u64) -> Message {
    match protocol {
        Protocol::Proto => {
            let mut payload = BytesMut::new();
            put_varint(&mut payload, number);
            binary(0, ACK, &payload)
        }
        Protocol::Json => text_of(format!("{{\"ack\":{number}}}").into_bytes()),
    }
}

fn binary(call: u64, kind: u8, payload: &[u8]) -> Message {
    let mut frame = BytesMut::with_capacity(payload.len() + 11);
    put_varint(&mut frame, call);
    frame.put_u8(kind);
    frame.put_slice(payload);
    Message::Binary(frame.freeze())
}

fn put_varint(bytes: &mut BytesMut, number: u64) {
    let mut rest = number;
    while rest >= 0x80 {
        bytes.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.put_u8(rest as u8);
}

fn text(call: u64, kind: &str, json: &[u8]) -> Message {
    let head = format!("{{\"call\":{call},\"{kind}\":");
    text_of([head.as_bytes(), json, b"}"].concat())
}

fn text_of(json: Vec<u8>) -> Message {
    Message::Text(Utf8Bytes::try_from(Bytes::from(json)).expect("serde_json writes UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_frame(text: &str) -> Result<Heard, &'static str> {
        read_text(&Utf8Bytes::from(text.to_owned()))
    }

    #[test]
    fn reads_binary_messages() {
        for (bytes, expected) in [
            (&b"\x01\x01{}"[..], (1, Said::Open(Bytes::from_static(b"{}")))),
            (b"\x02\x02\x08\x01", (2, Said::Message(Bytes::from_static(b"\x08\x01")))),
            (b"\x02\x02", (2, Said::Message(Bytes::new()))),
            (b"\x80\x01\x03", (128, Said::End)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x04", (u64::MAX, Said::Cancel)),
        ] {
            let expected = Ok(Heard::OfCall(expected.0, expected.1));
            assert_eq!(read_binary(Bytes::from_static(bytes)), expected, "{bytes:?}");
        }
        assert_eq!(read_binary(Bytes::from_static(b"\0\x06{}")), Ok(Heard::Hello(Bytes::from_static(b"{}"))));
        assert_eq!(read_binary(Bytes::from_static(b"\0\x08\x80\x01")), Ok(Heard::Ack(128)));
    }

    #[test]
    fn refuses_broken_binary_messages() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x80",
            b"\x01\x00",
            b"\x01\x05",
            b"\x01\x06{}",
            b"\x01\x08\x01",
            b"\x00\x07{}",
            b"\x00\x08",
            b"\x00\x08\x01x",
            b"\x00\x09",
            b"\x01\x03x",
            b"\x01\x04x",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x04",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x04",
        ] {
            assert!(read_binary(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn reads_text_messages() {
        let message = |json: &'static str| Said::Message(Bytes::from_static(json.as_bytes()));
        for (text, expected) in [
            (
                r#"{"call":1,"open":{"method":"a.B/C"}}"#,
                (1, Said::Open(Bytes::from_static(br#"{"method":"a.B/C"}"#))),
            ),
            (r#"{"message": {"a": [1, 2]} ,"call":7}"#, (7, message(r#"{"a": [1, 2]}"#))),
            (r#"{"call":7,"message":"1.5s"}"#, (7, message(r#""1.5s""#))),
            (r#"{"call":2,"end":true}"#, (2, Said::End)),
            (r#"{"call":2,"cancel":true}"#, (2, Said::Cancel)),
        ] {
            assert_eq!(text_frame(text), Ok(Heard::OfCall(expected.0, expected.1)), "{text}");
        }
        let hello = Heard::Hello(Bytes::from_static(br#"{"resumable":true}"#));
        assert_eq!(text_frame(r#"{"hello":{"resumable":true}}"#), Ok(hello));
        assert_eq!(text_frame(r#"{"ack":7}"#), Ok(Heard::Ack(7)));
    }

    #[test]
    fn refuses_broken_text_messages() {
        for text in [
            "",
            "1",
            "[]",
            "{}",
            r#"{"call":1}"#,
            r#"{"call":-1,"end":true}"#,
            r#"{"call":"1","end":true}"#,
            r#"{"call":1,"end":false}"#,
            r#"{"call":1,"end":true,"cancel":true}"#,
            r#"{"call":1,"end":true,"x":1}"#,
            r#"{"call":1,"call":1,"end":true}"#,
            r#"{"end":true}"#,
            r#"{"call":1,"status":{}}"#,
            r#"{"call":1,"hello":{}}"#,
            r#"{"call":1,"ack":1}"#,
            r#"{"hello":{},"ack":1}"#,
            r#"{"hello":{},"end":true}"#,
            r#"{"ack":-1}"#,
            r#"{"call":1,"message":}"#,
            r#"{"call":1,"end":true} x"#,
            r#"{"call":18446744073709551616,"end":true}"#,
        ] {
            assert!(text_frame(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_heads() {
        let open =
            Open::read(br#"{"method":"a.B/C","metadata":{"authorization":"Bearer x"},"timeoutMs":5000}"#)
                .expect("good");
        assert_eq!((open.method.as_str(), open.timeout_ms), ("a.B/C", Some(5000)));
        assert_eq!(open.metadata["authorization"], "Bearer x");
        for json in [
            "",
            "[]",
            "{}",
            r#"["a.B/C"]"#,
            r#"{"method":1}"#,
            r#"{"method":"a","timeoutMs":-1}"#,
            r#"{"method":"a","x":1}"#,
        ] {
            assert!(Open::read(json.as_bytes()).is_err(), "{json}");
        }
        let long = format!(r#"{{"method":"{}"}}"#, "x".repeat(40_000));
        assert!(Open::read(long.as_bytes()).is_err());
    }

    #[test]
    fn reads_hellos() {
        let hello = Hello::read(br#"{"metadata":{"a":"b"},"resumable":true}"#).expect("good");
        assert_eq!((hello.metadata["a"].as_str(), hello.resumable, hello.session.as_str()), ("b", true, ""));
        let back = Hello::read(br#"{"session":"s","received":7,"ticket":"t"}"#).expect("good");
        assert_eq!((back.session.as_str(), back.received, back.ticket.as_str()), ("s", 7, "t"));
        for json in ["", "[]", r#"{"x":1}"#, r#"{"received":-1}"#, r#"{"resumable":1}"#] {
            assert!(Hello::read(json.as_bytes()).is_err(), "{json}");
        }
        let long = format!(r#"{{"ticket":"{}"}}"#, "x".repeat(40_000));
        assert!(Hello::read(long.as_bytes()).is_err());
    }

    #[test]
    fn writes_what_is_documented() {
        let welcomed = Welcome {
            caller: "projects/p/apiKeys/k",
            session: None,
            resumed: false,
            received: 0,
            resume_seconds: None,
        };
        let json = r#"{"caller":"projects/p/apiKeys/k","resumed":false,"received":0}"#;
        assert_eq!(welcome(Protocol::Json, &welcomed), Message::text(format!(r#"{{"welcome":{json}}}"#)));
        assert_eq!(welcome(Protocol::Proto, &welcomed).into_data(), [b"\0\x07", json.as_bytes()].concat());
        assert_eq!(ack(Protocol::Json, 300), Message::text(r#"{"ack":300}"#));
        assert_eq!(ack(Protocol::Proto, 300), Message::Binary(Bytes::from_static(b"\0\x08\xac\x02")));
        let pool = weft_proto::pool();
        let ok = Status::ok("");
        assert_eq!(
            message(Protocol::Proto, 300, b"xy"),
            Message::Binary(Bytes::from_static(b"\xac\x02\x02xy"))
        );
        assert_eq!(message(Protocol::Json, 1, b"{}"), Message::text(r#"{"call":1,"message":{}}"#));
        assert_eq!(status(Protocol::Proto, 1, &ok, pool), Message::Binary(Bytes::from_static(b"\x01\x05")));
        assert_eq!(
            status(Protocol::Json, 1, &ok, pool),
            Message::text(r#"{"call":1,"status":{"code":0,"details":[],"message":""}}"#)
        );
    }
}
