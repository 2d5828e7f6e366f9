//! WatchAnalysis: how an analysis stands, until it has ended, in whichever process it runs.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::sync::watch;
use weft_kit::Call;
use weft_proto::weft::compute::v1::{Analysis, WatchAnalysisRequest};
use weft_store::AnalysisRow;

use crate::{
    Error,
    analysis::{Analyses, message},
    domain::name::AnalysisName,
};

/// How often the store is asked about an analysis that does not run here.
const ASK: Duration = Duration::from_secs(1);

pub(crate) async fn handle(
    analyses: &Arc<Analyses>,
    call: Call<WatchAnalysisRequest>,
) -> Result<impl Stream<Item = Result<Analysis, Error>> + Send + use<>, Error> {
    let name = AnalysisName::parse(&call.message.name, "name")?;
    // Refused before the stream begins: an analysis that is not there.
    let row = super::row(analyses, &name).await?;
    let watcher = Watcher {
        changed: analyses.changed.subscribe(),
        analyses: Arc::clone(analyses),
        name,
        first: row,
        last: None,
    };
    Ok(stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(state) => {
                let goes_on = !message::has_ended(&state);
                Some((Ok(state), goes_on.then_some(watcher)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Watcher {
    analyses: Arc<Analyses>,
    changed: watch::Receiver<()>,
    name: AnalysisName,
    /// As it was when it was asked for: whose name is given to another analysis meanwhile is not that one.
    first: AnalysisRow,
    last: Option<Analysis>,
}

impl Watcher {
    /// The next state that differs from the last one.
    async fn next(&mut self) -> Result<Analysis, Error> {
        loop {
            self.changed.mark_unchanged();
            let running = self.analyses.running(self.first.uid);
            let mut states = running.map(|running| running.states);
            let state = if let Some(states) = &mut states {
                states.borrow_and_update().clone()
            } else {
                let row = super::row(&self.analyses, &self.name).await?;
                if row.uid != self.first.uid {
                    return Err(Error::AnalysisNotFound(self.name.to_string()));
                }
                message::analysis(&row)?
            };
            if self.last.as_ref() != Some(&state) {
                self.last = Some(state.clone());
                return Ok(state);
            }
            let told = async {
                match &mut states {
                    // Its end without a state: the store has more.
                    Some(states) => drop(states.changed().await),
                    None => tokio::time::sleep(ASK).await,
                }
            };
            tokio::select! {
                () = told => {}
                _ = self.changed.changed() => {}
                () = self.analyses.lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }
}
