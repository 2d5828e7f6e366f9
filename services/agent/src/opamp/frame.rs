//! Messages of OpAMP's WebSocket: a header, which is a varint that is 0, and the message.

use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

use super::wire::{AgentToServer, ServerToAgent};

/// Fields with a length, of a message and of what is in it. A collector with some hundred parts has a few thousand.
const MOST_PARTS: usize = 16_384;
/// Levels that are counted: more than can be read.
const DEEPEST: usize = 200;

/// What a frame says.
///
/// # Errors
/// What is wrong with it, for the collector.
pub(crate) fn read(mut frame: &[u8]) -> Result<AgentToServer, String> {
    let header = decode_varint(&mut frame).map_err(|_| "the frame's header is no varint".to_owned())?;
    if header != 0 {
        return Err(format!("the frame's header is {header}; this server knows 0"));
    }
    message(frame)
}

/// What a message without a header says.
///
/// # Errors
/// What is wrong with it, for the collector.
pub(crate) fn message(content: &[u8]) -> Result<AgentToServer, String> {
    if parts(content, In::Message, 0) > MOST_PARTS {
        return Err(format!("the message has more than {MOST_PARTS} attributes, parts and files"));
    }
    AgentToServer::decode(content).map_err(|error| format!("the message is no AgentToServer: {error}"))
}

/// A message in which things are counted.
#[derive(Clone, Copy)]
enum In {
    Message,
    Description,
    Attribute,
    Effective,
    Files,
    Health,
    Part,
}

impl In {
    /// What a field of it is, if things are in that.
    fn field(self, tag: u32) -> Option<Self> {
        match (self, tag) {
            (Self::Message, 3) => Some(Self::Description),
            (Self::Description, 1 | 2) => Some(Self::Attribute),
            (Self::Message, 6) => Some(Self::Effective),
            (Self::Effective, 1) => Some(Self::Files),
            (Self::Message, 5) | (Self::Part, 2) => Some(Self::Health),
            (Self::Health, 6) => Some(Self::Part),
            _ => None,
        }
    }
}

/// How many things a message is made of, which take more room in memory than here; no more are counted than are too
/// many. What is malformed ends it: reading says what is wrong.
fn parts(mut content: &[u8], within: In, depth: usize) -> usize {
    let mut count = 0;
    while let Ok((tag, kind)) = decode_key(&mut content) {
        if kind != WireType::LengthDelimited {
            if skip_field(kind, tag, &mut content, DecodeContext::default()).is_err() {
                break;
            }
            continue;
        }
        let length = decode_varint(&mut content).ok().and_then(|length| usize::try_from(length).ok());
        let Some((field, rest)) = length.and_then(|length| content.split_at_checked(length)) else { break };
        content = rest;
        count += 1;
        if let Some(below) = within.field(tag).filter(|_| depth < DEEPEST) {
            count += parts(field, below, depth + 1);
        }
        if count > MOST_PARTS {
            break;
        }
    }
    count
}

/// A frame that says it.
pub(crate) fn write(message: &ServerToAgent) -> Vec<u8> {
    let mut frame = Vec::with_capacity(1 + message.encoded_len());
    frame.push(0);
    message.encode_raw(&mut frame);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opamp::wire::ComponentHealth;

    #[test]
    fn a_frame_begins_with_a_zero_of_any_length() {
        let said = AgentToServer { sequence_num: 7, ..AgentToServer::default() };
        for header in [&[0][..], &[0x80, 0], &[0x80, 0x80, 0]] {
            assert_eq!(read(&[header, &said.encode_to_vec()].concat()), Ok(said.clone()));
        }
        assert_eq!(read(&[0]), Ok(AgentToServer::default()), "a message of which nothing is set");
    }

    #[test]
    fn what_is_no_frame_is_told() {
        for (frame, why) in [
            (&[][..], "no varint"),
            (&[0x80], "no varint"),
            (&[0xff; 11], "no varint"),
            (&[1, 0x10, 7], "header is 1"),
            (&[0, 0x08], "no AgentToServer"),
            (&[0, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], "no AgentToServer"),
        ] {
            let told = read(frame).expect_err("it is refused");
            assert!(told.contains(why), "{frame:?}: {told}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        // Field 200, a text; and a message that this server does not read.
        let said = [0, 0x10, 9, 0xc2, 0x0c, 1, b'x', 0x42, 0];
        assert_eq!(read(&said).map(|said| said.sequence_num), Ok(9));
    }

    #[test]
    fn of_too_many_parts_none_is_read() {
        let attributes = |count: usize| [0x0a, 0].repeat(count);
        let description = |attributes: Vec<u8>| {
            let mut said = vec![0x1a];
            prost::encoding::encode_varint(attributes.len() as u64, &mut said);
            [said, attributes].concat()
        };
        let said = message(&description(attributes(1_000))).expect("it is read");
        assert_eq!(said.agent_description.map(|there| there.identifying_attributes.len()), Some(1_000));
        let told = message(&description(attributes(MOST_PARTS))).expect_err("it is refused");
        assert!(told.contains("more than"), "{told}");
        let told = message(&description(attributes(10)).repeat(2_000)).expect_err("so it is in many pieces");
        assert!(told.contains("more than"), "{told}");
        // A part's parts.
        let mut health = ComponentHealth::default();
        for part in 0..5_000 {
            let parts = [("a".to_owned(), ComponentHealth::default())].into();
            let below = ComponentHealth { parts, ..ComponentHealth::default() };
            health.parts.insert(part.to_string(), below);
        }
        let said = AgentToServer { health: Some(health), ..AgentToServer::default() };
        assert!(message(&said.encode_to_vec()).is_err());
    }

    #[test]
    fn an_answer_has_the_header_too() {
        assert_eq!(write(&ServerToAgent { flags: 1, ..ServerToAgent::default() }), [0, 0x30, 1]);
    }
}
