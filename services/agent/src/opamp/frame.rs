//! Messages of OpAMP's WebSocket: a header, which is a varint that is 0, and the message.

use prost::{Message, bytes::Buf, encoding::decode_varint};

use super::wire::{AgentToServer, ServerToAgent};

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
pub(crate) fn message(content: impl Buf) -> Result<AgentToServer, String> {
    AgentToServer::decode(content).map_err(|error| format!("the message is no AgentToServer: {error}"))
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
    fn an_answer_has_the_header_too() {
        assert_eq!(write(&ServerToAgent { flags: 1, ..ServerToAgent::default() }), [0, 0x30, 1]);
    }
}
