//! What can be done, by the name of the command's type.

use std::{sync::Arc, time::Duration};

use serde_json::{Value as Json, json};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use weft_kit::json as structs;
use weft_proto::weft::command::v1::WorkStart;

use super::{
    event::Event,
    journal::End,
    script::{self, Call},
    settings::CommandSettings,
};

/// Whether doing it leaves anything behind: what does not may be done twice, and is not written down.
pub(super) fn has_effects(start: &WorkStart) -> bool {
    !(start.script.is_empty() && matches!(start.command_type.as_str(), "echo" | "noop"))
}

/// One attempt.
pub(super) struct Run {
    pub(super) start: WorkStart,
    pub(super) stop: CancellationToken,
    pub(super) settings: Arc<CommandSettings>,
    pub(super) mark: String,
    pub(super) places: Arc<Semaphore>,
    pub(super) events: mpsc::Sender<Event>,
    /// Why it cannot even begin.
    pub(super) refused: Option<String>,
}

impl Run {
    /// From its place in the row to its end.
    pub(super) async fn run(self) {
        let end = if let Some(problem) = &self.refused {
            End::failed("AGENT_FAILED", problem.clone(), true)
        } else {
            tokio::select! {
                place = self.places.acquire() => {
                    let end = self.execute().await;
                    drop(place);
                    end
                }
                () = self.stop.cancelled() => End::cancelled(),
            }
        };
        // The desk ends with the program.
        let _ = self.events.send(Event::Ended { id: self.start.id, end }).await;
    }

    async fn execute(&self) -> End {
        let arguments = self.start.arguments.as_ref().map_or_else(|| json!({}), structs::of_struct);
        if !self.start.script.is_empty() {
            let input = arguments.to_string().into_bytes();
            return self.script(&self.start.script, Vec::new(), input, true).await;
        }
        match self.start.command_type.as_str() {
            "noop" => End::completed(json!({})),
            "echo" => End::completed(json!({ "text": arguments.get("text").cloned().unwrap_or_default() })),
            "run-script" => {
                let text = |name: &str| arguments.get(name).and_then(Json::as_str).unwrap_or_default();
                let more = arguments.get("arguments").and_then(Json::as_array).into_iter().flatten();
                let more = more.filter_map(Json::as_str).map(str::to_owned).collect();
                let input = format!("{}{}", text("input"), text("secretInput")).into_bytes();
                self.script(text("script"), more, input, false).await
            }
            unknown => {
                let message = format!("this agent does not know commands of type {unknown}");
                End::failed("UNKNOWN_COMMAND_TYPE", message, false)
            }
        }
    }

    async fn script(&self, name: &str, more: Vec<String>, input: Vec<u8>, has_result: bool) -> End {
        let refused = |message: String| End::failed("NOT_ALLOWED", message, false);
        let Some(script) = self.settings.scripts.get(name) else {
            return refused(format!("this agent's configuration has no script {name}"));
        };
        if !more.is_empty() && !script.more_arguments {
            return refused(format!("this agent's configuration lets no arguments into {name}"));
        }
        let asked = self.start.timeout.and_then(|timeout| Duration::try_from(timeout).ok());
        let call = Call {
            script,
            more,
            input,
            timeout: asked.unwrap_or(script.timeout).min(script.timeout),
            id: &self.start.id,
            command: &self.start.command,
            mark: format!("{}:{}:{}", self.mark, self.start.id, self.start.attempt),
            folder: self.mark.as_ref(),
            has_result,
            stop: &self.stop,
            events: &self.events,
        };
        script::run(call).await
    }
}
