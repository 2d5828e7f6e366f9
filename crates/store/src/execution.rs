//! Where executions are kept: a narrow row for each, the journal of its events, and the workflows that were run.
//!
//! The service keeps in memory what is at work and writes what has happened in *flushes*: of all executions together,
//! in one transaction, with one row of a journal for each that something happened to. What events mean is the
//! service's affair; the store keeps bytes, and refuses those of an owner that is none any more.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Result, Timestamp};

/// A shard of executions in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedExecutions {
    /// Which.
    pub shard: i32,
    /// Counts owners: a flush of an older one is refused.
    pub epoch: i64,
    /// The newest execution; where the shard has none, the number before its first.
    pub last: i64,
}

/// An execution as it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExecution {
    /// Number, larger than all before it in its shard. The shard is in its upper bits, from [`crate::SHARD_BITS`] on.
    pub id: i64,
    /// Id of its project.
    pub project: String,
    /// Name that somebody chose, taken once in the project.
    pub name: Option<String>,
    /// A fresh identity.
    pub uid: Uuid,
    /// Id of its graph.
    pub graph: String,
    /// The graph's revision.
    pub revision: i64,
    /// Number of the workflow ([`ExecutionStore::put_definition`]).
    pub definition: i64,
    /// What its service remembers of it.
    pub head: Bytes,
    /// Which request it was, and the digest of that request: a request is accepted once in its shard.
    pub request: Option<(Bytes, [u8; 32])>,
    /// When it was accepted.
    pub at: Timestamp,
}

/// Where an execution stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionChange {
    /// Which.
    pub id: i64,
    /// Its state, in its service's numbers.
    pub state: i32,
    /// The workflow that it goes on with.
    pub definition: i64,
    /// The revision of the graph that it goes on with.
    pub revision: i64,
    /// When it goes on by itself: nothing of it is at work until then. Absent: something is, or it has ended.
    pub wake: Option<Timestamp>,
    /// Why it failed: a stable word, or nothing.
    pub reason: String,
    /// Its steps.
    pub steps: i32,
    /// How often it was let go on by hand.
    pub retries: i32,
    /// How many of its steps wait for a person; negative where nobody has counted them.
    pub approvals: i32,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// What has happened to an execution in a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionEvents {
    /// Which.
    pub execution: i64,
    /// Counts the rows of its journal, from 1.
    pub sequence: i64,
    /// The service's encoding of the events. At most [`crate::MAX_PART_BYTES`].
    pub bytes: Bytes,
}

/// Everything that happened to a shard since the last flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFlush {
    /// Which shard.
    pub shard: i32,
    /// Whose flush.
    pub epoch: i64,
    /// New executions.
    pub executions: Vec<NewExecution>,
    /// Where executions stand that have changed, new ones among them; each once.
    pub changes: Vec<ExecutionChange>,
    /// What has happened; each execution once.
    pub events: Vec<ExecutionEvents>,
    /// What steps have published, in their order.
    pub messages: Vec<NewExecutionMessage>,
    /// Limits of runs as they are from now on, each once.
    pub limits: Vec<RunLimitRow>,
    /// Limits of runs that are removed, with what their rates have come to.
    pub removed_limits: Vec<Uuid>,
    /// What executions count against, each once; nothing where they do not any more.
    pub turns: Vec<(i64, Option<Bytes>)>,
    /// What rates have come to, each limit and key once. Those of limits that are removed are none.
    pub rates: Vec<RunRateRow>,
}

/// A limit of how many executions of a project run or start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLimitRow {
    /// A fresh identity.
    pub uid: Uuid,
    /// Id of its project.
    pub project: String,
    /// Its name, taken once in the project.
    pub id: String,
    /// The service's encoding of the rest.
    pub settings: Bytes,
    /// Counts its changes, from 1.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// What the rate of a limit has come to for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRateRow {
    /// Which limit.
    pub limit: Uuid,
    /// Which key.
    pub key: String,
    /// Until when it matters: the theoretical arrival time of the generic cell rate algorithm.
    pub until: Timestamp,
}

/// Something that a step publishes to a topic of its project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExecutionMessage {
    /// Id of its project.
    pub project: String,
    /// The topic.
    pub topic: String,
    /// The service's encoding of it. At most [`crate::MAX_PART_BYTES`].
    pub bytes: Bytes,
    /// When it was published.
    pub at: Timestamp,
}

/// An execution with where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionRow {
    /// As it was accepted, but for its workflow.
    pub execution: NewExecution,
    /// Where it stands.
    pub change: ExecutionChange,
}

/// An end of an execution. One that goes on afterwards may end again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionEnd {
    /// Counts the ends of its shard, from 1, without a gap, in the order in which they were written.
    pub number: i64,
    /// Which execution.
    pub execution: i64,
    /// Id of its project.
    pub project: String,
    /// Id of its graph.
    pub graph: String,
    /// Its state then, in its service's numbers.
    pub state: i32,
    /// When it ended.
    pub ended: Timestamp,
}

/// Ends of executions, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionEnds {
    /// The number of the newest end that there was when this was asked, kept or not; 0 where there was none.
    pub newest: i64,
    /// Those that were asked for.
    pub ends: Vec<ExecutionEnd>,
}

/// A message with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionMessage {
    /// Counts the messages of its shard, of all topics, from 1, without a gap, in the order in which they were written.
    pub number: i64,
    /// As it was published.
    pub message: NewExecutionMessage,
}

/// Messages, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionMessages {
    /// The number of the newest message that there was when this was asked, kept or not; 0 where there was none.
    pub newest: i64,
    /// Those that were asked for.
    pub messages: Vec<ExecutionMessage>,
}

