//! Floods: frames of HTTP/2 that are work for us and cost whoever sends them nothing.
//!
//! Each frame that carries nothing (a PING, a reset, settings, a few bytes of data, …) takes a token.
//! Tokens come back with time, and with what we send: a client that reads much may tell us so often. A
//! decent client comes nowhere near the end of them; a flood is there within milliseconds.

use std::time::Duration;

use tokio::time::Instant;

use super::frames::{FrameHead, Frames};
use crate::config::Rates;

/// Length of what a client's side of a connection begins with (RFC 9113, 3.4).
const PREFACE: usize = 24;
/// No message of gRPC or Connect is shorter, with its prefix.
const SMALL: usize = 5;
/// A frame whose payload may be nothing but padding.
const MAY_BE_PADDING: usize = 256 + SMALL;
/// What a frame of ours is worth: two windows told, a PING to measure the line, and one to spare.
const WORTH: usize = 4;
/// And for each so many bytes in it one more: clients tell their windows every 4 KiB.
const WORTH_BYTES: usize = 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const PADDED: u8 = 0x8;

/// Watches the frames of one connection, both ways.
#[derive(Debug)]
pub(super) struct Floods {
    read: Frames,
    written: Frames,
    rates: Rates,
    tokens: u32,
    /// When time last gave tokens: only looked at when none are left.
    given: Instant,
    settings: bool,
    acknowledged: bool,
}

/// A flood of frames of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flood(pub(super) &'static str);

impl Floods {
    /// Of a connection that begins now.
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            read: Frames::after(PREFACE),
            written: Frames::after(0),
            rates,
            tokens: rates.burst,
            given: Instant::now(),
            settings: false,
            acknowledged: false,
        }
    }

    /// Whether the client has said its settings and heard ours.
    pub(super) fn is_greeted(&self) -> bool {
        self.settings && self.acknowledged
    }

    /// The client has sent these bytes.
    ///
    /// # Errors
    /// It is a flood.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        while let Some(head) = self.read.next(&mut bytes) {
            if head.kind == SETTINGS {
                let seen = if head.flags & ACK == 0 { &mut self.settings } else { &mut self.acknowledged };
                *seen = true;
            }
            if let Some(kind) = carries_nothing(head) {
                self.take().ok_or(Flood(kind))?;
            }
        }
        Ok(())
    }

    /// We have sent these bytes.
    pub(super) fn wrote(&mut self, mut bytes: &[u8]) {
        while let Some(head) = self.written.next(&mut bytes) {
            if matches!(head.kind, DATA | HEADERS) {
                self.give((WORTH + head.length / WORTH_BYTES) as u64);
            }
        }
    }

    fn take(&mut self) -> Option<()> {
        if self.tokens == 0 {
            let per_second = f64::from(self.rates.per_second.max(1));
            let earned = (self.given.elapsed().as_secs_f64() * per_second).floor();
            // What is left of the time counts later.
            self.given += Duration::from_secs_f64(earned / per_second);
            self.give(earned as u64);
        }
        self.tokens = self.tokens.checked_sub(1)?;
        Some(())
    }

    fn give(&mut self, tokens: u64) {
        self.tokens = u64::from(self.tokens).saturating_add(tokens).min(self.rates.burst.into()) as u32;
    }
}

/// The name of a frame that carries neither a request nor a message.
fn carries_nothing(head: FrameHead) -> Option<&'static str> {
    Some(match head.kind {
        DATA => {
            let may_be_empty =
                head.length < SMALL || (head.flags & PADDED != 0 && head.length < MAY_BE_PADDING);
            return (may_be_empty && head.flags & END_STREAM == 0).then_some("data");
        }
        HEADERS => return None,
        2 => "priority",
        3 => "rst_stream",
        SETTINGS => "settings",
        6 => "ping",
        8 => "window_update",
        9 => "continuation",
        _ => "other",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { per_second: 10, burst: 100 };

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let head = [&(length as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1]].concat();
        [head, vec![0; length]].concat()
    }

    fn begun() -> Floods {
        let mut floods = Floods::new(RATES);
        floods.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("no flood");
        floods
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_of_flood_is_found() {
        for (kind, flags, length, name) in [
            (6, 0, 8, "ping"),
            (6, ACK, 8, "ping"),
            (SETTINGS, 0, 0, "settings"),
            (SETTINGS, 0, 6_000, "settings"),
            (3, 0, 4, "rst_stream"),
            (2, 0, 5, "priority"),
            (8, 0, 4, "window_update"),
            (9, 0, 300, "continuation"),
            (DATA, 0, 0, "data"),
            (DATA, 0, 4, "data"),
            (DATA, PADDED, 255, "data"),
            (0x42, 0, 0, "other"),
        ] {
            let mut floods = begun();
            let frame = frame(kind, flags, length);
            for _ in 0..RATES.burst {
                floods.read(&frame).expect("so many are none");
            }
            assert_eq!(floods.read(&frame), Err(Flood(name)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_carries_something_is_free() {
        let mut floods = begun();
        for _ in 0..10_000 {
            for frame in [
                frame(HEADERS, 4, 40),
                frame(DATA, 0, SMALL),
                frame(DATA, END_STREAM, 0),
                frame(DATA, 0, 16_384),
            ] {
                floods.read(&frame).expect("no flood");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_gives_tokens_and_no_more_than_the_bucket_holds() {
        let mut floods = begun();
        let mut all = || (0..100_000).take_while(|_| floods.take().is_some()).count();
        assert_eq!(all(), RATES.burst as usize);
        let mut taken = 0;
        for _ in 0..50 {
            // Steps that are no whole tokens.
            tokio::time::advance(Duration::from_millis(60)).await;
            taken += all();
        }
        assert!((28..=30).contains(&taken), "{taken} in 3 s at ten a second");
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(all(), RATES.burst as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_answer_what_we_send() {
        // Two windows and a PING for each small message, as the most talkative clients do.
        let answers = [frame(8, 0, 4), frame(8, 0, 4), frame(6, 0, 8)].concat();
        let mut floods = begun();
        for _ in 0..10_000 {
            floods.wrote(&frame(DATA, 0, 30));
            floods.read(&answers).expect("no flood");
        }
        // And a window every 4 KiB of large ones, for the stream and for the connection.
        for _ in 0..10_000 {
            floods.wrote(&frame(DATA, 0, 16_384));
            for _ in 0..8 {
                floods.read(&frame(8, 0, 4)).expect("no flood");
            }
        }
        // Our answers to a flood do not feed it.
        floods.wrote(&frame(DATA, 0, 1 << 20));
        for _ in 0..RATES.burst {
            floods.wrote(&frame(6, ACK, 8));
            floods.read(&frame(6, 0, 8)).expect("so many are none");
        }
        assert_eq!(floods.read(&frame(6, 0, 8)), Err(Flood("ping")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_is_settings_both_ways() {
        let mut floods = begun();
        assert!(!floods.is_greeted());
        floods.read(&frame(SETTINGS, 0, 6)).expect("no flood");
        assert!(!floods.is_greeted(), "it has not heard ours");
        let acknowledged = frame(SETTINGS, ACK, 0);
        floods.read(&acknowledged[..4]).expect("no flood");
        floods.read(&acknowledged[4..]).expect("no flood");
        assert!(floods.is_greeted());
    }
}
