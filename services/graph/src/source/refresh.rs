//! How a refresh begins, and how a source leaves: both by taking the source's lease.

use std::sync::Arc;

use prost::Message;
use tokio::sync::watch;
use tonic::Status;
use weft_proto::weft::graph::v1::Refresh;
use weft_store::{Begun, NewRefresh, RefreshRow, SourceRow};

use super::{
    LEASE, Names, Sources,
    job::Job,
    missing,
    outcome::{outcome, write},
    refresh_message, refresh_name, settings_of,
};
use crate::{Error, domain::change::Scope, intake::Found};

/// Begins a refresh, and gives it as it begins. It runs on by itself.
pub(crate) async fn start(sources: &Arc<Sources>, name: &str, actor: &str) -> Result<Refresh, Error> {
    let (names, row) = sources.get(name).await?;
    let settings = settings_of(&names, &row)?;
    let refresh = begin(sources, &names, &row, actor).await?;
    let begun = refresh_message(&names, &refresh, refresh.started)?;
    let job = Job::new(sources, names, settings, &refresh);
    let (told, states) = watch::channel(begun.clone());
    let key = (refresh.source_uid, refresh.number);
    sources.running.lock().expect("nobody panics with it").insert(key, states);
    let sources = Arc::clone(sources);
    sources.graph.graphs.life.clone().spawn_future(async move {
        job.run(&refresh, told).await;
        sources.running.lock().expect("nobody panics with it").remove(&key);
    });
    Ok(begun)
}

/// Takes the lease of a source.
async fn begin(sources: &Sources, names: &Names, row: &SourceRow, actor: &str) -> Result<RefreshRow, Error> {
    let at = sources.now();
    let refresh = NewRefresh {
        source_uid: row.uid,
        actor: actor.to_owned(),
        at,
        lease_until: at.after(LEASE),
        keep: sources.graph.graphs.options.max_refreshes_kept,
    };
    match sources.store.begin_refresh(refresh).await.map_err(|error| missing(&names.source(), error))? {
        Begun::New(row) => Ok(row),
        Begun::Busy(row) => Err(Error::RefreshRunning(refresh_name(names, row.number))),
    }
}

/// Deletes from the graph what a source has brought in, and then the source. Its lease is held
/// meanwhile, so that nothing is brought in behind the deletion.
pub(crate) async fn delete_content(
    sources: &Sources,
    names: &Names,
    row: &SourceRow,
    actor: &str,
    content: bool,
    expected_version: Option<i64>,
) -> Result<(), Error> {
    let refresh = begin(sources, names, row, actor).await?;
    let result = async {
        if content {
            let found = Found::new(&sources.graph.graphs.options, Scope::Refresh(names.id.clone()), "");
            write(sources, names, actor, found).await?;
        }
        let deleted = sources.store.delete_source(row.graph_uid, &names.id, expected_version).await;
        deleted.map(drop).map_err(|error| missing(&names.source(), error))
    }
    .await;
    let Err(error) = result else { return Ok(()) };
    let status = Status::from(error);
    let (state, report) = outcome(Err(status.clone().into()));
    let at = sources.now();
    // If that fails, the lease runs out.
    let _ =
        sources.store.end_refresh(row.uid, refresh.number, state, report.encode_to_vec().into(), at).await;
    Err(status.into())
}
