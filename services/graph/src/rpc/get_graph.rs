//! GetGraph: a graph's own fields, without loading its content.

use weft_kit::Call;
use weft_proto::weft::graph::v1::{GetGraphRequest, Graph};

use crate::{Error, live::graph_message, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetGraphRequest>) -> Result<Graph, Error> {
    Ok(graph_message(&state.graphs.row(&call.message.name).await?))
}
