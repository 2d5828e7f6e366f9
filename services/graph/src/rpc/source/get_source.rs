//! GetSource: one source.

use weft_kit::Call;
use weft_proto::weft::graph::v1::{GetSourceRequest, Source};

use crate::{
    Error,
    source::{Sources, source_message},
};

pub(crate) async fn handle(sources: &Sources, call: Call<GetSourceRequest>) -> Result<Source, Error> {
    let (names, row) = sources.get(&call.message.name).await?;
    source_message(&names, &row, sources.now())
}
