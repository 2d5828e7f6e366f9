//! WatchRefresh: how a refresh goes on, in whichever process it runs.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tonic::Status;
use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::graph::v1::{Refresh, RefreshState, WatchRefreshRequest};
use weft_store::StoreError;

use crate::{
    Error,
    rpc::Answers,
    source::{Names, Sources, refresh_message, split_refresh},
};

/// How often the store is asked about a refresh that another process runs: it renews its lease, and with it its
/// progress, that often.
const ASK: Duration = Duration::from_secs(1);

pub(crate) async fn handle(
    sources: &Arc<Sources>,
    call: Call<WatchRefreshRequest>,
) -> Result<Answers<Refresh>, Error> {
    let name = call.message.name;
    let (source, number) = split_refresh(&name)?;
    let (names, row) = sources.get(source).await?;
    if let Some(mut states) = sources.running(row.uid, number) {
        states.mark_changed();
        let states = stream::unfold(Some(states), |states| async move {
            let mut states = states?;
            // Its end is a state; without one the process is about to end.
            states.changed().await.ok()?;
            let state = states.borrow_and_update().clone();
            let goes_on = state.state() == RefreshState::Running;
            Some((Ok(state), goes_on.then_some(states)))
        });
        return Ok(states.boxed());
    }
    let watched = Watched { sources: Arc::clone(sources), names, source_uid: row.uid, number, name };
    // Refused before the stream begins: a refresh that is not there.
    watched.state().await?;
    let states = stream::unfold(Some((watched, None)), |at| async move {
        let (watched, last) = at?;
        Some(match watched.next(last.as_ref()).await {
            Ok(state) => {
                let goes_on = state.state() == RefreshState::Running;
                (Ok(state.clone()), goes_on.then_some((watched, Some(state))))
            }
            Err(error) => (Err(Status::from(error)), None),
        })
    });
    Ok(states.boxed())
}

/// A refresh that another process runs, or that has ended.
struct Watched {
    sources: Arc<Sources>,
    names: Names,
    source_uid: Uuid,
    number: i64,
    name: String,
}

impl Watched {
    async fn state(&self) -> Result<Refresh, Error> {
        match self.sources.store.get_refresh(self.source_uid, self.number).await {
            Ok(refresh) => refresh_message(&self.names, &refresh, self.sources.now()),
            Err(StoreError::NotFound { .. }) => Err(Error::RefreshNotFound(self.name.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// The next state that differs from the last one.
    async fn next(&self, last: Option<&Refresh>) -> Result<Refresh, Error> {
        let life = &self.sources.graph.graphs.life;
        loop {
            let state = self.state().await?;
            if last != Some(&state) {
                return Ok(state);
            }
            tokio::select! {
                () = tokio::time::sleep(ASK) => {}
                () = life.draining() => return Err(Error::Draining),
            }
        }
    }
}
