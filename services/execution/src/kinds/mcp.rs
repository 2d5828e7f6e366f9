//! `mcp`: calls a tool of a server of the Model Context Protocol.

mod session;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

pub(crate) struct Mcp;

impl Kind for Mcp {
    fn name(&self) -> &'static str {
        "mcp"
    }
    fn title(&self) -> &'static str {
        "Call a tool"
    }
    fn description(&self) -> &'static str {
        "Calls a tool of a server of the Model Context Protocol (streamable HTTP), and gives `text`, `content` and \
         `structured`. A result that the tool calls an error is a failure. Where the server may be is as for `http`, and \
         `${secrets.name}` too."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "`text`, `content` and `structured`"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "url": {"type": "string", "description": "the server's address, with expressions and secrets"},
            "tool": {"type": "string", "description": "name of the tool, with expressions"},
            "arguments": {"type": "object", "description": "what the tool is given, with expressions and secrets"},
            "headers": {"type": "object", "description": "headers, with expressions and secrets"},
        });
        (properties, &["url", "tool"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let url = settings.address("url");
        Box::new(Asked {
            url,
            tool: settings.template("tool"),
            arguments: settings.outward("arguments", json!({})),
            headers: settings.outward("headers", json!({})),
        })
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(async move {
            let revealed = outside.secrets.reveal(&attempt.project, request).await?;
            session::call(&outside.web, attempt, &revealed).await.map_err(|error| revealed.mask.error(error))
        })
    }
}

struct Asked {
    url: Template,
    tool: Template,
    arguments: Template,
    headers: Template,
}

impl Behaviour for Asked {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let mut request = Map::new();
        request.insert("url".into(), self.url.fill(step)?);
        let (tool, arguments) = (self.tool.fill(step)?, self.arguments.fill(step)?);
        if !tool.is_string() || !arguments.is_object() {
            return Err(StepError::new(
                "BAD_REQUEST",
                "the tool must be a text, and its arguments an object",
            ));
        }
        request.insert("tool".into(), tool);
        request.insert("arguments".into(), arguments);
        request.insert("headers".into(), self.headers.fill(step)?);
        Ok(Move::Perform(Arc::new(Json::Object(request))))
    }
}
