//! `weft run --follow` and `weft executions watch`: how an execution goes.

use anyhow::{Result, bail};
use weft_proto::weft::execution::v1::{
    Execution, ExecutionState, WatchExecutionRequest, watch_execution_response::Event,
};

use super::show;
use crate::{
    cli::output::{self, OutputFormat},
    client::ExecutionClient,
};

/// Until it has ended.
pub(super) async fn follow(client: &mut ExecutionClient, name: String, format: OutputFormat) -> Result<()> {
    let mut after_cursor = String::new();
    let mut last = Execution::default();
    // A stream that breaks off is gone on with.
    while last.end_time.is_none() {
        let request = WatchExecutionRequest { name: name.clone(), after_cursor: after_cursor.clone() };
        let mut events = client.watch_execution(request).await?.into_inner();
        loop {
            let told = match events.message().await {
                Ok(Some(told)) => told,
                Ok(None) => break,
                Err(status) if status.code() == tonic::Code::Unavailable => break,
                Err(status) => return Err(status.into()),
            };
            if format == OutputFormat::Json {
                output::json(&told, "weft.execution.v1.WatchExecutionResponse")?;
            }
            let Some(Event::Changes(changes)) = told.event else { continue };
            after_cursor = changes.cursor;
            if format == OutputFormat::Table {
                for step in &changes.steps {
                    let number = step.name.rsplit('/').next().unwrap_or_default();
                    let asks = match (&step.approval, step.signal.as_str()) {
                        (Some(approval), _) => format!("  {}", approval.title),
                        (None, "") => String::new(),
                        (None, signal) => format!("  for signal {signal}"),
                    };
                    let state = show::step_word(step.state());
                    output::line(&format!(
                        "{number:>5}  {:<32}  {:<10}  {state}{asks}",
                        step.path, step.kind
                    ));
                }
            }
            last = changes.execution.unwrap_or_default();
        }
    }
    if format == OutputFormat::Table {
        show::execution(&last, format)?;
    }
    match last.state() {
        ExecutionState::Succeeded => Ok(()),
        state => bail!("the execution has ended: {}", show::state_word(state)),
    }
}
