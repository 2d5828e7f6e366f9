//! How does a revision come to be? Planned against the memory, appended to the journal, applied to
//! the memory, told to everybody. An answer means that it is on disk.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use tokio::time::Instant;
use weft_store::{Commit, Once, Remember, StoreError, Timestamp, Written};

use super::{
    Content, Graphs, Live,
    content::{Revision, blocking},
    load::gone,
    new_batch_header,
};
use crate::{
    Error,
    domain::change::{Plan, batch_parts},
};

/// So long a write is tried again because another process was faster; then the client is told. By
/// time and not by number: who has lost must read what the winner wrote before it can try again, while
/// the winner goes on at once, so many losses in a row are nothing unusual.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Plans of more changes than this are made on a thread for blocking work.
const QUICK_CHANGES: usize = 200;

/// What a write is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// The graph as it is, whatever its revision.
    Newest,
    /// This revision and no other.
    Revision(i64),
}

/// A write that is to become a revision.
pub(crate) struct Write<P, F> {
    pub(crate) expected: Expectation,
    pub(crate) once: Option<Once>,
    pub(crate) actor: String,
    /// How many changes it has, nearly.
    pub(crate) size: usize,
    /// Makes the plan. Called again if somebody else was faster.
    pub(crate) plan: P,
    /// The answer to a plan.
    pub(crate) answer: F,
    /// Plan and answer only.
    pub(crate) validate_only: bool,
    /// A plan that changes nothing becomes no revision.
    pub(crate) skip_empty: bool,
}

impl Graphs {
    /// Writes a revision. Once it has begun to be written it is finished, even if the client does not
    /// wait for it.
    pub(crate) async fn write<P, F, A>(
        self: &Arc<Self>,
        live: &Arc<Live>,
        write: Write<P, F>,
    ) -> Result<A, Error>
    where
        P: FnMut(&Content) -> Result<Plan, Error> + Send + 'static,
        F: Fn(&Plan) -> A + Send + 'static,
        A: Message + Default + Send + 'static,
    {
        let (graphs, live) = (Arc::clone(self), Arc::clone(live));
        let (send, receive) = tokio::sync::oneshot::channel();
        self.life.spawn_future(async move {
            let result = graphs.write_now(&live, write).await;
            // The client may have gone.
            let _ = send.send(result);
        });
        receive.await.map_err(|_| Error::TaskEnded)?
    }

    async fn write_now<P, F, A>(self: &Arc<Self>, live: &Arc<Live>, write: Write<P, F>) -> Result<A, Error>
    where
        P: FnMut(&Content) -> Result<Plan, Error> + Send + 'static,
        F: Fn(&Plan) -> A + Send + 'static,
        A: Message + Default + Send + 'static,
    {
        let _writer = live.lock_writer().await;
        let mut plan_with = write.plan;
        let give_up = Instant::now() + PATIENCE;
        while Instant::now() < give_up {
            if live.head().gone {
                return Err(Error::GraphNotFound(live.name.clone()));
            }
            self.expect(live, write.expected).await?;
            let planned;
            (planned, plan_with) = plan(live, plan_with, write.size).await?;
            let mut planned = planned?;
            let nothing = write.skip_empty && planned.changes.is_empty();
            if nothing {
                planned.revision -= 1;
            }
            let answer = (write.answer)(&planned);
            if write.validate_only || nothing {
                return Ok(answer);
            }
            let remember = write
                .once
                .clone()
                .map(|once| Remember { once, response: Bytes::from(answer.encode_to_vec()) });
            match self.append(live, planned, &write.actor, remember).await? {
                Appended::Done => {
                    self.checkpoint_if_due(live);
                    self.unload_if_short(live);
                    return Ok(answer);
                }
                Appended::Replayed(bytes) => return decode_answer(&bytes),
                Appended::Stale => self.catch_up(live).await?,
            }
        }
        Err(Error::RevisionMismatch { current: live.head().revision })
    }

    /// Checks the revision that the client expects; this process may not know the newest one yet.
    async fn expect(self: &Arc<Self>, live: &Arc<Live>, expected: Expectation) -> Result<(), Error> {
        let Expectation::Revision(expected) = expected else { return Ok(()) };
        if live.head().revision < expected {
            self.catch_up(live).await?;
        }
        let current = live.head().revision;
        if current == expected { Ok(()) } else { Err(Error::RevisionMismatch { current }) }
    }

    async fn append(
        self: &Arc<Self>,
        live: &Arc<Live>,
        plan: Plan,
        actor: &str,
        remember: Option<Remember>,
    ) -> Result<Appended, Error> {
        let at = Timestamp::from(self.clock.now());
        let header = new_batch_header(plan.revision, at, actor, None);
        let (plan, parts) = if plan.changes.len() > QUICK_CHANGES {
            blocking(move || {
                let parts = batch_parts(&header, &plan.changes);
                (plan, parts)
            })
            .await?
        } else {
            let parts = batch_parts(&header, &plan.changes);
            (plan, parts)
        };
        let commit = Commit {
            uid: live.uid,
            base_revision: plan.revision - 1,
            parts: parts.clone(),
            node_count: plan.node_count as i64,
            edge_count: plan.edge_count as i64,
            next_ordinal: i64::from(plan.next_ordinal),
            at,
            actor: actor.to_owned(),
        };
        match self.store.append(commit, remember).await {
            Ok(Written::Done(number)) => {
                let revision =
                    Revision { number, changes: plan.changes, graph: None, at, parts: parts.into() };
                self.applied(live, revision).await?;
                Ok(Appended::Done)
            }
            Ok(Written::Replayed(bytes)) => Ok(Appended::Replayed(bytes)),
            Err(StoreError::Stale { .. }) => Ok(Appended::Stale),
            Err(error) => Err(self.failed(live, error)),
        }
    }

    /// Brings a revision that is on disk into memory and tells about it. The caller holds `writer`.
    pub(crate) async fn applied(self: &Arc<Self>, live: &Arc<Live>, revision: Revision) -> Result<(), Error> {
        let number = revision.number;
        if let Err(error) = live.apply(vec![revision]).await {
            // It is on disk; what is in memory is of no further use.
            self.forget(live);
            return Err(error);
        }
        self.publish(live, number).await;
        Ok(())
    }

    pub(crate) fn failed(&self, live: &Arc<Live>, error: StoreError) -> Error {
        let error = gone(&live.name, error);
        if matches!(error, Error::GraphNotFound(_)) {
            live.mark_gone();
            self.forget(live);
        }
        error
    }
}

enum Appended {
    Done,
    Replayed(Bytes),
    Stale,
}

async fn plan<P>(live: &Arc<Live>, mut plan: P, size: usize) -> Result<(Result<Plan, Error>, P), Error>
where
    P: FnMut(&Content) -> Result<Plan, Error> + Send + 'static,
{
    let ask = move |content: &Content| {
        let planned = plan(content);
        (planned, plan)
    };
    if size > QUICK_CHANGES { live.read_long(ask).await } else { live.read(ask).await }
}

/// The answer that was given to the first of two equal requests.
pub(crate) fn decode_answer<A: Message + Default>(bytes: &Bytes) -> Result<A, Error> {
    A::decode(bytes.as_ref()).map_err(|error| {
        Error::Store(StoreError::Bug(format!("a remembered answer cannot be read: {error}")))
    })
}
