//! CreateSource: what a source is; nothing is brought in yet.

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::graph::v1::{CreateSourceRequest, Source, source::Location};
use weft_store::{NewSource, Remember, SourceRow, StoreError, Written};

use crate::{
    Error,
    live::decode_answer,
    rpc::{fingerprint, once, reused},
    source::{Names, Sources, folder, missing, next_settings, source_message},
};

pub(crate) async fn handle(sources: &Sources, call: Call<CreateSourceRequest>) -> Result<Source, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once(&caller, "CreateSource", &request_id, fingerprint(&request));
    if let Some(once) = &once
        && let Some(answer) = sources.store.recall(once).await.map_err(reused)?
    {
        return decode_answer(&answer);
    }

    let graph = sources.graph.graphs.row(&request.parent).await?;
    let settings = next_settings(request.source.unwrap_or_default());
    let options = &sources.graph.graphs.options;
    match &settings.location {
        Some(Location::Folder(location)) => folder::check(options, &graph.project, location)?,
        None => return Err(Error::field("source.folder", "must be given: where the content comes from")),
    }
    let most = options.max_sources_per_graph;
    if sources.store.count_sources(graph.uid).await? >= most {
        return Err(Error::Quota {
            reason: "TOO_MANY_SOURCES",
            subject: request.parent,
            description: format!("a graph has at most {most} sources"),
            passes: false,
        });
    }
    let id = if request.source_id.is_empty() { sources.ids.short() } else { request.source_id };
    let names = Names::new(&request.parent, &id);
    let at = sources.now();
    let row = SourceRow {
        graph_uid: graph.uid,
        id,
        uid: sources.ids.uuid(),
        settings: settings.encode_to_vec().into(),
        version: 1,
        created: at,
        updated: at,
        last_refresh: None,
    };
    let answer = source_message(&names, &row, at)?;
    let remember = once.map(|once| Remember { once, response: answer.encode_to_vec().into() });
    let new = NewSource { graph_uid: row.graph_uid, id: row.id, uid: row.uid, settings: row.settings, at };
    match sources.store.create_source(new, remember).await {
        Ok(Written::Done(_)) => Ok(answer),
        Ok(Written::Replayed(answer)) => decode_answer(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::SourceExists(names.source())),
        Err(error @ StoreError::Conflict { .. }) => Err(reused(error)),
        Err(error) => Err(missing(&names.source(), error)),
    }
}
