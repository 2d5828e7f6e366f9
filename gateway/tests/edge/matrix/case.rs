//! One line of the matrix: what is said, and what must come of it.

use std::{borrow::Cow, time::Duration};

use serde_json::Value;
use tonic::Code;

use super::{
    outcome::normal,
    service::{SERVICE, SHAPE},
};

/// A method, and how protocols that do not go by its name call it.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) service: &'static str,
    pub(super) name: &'static str,
    pub(super) input: &'static str,
    pub(super) output: &'static str,
    pub(super) client_streaming: bool,
    pub(super) server_streaming: bool,
    /// Where REST has it.
    pub(super) rest: Option<Rest>,
    /// What agents call it.
    pub(super) tool: Option<Cow<'static, str>>,
    /// Whether Connect may GET it.
    pub(super) get: bool,
}

/// A rule of REST.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) verb: &'static str,
    pub(super) path: Cow<'static, str>,
    /// Whether the message is the body; else all of it is in the path.
    pub(super) has_body: bool,
}

const fn posted(path: &'static str) -> Rest {
    Rest { verb: "POST", path: Cow::Borrowed(path), has_body: true }
}

pub(super) const ASK: &Method = &Method {
    service: SERVICE,
    input: SHAPE,
    output: SHAPE,
    name: "Ask",
    client_streaming: false,
    server_streaming: false,
    rest: Some(posted("/v1/shapes:ask")),
    tool: Some(Cow::Borrowed("shape_ask")),
    get: true,
};
pub(super) const WATCH: &Method = &Method {
    service: SERVICE,
    input: SHAPE,
    output: SHAPE,
    name: "Watch",
    client_streaming: false,
    server_streaming: true,
    rest: Some(posted("/v1/shapes:watch")),
    tool: None,
    get: false,
};
pub(super) const GATHER: &Method = &Method {
    service: SERVICE,
    input: SHAPE,
    output: SHAPE,
    name: "Gather",
    client_streaming: true,
    server_streaming: false,
    rest: None,
    tool: None,
    get: false,
};
pub(super) const TALK: &Method = &Method {
    service: SERVICE,
    input: SHAPE,
    output: SHAPE,
    name: "Talk",
    client_streaming: true,
    server_streaming: true,
    rest: None,
    tool: None,
    get: false,
};
/// One that there is not.
pub(super) const NOTHING: &Method = &Method {
    service: SERVICE,
    input: SHAPE,
    output: SHAPE,
    name: "Nothing",
    client_streaming: false,
    server_streaming: false,
    rest: None,
    tool: None,
    get: false,
};
/// All that there are.
pub(super) const EVERY: [&Method; 4] = [ASK, WATCH, GATHER, TALK];

/// A message that a client says.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// In every protocol, in its own form.
    Json(String),
    /// What only JSON can say.
    OnlyJson(String),
    /// What only protobuf can say.
    OnlyProto(&'static [u8]),
}

/// A call, and what must come of it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) method: &'static Method,
    pub(super) said: Vec<Said>,
    pub(super) timeout: Option<Duration>,
    pub(super) messages: Vec<Value>,
    pub(super) code: Code,
    pub(super) text: String,
    pub(super) reason: &'static str,
}

/// A call with nothing said yet, that succeeds with no answer.
pub(super) fn call(method: &'static Method) -> Case {
    Case {
        method,
        said: Vec::new(),
        timeout: None,
        messages: Vec::new(),
        code: Code::Ok,
        text: String::new(),
        reason: "",
    }
}

impl Case {
    pub(super) fn say(mut self, json: impl Into<String>) -> Self {
        self.said.push(Said::Json(json.into()));
        self
    }

    pub(super) fn say_json(mut self, json: impl Into<String>) -> Self {
        self.said.push(Said::OnlyJson(json.into()));
        self
    }

    pub(super) fn say_proto(mut self, bytes: &'static [u8]) -> Self {
        self.said.push(Said::OnlyProto(bytes));
        self
    }

    pub(super) fn within(mut self, millis: u64) -> Self {
        self.timeout = Some(Duration::from_millis(millis));
        self
    }

    /// Next, this message comes back, as canonical JSON.
    pub(super) fn hear(mut self, json: &str) -> Self {
        self.messages.push(normal(serde_json::from_str(json).expect("JSON")));
        self
    }

    /// It ends with this error.
    pub(super) fn fail(mut self, code: Code, text: impl Into<String>, reason: &'static str) -> Self {
        (self.code, self.text, self.reason) = (code, text.into(), reason);
        self
    }

    pub(super) fn path(&self) -> String {
        format!("/{}/{}", self.method.service, self.method.name)
    }

    /// How much is said, about.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |said: &Said| match said {
            Said::Json(json) | Said::OnlyJson(json) => json.len(),
            Said::OnlyProto(bytes) => bytes.len(),
        };
        self.said.iter().map(bytes).sum()
    }
}
