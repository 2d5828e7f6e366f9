//! DecideApproval: a person's answer to what a step asks.

use serde_json::json;
use weft_kit::{Call, json::of_struct};
use weft_proto::weft::execution::v1::{DecideApprovalRequest, Step};

use super::{find, get_step};
use crate::{Error, domain::name, engine::Asked, state::State};

pub(crate) async fn handle(state: &State, call: Call<DecideApprovalRequest>) -> Result<Step, Error> {
    let DecideApprovalRequest { name: full, approved, form, comment } = call.message;
    let missing = || Error::StepNotFound(full.clone());
    let (execution, step) = name::step(&full).ok_or_else(missing)?;
    let row = find::row(state, execution).await?;
    let schema = find::see(state, &row, move |_, run| {
        let approval = run.step(step)?.wait.as_ref()?.approval.as_ref()?;
        Some(approval.form.clone())
    })
    .await?;
    let form = form.as_ref().map_or_else(|| json!({}), of_struct);
    // What is rejected need not be filled in.
    if let Some(schema) = schema.filter(|schema| approved && schema.is_object()) {
        let validator = jsonschema::validator_for(&schema)
            .map_err(|error| Error::field("form", format!("its schema is none: {error}")))?;
        let violations = validator.iter_errors(&form).take(20).map(|error| {
            (format!("form{}", error.instance_path().to_string().replace('/', ".")), error.to_string())
        });
        let violations: Vec<_> = violations.collect();
        if !violations.is_empty() {
            return Err(Error::BadInput { violations });
        }
    }
    let answer = json!({
        "approved": approved, "form": form, "comment": comment, "by": call.caller.name.as_ref(),
    });
    state
        .engines
        .of_execution(row.execution.id)
        .ask(row.execution.id, Asked::Decide { step, approved, answer })
        .await?;
    get_step::find(state, &full).await
}