/// Who has a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardOwner {
    /// Which shard.
    pub shard: i32,
    /// Its owner; nobody where it was given back.
    pub owner: Option<Uuid>,
    /// Counts its owners: what is written under an older one is refused.
    pub epoch: i64,
}

/// Keeps executions. See the promises in the crate's documentation.
#[async_trait]
pub trait ExecutionStore: Send + Sync {
    /// How many shards there are: the first who asks decides, and it stays so, because the number of an execution has its
    /// shard's in it, and what a project's runs count against must be in one.
    async fn execution_shards(&self, wanted: i32) -> Result<i32>;

    /// Shards that somebody has had, by number. An owner whose lease as a [member](crate::MemberStore) is over has it no
    /// more.
    async fn execution_owners(&self) -> Result<Vec<ShardOwner>>;

    /// Takes a shard, if no member whose lease holds at `at` has it; `AlreadyExists` if one does. Whoever had it
    /// before cannot write to it any more, and that is so for the same owner too, who may take it again at any time.
    async fn own_executions(&self, shard: i32, owner: Uuid, at: Timestamp) -> Result<OwnedExecutions>;

    /// Gives a shard back, if that owner still has it, so that the next one need not wait.
    async fn leave_executions(&self, shard: i32, owner: Uuid) -> Result<()>;

    /// Writes a flush, numbers its messages, and writes an end for each change that has ended.
    /// [`crate::StoreError::Stale`] if its epoch is not the shard's: nothing was written.
    async fn flush_executions(&self, flush: ExecutionFlush) -> Result<()>;

    /// Executions of a shard of which something is at work, by number: those after `after`, at most `limit`.
    async fn active_executions(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<ExecutionRow>>;

    /// Executions of a shard that go on by themselves before an instant, the soonest first: at most `limit`.
    async fn due_executions(&self, shard: i32, before: Timestamp, limit: u32) -> Result<Vec<ExecutionRow>>;

    /// Which of these names (project and name), and which of these requests, have an execution in a shard already.
    async fn find_executions(
        &self,
        shard: i32,
        names: &[(String, String)],
        requests: &[Bytes],
    ) -> Result<Vec<ExecutionRow>>;

    /// The execution of a number.
    async fn get_execution(&self, id: i64) -> Result<ExecutionRow>;

    /// Executions of a project, the newest first: those with a number below `before`, at most `limit`; of one graph, if
    /// it is named.
    async fn list_executions(
        &self,
        project: &str,
        graph: Option<&str>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<ExecutionRow>>;

    /// Executions of a project that have not ended and of which steps wait for a person, or may: the newest first,
    /// those with a number below `before`, at most `limit`.
    async fn asking_executions(&self, project: &str, before: i64, limit: u32) -> Result<Vec<ExecutionRow>>;

    /// The journal of an execution after a row of it, in order, at most `limit` rows.
    async fn execution_events(&self, execution: i64, after: i64, limit: u32) -> Result<Vec<ExecutionEvents>>;

    /// Keeps a workflow under its digest, and gives its number: the same for the same digest.
    async fn put_definition(&self, digest: [u8; 32], bytes: Bytes) -> Result<i64>;

    /// A workflow by its number.
    async fn get_definition(&self, number: i64) -> Result<Bytes>;

    /// Executions of all shards that ended before an instant, the earliest first, at most `limit`: number and identity.
    async fn ended_executions(&self, before: Timestamp, limit: u32) -> Result<Vec<(i64, Uuid)>>;

    /// Ends of a shard's executions by number: those after `after`, at most `limit`. Where the first is not the one after
    /// it, those between are forgotten.
    async fn execution_ends(&self, shard: i32, after: i64, limit: u32) -> Result<ExecutionEnds>;

    /// Forgets the ends of a shard that are older than an instant, of its `limit` oldest ones; says how many.
    async fn forget_execution_ends(&self, shard: i32, before: Timestamp, limit: u32) -> Result<u64>;

    /// Messages of a shard by number: those after `after`, at most `limit`. Where the first is not the one after it, those
    /// between are forgotten.
    async fn execution_messages(&self, shard: i32, after: i64, limit: u32) -> Result<ExecutionMessages>;

    /// Forgets the messages of a shard that are older than an instant, of its `limit` oldest ones; says how many.
    async fn forget_execution_messages(&self, shard: i32, before: Timestamp, limit: u32) -> Result<u64>;

    /// Limits of runs of a project, or of all, by project and name: those after a project and name, at most `limit`.
    async fn list_run_limits(
        &self,
        project: Option<&str>,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<RunLimitRow>>;

    /// What executions of a shard count against, by number: those after `after`, at most `limit`.
    async fn execution_turns(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<(i64, Bytes)>>;

    /// What rates have come to that matter after an instant, by limit and key: those after a limit and key, at most
    /// `limit`.
    async fn run_rates(&self, from: Timestamp, after: (Uuid, &str), limit: u32) -> Result<Vec<RunRateRow>>;

    /// Forgets what rates have come to that does not matter any more at an instant, at most `limit` of them; says how
    /// many.
    async fn forget_run_rates(&self, before: Timestamp, limit: u32) -> Result<u64>;

    /// Executions of a project that have not ended, by number: those after `after`, at most `limit`; of one graph, if it
    /// is named.
    async fn open_executions(
        &self,
        project: &str,
        graph: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ExecutionRow>>;

    /// Removes executions with their journals; those that have not ended stay.
    async fn delete_executions(&self, executions: &[i64]) -> Result<()>;

    /// The same, for very many: their journals may take room until [`Self::tidy_executions`] is called.
    async fn forget_executions(&self, executions: &[i64]) -> Result<()>;

    /// Gives back some of the room that journals of a shard take whose executions were forgotten; says how many pieces of it.
    /// It is called again while it gives back any.
    async fn tidy_executions(&self, shard: i32) -> Result<u64>;
}
