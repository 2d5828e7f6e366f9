//! Where triggers are kept, and what came to them: a row for each trigger, with the time of its next tick if it has
//! one, or its place in what it watches, and a row for each delivery.
//!
//! A delivery is written before anybody is told that it was taken. While it has a `wake` its run is still to be
//! started, from then on at the latest by whoever has the triggers; its `dedup` is remembered for as long as its row is
//! there, so that it is taken once. What the bytes mean is the trigger service's affair.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerRow {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// Digest of what names it to strangers, if anything does.
    pub token: Option<[u8; 32]>,
    /// The trigger service's encoding of what it is.
    pub settings: Bytes,
    /// When its next tick is, if there is one.
    pub next: Option<Timestamp>,
    /// How far it has looked at what it watches, in its service's encoding, if it watches something.
    pub place: Option<Bytes>,
    /// Counts its changes, from 1: the number behind its etag. A tick is none.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// A trigger to be created.
#[derive(Clone, Debug)]
pub struct NewTrigger {
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// Digest of what names it to strangers. No two have the same.
    pub token: Option<[u8; 32]>,
    /// What it is. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// When its first tick is.
    pub next: Option<Timestamp>,
    /// From where on it watches something.
    pub place: Option<Bytes>,
    /// When.
    pub at: Timestamp,
}

/// A trigger as it should be.
#[derive(Clone, Debug)]
pub struct TriggerUpdate {
    /// Its identity.
    pub uid: Uuid,
    /// The version that the change is based on.
    pub expected_version: i64,
    /// Digest of what names it to strangers.
    pub token: Option<[u8; 32]>,
    /// What it is from now on.
    pub settings: Bytes,
    /// When its next tick is.
    pub next: Option<Timestamp>,
    /// From where on it watches; as it is when absent.
    pub place: Option<Bytes>,
    /// When.
    pub at: Timestamp,
}

/// What is bounded together: what came of one kind does not push out what came of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryKind {
    /// It was taken.
    #[default]
    Taken,
    /// It was taken, and no run could be started of it for good; nobody has looked after it yet.
    Dead,
    /// It was not taken.
    Refused,
}

impl DeliveryKind {
    /// As it is in a row.
    pub fn number(self) -> i32 {
        match self {
            Self::Taken => 0,
            Self::Dead => 1,
            Self::Refused => 2,
        }
    }
}

/// Something that came to a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Identity; later ones have larger ones, to the millisecond.
    pub id: Uuid,
    /// Identity of its trigger.
    pub trigger: Uuid,
    /// What makes it the same delivery when it comes again, to its trigger.
    pub dedup: [u8; 32],
    /// What has become of it, in its service's numbers.
    pub state: i32,
    /// What it is bounded with.
    pub kind: DeliveryKind,
    /// When its run is to be started; absent once it is known what became of it.
    pub wake: Option<Timestamp>,
    /// From when on it may be forgotten.
    pub expires: Timestamp,
    /// What is shown of it.
    pub head: Bytes,
    /// What its run is made of: all that came. Empty once that is forgotten.
    pub event: Bytes,
}

/// A delivery, and what its trigger is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDelivery {
    /// Id of its trigger in the project.
    pub trigger_id: String,
    /// Without its event.
    pub row: DeliveryRow,
}

/// That somebody has looked after a delivery which started nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissal {
    /// Which.
    pub id: Uuid,
    /// What is shown of it.
    pub head: Bytes,
}

/// What became of a delivery that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is on disk now.
    New,
    /// It was there before: this one.
    Known(Box<DeliveryRow>),
}

/// What has become of a delivery since. Where it has no `wake` its event counts from now on among those that are trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryChange {
    /// Which.
    pub id: Uuid,
    /// What has become of it.
    pub state: i32,
    /// What it is bounded with from now on.
    pub kind: DeliveryKind,
    /// When to try again.
    pub wake: Option<Timestamp>,
    /// From when on it may be forgotten; as it is when absent.
    pub expires: Option<Timestamp>,
    /// When its run was started: the last one of a trigger can be asked for.
    pub started: Option<Timestamp>,
    /// What is shown of it.
    pub head: Bytes,
}

/// A tick of a trigger: it goes from one time to the next, and what was due is kept, both or neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Identity of the trigger.
    pub uid: Uuid,
    /// The time that is over. Where the trigger has another one by now, nothing is done.
    pub due: Timestamp,
    /// The time after it, if there is one.
    pub next: Option<Timestamp>,
    /// What was due.
    pub deliveries: Vec<DeliveryRow>,
}

/// A step of a trigger that watches something: it goes from one place to the next, and what was there is kept, both or
/// neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Identity of the trigger.
    pub uid: Uuid,
    /// The place that it is at. Where the trigger is at another one by now, nothing is done.
    pub from: Bytes,
    /// The place after it.
    pub to: Bytes,
    /// What was there.
    pub deliveries: Vec<DeliveryRow>,
}

