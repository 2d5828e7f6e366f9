//! Deliveries: what makes two of them one, and how they are made.

use std::cell::Cell;

use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use weft_kit::Ids;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryState};
use weft_store::{DeliveryKind, DeliveryRow, Timestamp};

use super::kept::KeptEvent;

/// What makes a delivery the same one when it comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Same<'s> {
    /// What its sender calls it.
    Event(&'s str),
    /// Its signature, which is of one instant.
    Signature(&'s str),
    /// The request that brought it, if nothing else tells.
    Request(&'s str),
    /// A tick, in microseconds since 1970.
    Tick(i64),
    /// Somebody's hand, by their name and request id.
    Hand(&'s str, &'s str),
    /// A tick that somebody made up for, by their name and request id.
    Backfill(&'s str, &'s str, i64),
    /// One that somebody redelivers, by their name and request id, and the identity of the one before.
    Again(&'s str, &'s str, Uuid),
    /// One of the requests of a minute that were refused and are noted.
    Refused(i64, u8),
    /// Nothing: it is like no other.
    Nothing(Uuid),
}

impl Same<'_> {
    pub(crate) fn digest(&self) -> [u8; 32] {
        let text = match self {
            Self::Event(id) => format!("event\n{id}"),
            Self::Signature(text) => format!("signature\n{text}"),
            Self::Request(id) => format!("request\n{}", id.to_lowercase()),
            Self::Tick(tick) => format!("tick\n{tick}"),
            Self::Hand(who, id) => format!("hand\n{who}\n{}", id.to_lowercase()),
            Self::Backfill(who, id, tick) => format!("backfill\n{who}\n{}\n{tick}", id.to_lowercase()),
            Self::Again(who, id, uid) => format!("again\n{who}\n{}\n{uid}", id.to_lowercase()),
            Self::Refused(minute, place) => format!("refused\n{minute}\n{place}"),
            Self::Nothing(uid) => format!("nothing\n{uid}"),
        };
        Sha256::digest(text).into()
    }
}

/// What is common to all deliveries of a moment.
pub(crate) struct Maker<'m> {
    pub(crate) ids: &'m Ids,
    pub(crate) now: Timestamp,
    /// For how long they are kept.
    pub(crate) retention: std::time::Duration,
    /// How many it has made.
    pub(crate) made: Cell<u16>,
}

impl Maker<'_> {
    /// A new identity, later ones being larger: by the millisecond, and by their number among the first 4,096 that
    /// are made together.
    pub(crate) fn id(&self) -> Uuid {
        let millis = u64::try_from(self.now.as_micros() / 1_000).unwrap_or_default();
        let mut random = self.ids.bytes::<10>();
        let number = self.made.get().min(0x0fff);
        self.made.set(number + 1);
        random[..2].copy_from_slice(&number.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// A delivery whose run is to be started at an instant.
    pub(crate) fn pending(
        &self,
        (trigger, same): (Uuid, &Same<'_>),
        head: &Delivery,
        event: &KeptEvent,
        wake: Timestamp,
    ) -> DeliveryRow {
        let mut row = self.row(trigger, same, head, DeliveryState::Pending);
        row.event = kept(event);
        row.wake = Some(wake);
        row
    }

    /// A delivery that was not taken, and what came with it.
    pub(crate) fn refused(
        &self,
        (trigger, same): (Uuid, &Same<'_>),
        head: &Delivery,
        event: &KeptEvent,
    ) -> DeliveryRow {
        DeliveryRow { event: kept(event), ..self.row(trigger, same, head, DeliveryState::Refused) }
    }

    /// A delivery that starts nothing.
    pub(crate) fn idle(
        &self,
        trigger: Uuid,
        same: &Same<'_>,
        head: &Delivery,
        state: DeliveryState,
    ) -> DeliveryRow {
        self.row(trigger, same, head, state)
    }

    fn row(&self, trigger: Uuid, same: &Same<'_>, head: &Delivery, state: DeliveryState) -> DeliveryRow {
        let head = Delivery { state: state.into(), create_time: Some(self.now.into()), ..head.clone() };
        DeliveryRow {
            id: self.id(),
            trigger,
            dedup: same.digest(),
            state: state.into(),
            kind: kind(state),
            wake: None,
            expires: self.now.after(self.retention),
            head: head.encode_to_vec().into(),
            event: bytes::Bytes::new(),
        }
    }
}

/// What a delivery in a state is bounded with.
pub(crate) fn kind(state: DeliveryState) -> DeliveryKind {
    match state {
        DeliveryState::Failed => DeliveryKind::Dead,
        DeliveryState::Refused => DeliveryKind::Refused,
        _ => DeliveryKind::Taken,
    }
}

/// An event as its row has it: never empty, so that one that was forgotten is known by that.
fn kept(event: &KeptEvent) -> bytes::Bytes {
    KeptEvent { is_kept: true, ..event.clone() }.encode_to_vec().into()
}

/// The request id with which the run of a delivery is asked for, however often.
pub(crate) fn request_id(row: &DeliveryRow) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(row.trigger.as_bytes());
    hash.update(row.dedup);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_deliveries_have_larger_ids() {
        let ids = Ids::seeded(1);
        let at = |micros| Maker {
            ids: &ids,
            now: Timestamp::from_micros(micros),
            retention: std::time::Duration::from_secs(1),
            made: Cell::new(0),
        };
        let (first, second) = (at(1_800_000_000_000_000).id(), at(1_800_000_000_001_000).id());
        assert!(first < second);
        assert_ne!(at(1).id(), at(1).id());
        let maker = at(1_800_000_000_000_000);
        let together: Vec<Uuid> = (0..300).map(|_| maker.id()).collect();
        assert!(together.is_sorted() && together.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn what_is_the_same_has_one_request_id() {
        let same = [Same::Event("a"), Same::Signature("a"), Same::Request("a"), Same::Tick(1)];
        for (at, one) in same.iter().enumerate() {
            for other in &same[at + 1..] {
                assert_ne!(one.digest(), other.digest());
            }
        }
        assert_eq!(Same::Request("AB").digest(), Same::Request("ab").digest());
    }
}
