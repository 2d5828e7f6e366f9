//! DeleteSource: the source, and if it is asked for what it has brought in.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::graph::v1::DeleteSourceRequest;

use crate::{
    Error,
    live::version_of_etag,
    source::{Sources, delete_content},
};

pub(crate) async fn handle(sources: &Arc<Sources>, call: Call<DeleteSourceRequest>) -> Result<(), Error> {
    let DeleteSourceRequest { name, etag, delete_content: content } = call.message;
    let (names, row) = sources.get(&name).await?;
    let expected = match etag.as_str() {
        "" => None,
        etag => Some(version_of_etag(etag).ok_or_else(|| Error::EtagMismatch(name.clone()))?),
    };
    if expected.is_some_and(|expected| expected != row.version) {
        return Err(Error::EtagMismatch(name));
    }
    let (owned, actor) = (Arc::clone(sources), call.caller.name.to_string());
    let (send, receive) = tokio::sync::oneshot::channel();
    // Once begun it is finished, even if the client does not wait.
    sources.graph.graphs.life.spawn_future(async move {
        let result = delete_content(&owned, &names, &row, &actor, content, expected).await;
        // The client may have gone.
        let _ = send.send(result);
    });
    receive.await.map_err(|_| Error::TaskEnded)?
}
