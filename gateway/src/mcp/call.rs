//! One call of a tool.

use http::{Extensions, HeaderMap, StatusCode};
use serde_json::value::RawValue;
use tonic::{Code, Status};

use super::{
    message::{Failure, Query, ToolResult},
    tools::{self, Tools},
};
use crate::{
    call::{self, Head},
    catalog::Entry,
    json, metadata,
    refusal::status_json,
    shared::Shared,
};

/// Calls the tool that `query` names, with the credential of the HTTP request.
///
/// What a model can mend (a wrong argument, a refusal of the service) is a result that says so.
///
/// # Errors
/// An unknown tool; and a missing or bad credential, which the agent's program must get.
pub(super) async fn call(
    shared: &Shared,
    tools: &Tools,
    query: &Query<'_>,
    headers: &HeaderMap,
    extensions: Extensions,
) -> Result<ToolResult, Failure> {
    let name =
        query.params.name.as_deref().ok_or_else(|| Failure::invalid_params("params.name is missing"))?;
    let entry =
        tools.find(name).ok_or_else(|| Failure::invalid_params(format!("there is no tool {name:?}")))?;
    match ask(shared, entry, query.params.arguments, headers, extensions).await {
        Ok(json) => Ok(ToolResult::success(json, tools::answers_with_object(entry))),
        Err(status) if status.code() == Code::Unauthenticated => {
            let status_json = status_json(&status, entry.pool(), true);
            Err(Failure::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated as i32, status.message())
                .with_data(status_json))
        }
        Err(status) => Ok(ToolResult::failure(status_json(&status, entry.pool(), true).to_string())),
    }
}

async fn ask(
    shared: &Shared,
    entry: &Entry,
    arguments: Option<&RawValue>,
    headers: &HeaderMap,
    extensions: Extensions,
) -> Result<String, Status> {
    let options = &shared.options;
    let arguments = arguments.map_or("{}", RawValue::get);
    let message = json::decode(&entry.input, arguments.as_bytes(), options.max_json_depth, None)?;
    let head =
        Head { metadata: metadata::from_headers(headers), timeout: metadata::timeout(headers)?, extensions };
    let answer = call::unary(entry, head, message.into_bytes()?, options.max_message_bytes).await?;
    let json = entry.output_json.encode(answer.message)?;
    Ok(String::from_utf8(json).expect("serde_json writes UTF-8"))
}
