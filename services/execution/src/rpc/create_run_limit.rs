//! CreateRunLimit.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use weft_kit::Call;
use weft_proto::weft::execution::v1::{CreateRunLimitRequest, RunLimit};
use weft_store::{RunLimitRow, Timestamp};

use super::get_run_limit;
use crate::{
    Error,
    domain::{
        name,
        run_limit::{self, Kept, checked},
    },
    engine::{self, OfLimits},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<CreateRunLimitRequest>) -> Result<RunLimit, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let mut kept = Kept::default();
    if !request_id.is_empty() {
        kept.request = Bytes::from(format!("{}\n{}", caller.name, request_id.to_lowercase()));
        kept.print = Bytes::copy_from_slice(&Sha256::digest(request.encode_to_vec()));
    }
    let project = name::project(&request.parent).to_owned();
    kept.limit = Some(checked(request.run_limit.unwrap_or_default(), &project)?);
    let now = Timestamp::from(state.clock.now());
    let row = RunLimitRow {
        uid: state.ids.uuid(),
        id: if request.run_limit_id.is_empty() { state.ids.short() } else { request.run_limit_id },
        project,
        settings: kept.encode_to_vec().into(),
        version: 1,
        created: now,
        updated: now,
    };
    let limit = run_limit::RunLimit::new(row.clone());
    let limit = limit.map_err(|problem| Error::field("run_limit.key", problem))?;
    let keys = engine::keys(&*state.store, &state.objects, &limit).await?;
    let limit =
        state.engines.of_project(&limit.row.project).of_limits(OfLimits::Create { row, keys }).await?;
    get_run_limit::shown(state, limit).await
}
