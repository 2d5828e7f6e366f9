//! `code`: WebAssembly in a sandbox that has no clock, no chance and nothing outside it.

mod guest;
mod imports;
mod module;
mod program;
mod sandbox;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

pub(crate) use sandbox::Sandbox;

use self::{guest::Limits, module::Source, program::Program, sandbox::Binary};
use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings, object};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

/// What a call may use where its node says nothing.
const FUEL: u64 = 100_000_000;
const MEMORY_MIB: u64 = 16;

pub(crate) struct Code;

impl Kind for Code {
    fn name(&self) -> &'static str {
        "code"
    }
    fn title(&self) -> &'static str {
        "Run code"
    }
    fn description(&self) -> &'static str {
        "Calls a function of a WebAssembly module with JSON, and gives `result`, `log` and the `fuel` that it took. The \
         module sees nothing but what it is given: no clock, no chance, no file, no network. So the same input always \
         gives the same."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "`result`, `log` and `fuel`"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "module": {
                "type": "string",
                "description": "the module: `objects/` and the id of an object of the project, or the module itself as \
                    base64 or as text (`(module …)`), 64 KiB at most",
            },
            "function": {
                "type": "string",
                "default": "run",
                "description": "the exported function, (i32, i32) -> i64",
            },
            "input": {"description": "what it is given, with expressions; what comes in when not given"},
            "fuel": {
                "type": "integer",
                "minimum": 1,
                "default": FUEL,
                "description": "how much it may do, about one for each instruction; at most execution.code_max_fuel",
            },
            "memory": {
                "type": "integer",
                "minimum": 1,
                "maximum": 4096,
                "default": MEMORY_MIB,
                "description": "how much memory it may have, in MiB; at most execution.code_max_memory",
            },
        });
        (properties, &["module"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let module = settings.text("module");
        let function = match settings.get("function") {
            Some(_) => settings.text("function"),
            None => "run".to_owned(),
        };
        if settings.get("module").is_some_and(Json::is_string) {
            check(&module, &function, settings);
        }
        Box::new(Called {
            module,
            function,
            input: settings.get("input").map(|_| settings.template("input")),
            fuel: settings.number("fuel", FUEL, (1, u64::MAX)),
            memory: settings.number("memory", MEMORY_MIB, (1, 4_096)) << 20,
        })
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(async move {
            let text = request["module"].as_str().unwrap_or_default();
            let source = module::source(text).map_err(|problem| StepError::new("CODE_MODULE", problem))?;
            let module = match source {
                Source::Inline(bytes) => Binary::of(bytes),
                Source::Object(id) => loaded(outside, attempt, &id).await?,
            };
            let limits = Limits {
                fuel: request["fuel"].as_u64().unwrap_or_default(),
                memory: request["memory"]
                    .as_u64()
                    .and_then(|bytes| bytes.try_into().ok())
                    .unwrap_or_default(),
            };
            outside.sandbox.run(module, request, limits).await
        })
    }
}

/// The module in an object, as it is now: what is written to it meanwhile counts for the next attempt.
async fn loaded(outside: &Outside, attempt: &Attempt, id: &str) -> Result<Binary, StepError> {
    let saved = object::found(outside, attempt, id).await?;
    let digest = saved.sha256().try_into().unwrap_or_default();
    if outside.sandbox.has(&digest) {
        return Ok(Binary { digest, bytes: None });
    }
    let most = outside.sandbox.most_module_bytes() as u64;
    let bytes = outside.objects.whole(saved, most).await.map_err(|error| object::failed(&error))?;
    Ok(Binary { digest, bytes: Some(bytes) })
}

/// Looks at a module that is in the settings: what is wrong with it is said when the workflow is saved.
fn check(module: &str, function: &str, settings: &mut Settings<'_>) {
    match module::source(module) {
        Ok(Source::Inline(bytes)) => match Program::compile(&bytes, module::MOST_INLINE) {
            Ok(program) => {
                if let Err(error) = program.takes(function) {
                    settings.wrong("function", error.message);
                }
            }
            Err(error) => settings.wrong("module", error.message),
        },
        // What is in an object is looked at when it runs: it can change at any time.
        Ok(Source::Object(_)) => {}
        Err(problem) => settings.wrong("module", problem),
    }
}

struct Called {
    module: String,
    function: String,
    /// Absent: what comes in.
    input: Option<Template>,
    fuel: u64,
    memory: u64,
}

impl Behaviour for Called {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let input = match &self.input {
            Some(input) => input.fill(step)?,
            None => step.variable("input").map(|input| (*input).clone()).unwrap_or_default(),
        };
        Ok(Move::Perform(Arc::new(json!({
            "module": self.module,
            "function": self.function,
            "input": input,
            "fuel": self.fuel,
            "memory": self.memory,
        }))))
    }
}
