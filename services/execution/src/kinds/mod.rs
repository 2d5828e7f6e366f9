//! What nodes can be: one file for each kind, and the table of them.
//!
//! A kind says what its ports and settings are, compiles the settings of a node into a [`Behaviour`], and, if it acts
//! outside its run, performs what its behaviour asks for. To add one: write its file, and add its row.

mod analysis;
mod approval;
mod choose;
mod code;
mod command;
mod delay;
mod fail;
mod grpc;
mod http;
mod input;
mod map;
mod mcp;
mod merge;
mod noop;
mod note;
mod object;
mod output;
mod outside;
mod publish;
mod set;
mod settings;
mod signal;
mod sql;
mod subgraph;
mod switch;
mod task;
mod r#try;
mod r#while;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value as Json;

pub(crate) use code::Sandbox;
pub(crate) use http::Web;
pub(crate) use outside::{Attempt, Outside, caller, key};
pub(crate) use settings::Settings;
pub(crate) use sql::Databases;

use crate::domain::{
    event::{Value, Wait},
    expression::Variables,
    fault::StepError,
};

/// A place where values go in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: &'static str,
    /// `any`, `object`, `list`, `text`, `number` or `bool`.
    pub(crate) value_type: &'static str,
    pub(crate) description: &'static str,
    pub(crate) required: bool,
    pub(crate) many: bool,
}

impl Port {
    /// Where one value goes in.
    pub(crate) const fn input(description: &'static str) -> Self {
        Self { name: "in", value_type: "any", description, required: true, many: false }
    }

    /// Where a value comes out.
    pub(crate) const fn output(
        name: &'static str,
        value_type: &'static str,
        description: &'static str,
    ) -> Self {
        Self { name, value_type, description, required: false, many: true }
    }
}

/// The port that a failure leaves by.
pub(crate) const FAILURE: Port =
    Port::output("error", "object", "`reason` and `message` of the failure; without an edge the run fails");

/// A kind of node.
pub(crate) trait Kind: Send + Sync {
    /// What a node's type says.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// What it does.
    fn description(&self) -> &'static str;
    /// Where values go in.
    fn inputs(&self) -> &'static [Port];
    /// Where they come out.
    fn outputs(&self) -> &'static [Port];
    /// The properties of JSON Schema that a node has, and which of them it needs.
    fn settings(&self) -> (Json, &'static [&'static str]);
    /// Whether other nodes can be inside it.
    fn has_body(&self) -> bool {
        false
    }
    /// Whether it acts outside its run.
    fn acts(&self) -> bool {
        false
    }
    /// Whether it sees by itself that it is to stop, and clears up what it has begun.
    fn stops_itself(&self) -> bool {
        false
    }
    /// Makes a behaviour of a node's settings, and notes what is wrong with them. Where something is, the
    /// behaviour is never used.
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour>;
    /// Does what a behaviour has asked for ([`Move::Perform`]).
    fn perform<'a>(
        &'a self,
        _outside: &'a Outside,
        _attempt: &'a Attempt,
        _request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        let failed = StepError::new("BUG", format!("{} does nothing outside its run", self.name()));
        Box::pin(std::future::ready(Err(failed)))
    }
}

/// What a node does, made of its settings.
pub(crate) trait Behaviour: Send + Sync {
    /// What it is for those around it.
    fn shape(&self) -> Shape {
        Shape::Plain
    }
    /// Outputs that its kind does not name.
    fn more_outputs(&self) -> Vec<String> {
        Vec::new()
    }
    /// The graph whose nodes are its body.
    fn graph(&self) -> Option<&str> {
        None
    }
    /// What happens when it is its turn, at an instant.
    fn start(&self, step: &dyn Variables, now: i64) -> Result<Move, StepError>;
    /// Through which port it goes on when what it waited for did not come in time.
    fn expired(&self) -> Result<&'static str, StepError> {
        Ok("out")
    }
}

/// What a node is for those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It takes one value and gives one.
    Plain,
    /// What it is given is given back by its run, or body.
    Output,
    /// It begins when so many of its edges have brought something; 0: all that can.
    Merge { needed: u32 },
    /// Its body runs once.
    Once,
    /// Its body runs once, and what fails in it does not leave it.
    Try,
    /// Its body runs for each element of a list.
    Each { parallel: usize, keep_going: bool },
    /// Its body runs as long as a condition holds.
    Loop { rounds: u32 },
}

/// What a step does next.
#[derive(Debug)]
pub(crate) enum Move {
    /// It gives a value and ends.
    Give { port: Option<String>, value: Option<Value> },
    /// It publishes a message, as JSON, and ends: what it was given goes on as it is.
    Publish { topic: Arc<str>, value: Bytes },
    /// It waits.
    Wait(Wait),
    /// Its kind performs something.
    Perform(Arc<Json>),
    /// A worker that serves the queue does it.
    Hand { queue: Arc<str>, input: Arc<Json> },
    /// Its body begins; with a value in place of what it was given.
    Enter(Option<Value>),
}

impl Move {
    /// What the step was given goes on as it is.
    pub(crate) fn pass(port: &str) -> Self {
        Self::Give { port: (port != "out").then(|| port.to_owned()), value: None }
    }
}

/// All kinds, by name.
pub(crate) static KINDS: [&dyn Kind; 26] = [
    &analysis::Analysis,
    &approval::Approval,
    &code::Code,
    &command::Command,
    &delay::Delay,
    &fail::Fail,
    &subgraph::Subgraph,
    &grpc::Grpc,
    &http::Http,
    &choose::If,
    &input::Input,
    &map::Map,
    &mcp::Mcp,
    &merge::Merge,
    &noop::Noop,
    &note::Note,
    &object::Object,
    &output::Output,
    &publish::Publish,
    &set::Set,
    &signal::Signal,
    &sql::Sql,
    &switch::Switch,
    &task::Task,
    &r#try::Try,
    &r#while::While,
];

/// The kind of that name.
pub(crate) fn find(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
