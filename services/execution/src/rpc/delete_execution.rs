//! DeleteExecution: forgets one that has ended.

use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::execution::v1::DeleteExecutionRequest;
use weft_store::StoreError;

use super::find;
use crate::{Error, state::State};

/// Objects that are listed at once.
const PAGE: usize = 500;

pub(crate) async fn handle(state: &State, call: Call<DeleteExecutionRequest>) -> Result<(), Error> {
    let row = find::row(state, &call.message.name).await?;
    if row.change.ended.is_none() {
        return Err(Error::WrongState("the execution has not ended: cancel it first"));
    }
    state.store.delete_executions(&[row.execution.id]).await?;
    Ok(remove_values(state, &[row.execution.uid]).await?)
}

/// Forgets executions that have ended: first the rows, so that nothing names an object that is gone.
pub(crate) async fn forget(state: &State, ended: &[(i64, Uuid)]) -> Result<(), StoreError> {
    let (ids, uids): (Vec<i64>, Vec<Uuid>) = ended.iter().copied().unzip();
    state.store.forget_executions(&ids).await?;
    remove_values(state, &uids).await
}

/// Removes large values of executions.
async fn remove_values(state: &State, executions: &[Uuid]) -> Result<(), StoreError> {
    for uid in executions {
        let folder = format!("executions/{uid}");
        loop {
            let page = state.objects.list(&folder, "", PAGE).await?;
            for object in &page {
                state.objects.delete(&object.key).await?;
            }
            if page.len() < PAGE {
                break;
            }
        }
    }
    Ok(())
}
