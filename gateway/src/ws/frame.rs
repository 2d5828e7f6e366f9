//! How messages look on the wire, in both sub-protocols.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost_reflect::DescriptorPool;
use serde::Deserialize;
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

/// The head of a call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Open {
    /// `weft.graph.v1.GraphService/GetGraph`.
    pub(super) method: String,
    /// Credentials, trace context and whatever else the service looks at.
    #[serde(default)]
    pub(super) metadata: std::collections::BTreeMap<String, String>,
    /// Milliseconds that the client waits.
    pub(super) timeout_ms: Option<u64>,
}

const OPEN: u8 = 1;
const MESSAGE: u8 = 2;
const END: u8 = 3;
const CANCEL: u8 = 4;
const STATUS: u8 = 5;

/// Reads a binary message: the call's number, what is said.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_binary(mut bytes: Bytes) -> Result<(u64, Said), &'static str> {
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
        _ => return Err("there is no such kind of message"),
    };
    Ok((call, said))
}

fn read_varint(bytes: &mut Bytes) -> Result<u64, &'static str> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        if !bytes.has_remaining() {
            return Err("a message begins with the number of its call");
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
    Err("the number of a call has at most 64 bits")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextFrame<'a> {
    call: u64,
    #[serde(borrow)]
    open: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    end: Option<bool>,
    cancel: Option<bool>,
}

/// Reads a text message.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_text(text: &Utf8Bytes) -> Result<(u64, Said), &'static str> {
    const FORM: &str = "a message is an object of a call and one of open, message, end, cancel";
    let frame: TextFrame<'_> = serde_json::from_str(text.as_str()).map_err(|_| FORM)?;
    let bytes = |raw: &RawValue| AsRef::<Bytes>::as_ref(text).slice_ref(raw.get().as_bytes());
    let said = match frame {
        TextFrame { open: Some(open), message: None, end: None, cancel: None, .. } => Said::Open(bytes(open)),
        TextFrame { open: None, message: Some(message), end: None, cancel: None, .. } => {
            Said::Message(bytes(message))
        }
        TextFrame { open: None, message: None, end: Some(true), cancel: None, .. } => Said::End,
        TextFrame { open: None, message: None, end: None, cancel: Some(true), .. } => Said::Cancel,
        _ => return Err(FORM),
    };
    Ok((frame.call, said))
}

impl Open {
    /// Reads the head of a call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(json: &[u8]) -> Result<Self, &'static str> {
        /// A head has room for credentials and trace context, not for data.
        const MOST_BYTES: usize = 32 * 1024;
        if json.len() > MOST_BYTES {
            return Err("open has at most 32 KiB");
        }
        // An array would be read as the fields in their order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err("open is an object of method, metadata and timeoutMs");
        }
        serde_json::from_slice(json).map_err(|_| "open is an object of method, metadata and timeoutMs")
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

fn binary(call: u64, kind: u8, payload: &[u8]) -> Message {
    let mut frame = BytesMut::with_capacity(payload.len() + 11);
    let mut rest = call;
    while rest >= 0x80 {
        frame.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    frame.put_u8(rest as u8);
    frame.put_u8(kind);
    frame.put_slice(payload);
    Message::Binary(frame.freeze())
}

fn text(call: u64, kind: &str, json: &[u8]) -> Message {
    let head = format!("{{\"call\":{call},\"{kind}\":");
    let frame = Bytes::from([head.as_bytes(), json, b"}"].concat());
    Message::Text(Utf8Bytes::try_from(frame).expect("serde_json writes UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_frame(text: &str) -> Result<(u64, Said), &'static str> {
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
            assert_eq!(read_binary(Bytes::from_static(bytes)), Ok(expected), "{bytes:?}");
        }
    }

    #[test]
    fn refuses_broken_binary_messages() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x80",
            b"\x01\x00",
            b"\x01\x05",
            b"\x01\x06",
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
            assert_eq!(text_frame(text), Ok(expected), "{text}");
        }
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
    fn writes_what_is_documented() {
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