/// Keeps triggers. See the promises in the crate's documentation.
#[async_trait]
pub trait TriggerStore: Requests {
    /// Creates a trigger. `AlreadyExists` if the id is taken in the project.
    async fn create_trigger(
        &self,
        trigger: NewTrigger,
        remember: Option<Remember>,
    ) -> Result<Written<TriggerRow>>;

    /// The one of that name.
    async fn get_trigger(&self, project: &str, id: &str) -> Result<TriggerRow>;

    /// The one of that identity.
    async fn find_trigger(&self, uid: Uuid) -> Result<TriggerRow>;

    /// The one that strangers name so.
    async fn trigger_by_token(&self, token: &[u8; 32]) -> Result<TriggerRow>;

    /// Those of a project by id: after `after` (all when empty), at most `limit`.
    async fn list_triggers(&self, project: &str, after: &str, limit: u32) -> Result<Vec<TriggerRow>>;

    /// Changes one. `Stale` if `expected_version` is not its version.
    async fn update_trigger(
        &self,
        update: TriggerUpdate,
        remember: Option<Remember>,
    ) -> Result<Written<TriggerRow>>;

    /// Deletes one. `Stale` if `expected_version` is given and not its version. Its deliveries are forgotten when they
    /// expire, and can no more be asked for by then.
    async fn delete_trigger(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<()>;

    /// Takes the ticks of all triggers until an instant, if nobody else has them at `at`; `AlreadyExists` if somebody
    /// does. Whoever had them before cannot tick any more, and that is so for the same owner too. Gives the epoch. A
    /// database that only one process can open gives them to whoever asks.
    async fn own_triggers(&self, owner: &str, at: Timestamp, until: Timestamp) -> Result<i64>;

    /// Gives them back, if the epoch is still theirs.
    async fn leave_triggers(&self, epoch: i64) -> Result<()>;

    /// Triggers with a tick before an instant, the earliest first, at most `limit`.
    async fn due_triggers(&self, before: Timestamp, limit: u32) -> Result<Vec<TriggerRow>>;

    /// Ticks, and has the triggers until an instant. Gives those that did; `Stale` if the epoch is not the newest. No
    /// trigger is twice among them. A delivery that is there already is not written again.
    async fn tick_triggers(&self, epoch: i64, until: Timestamp, ticks: Vec<Tick>) -> Result<Vec<Uuid>>;

    /// Triggers that watch something, by uid: after `after` (all when nil), at most `limit`.
    async fn watching_triggers(&self, after: Uuid, limit: u32) -> Result<Vec<TriggerRow>>;

    /// Steps, and has the triggers until an instant. Gives those that did; `Stale` if the epoch is not the newest. No
    /// trigger is twice among them. A delivery that is there already is not written again.
    async fn advance_triggers(
        &self,
        epoch: i64,
        until: Timestamp,
        advances: Vec<Advance>,
    ) -> Result<Vec<Uuid>>;

    /// Keeps deliveries, and says of each, in their order, whether it is new.
    async fn accept_deliveries(&self, deliveries: Vec<DeliveryRow>) -> Result<Vec<Accepted>>;

    /// Keeps what has become of deliveries, each once.
    async fn settle_deliveries(&self, changes: Vec<DeliveryChange>) -> Result<()>;

    /// Deliveries whose runs are to be started before an instant, the earliest first, at most `limit`.
    async fn waiting_deliveries(&self, before: Timestamp, limit: u32) -> Result<Vec<DeliveryRow>>;

    /// Those of a trigger, the newest first: before `before` (all when absent), at most `limit`. Without events.
    async fn list_deliveries(
        &self,
        trigger: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>>;

    /// One of a trigger.
    async fn get_delivery(&self, trigger: Uuid, id: Uuid) -> Result<DeliveryRow>;

    /// Those of all triggers that there are in a project, the newest first: before `before` (all when absent), at most
    /// `limit`.
    async fn project_deliveries(
        &self,
        project: &str,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<NamedDelivery>>;

    /// Those of them that are dead, of one trigger or of all.
    async fn dead_deliveries(
        &self,
        project: &str,
        trigger: Option<Uuid>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<NamedDelivery>>;

    /// Keeps that somebody has looked after dead deliveries, and gives those that were dead until then.
    async fn dismiss_deliveries(&self, dismissals: Vec<Dismissal>) -> Result<Vec<Uuid>>;

    /// The one of a trigger whose run was started last, without its event.
    async fn last_started_delivery(&self, trigger: Uuid) -> Result<Option<DeliveryRow>>;

    /// Forgets deliveries that have expired before an instant and wait for nothing, at most `limit`; says how many.
    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64>;

    /// Forgets the events of deliveries that wait for nothing: of each project and kind the newest are kept, as many as
    /// have `budget` bytes together. At most `limit`; says how many.
    async fn trim_events(&self, budget: u64, limit: u32) -> Result<u64>;

    /// Forgets deliveries that were refused, but for the newest `keep` of each trigger. At most `limit`; says how many.
    async fn trim_refused(&self, keep: u32, limit: u32) -> Result<u64>;
}
