//! What is wrong with a workflow, and why a step failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Most faults that are told of one workflow.
const MOST: usize = 1_000;

/// Something that is wrong with a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) node: String,
    pub(crate) port: String,
    pub(crate) property: String,
    pub(crate) warning: bool,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault.
    pub(crate) fn add(&mut self, fault: Fault) {
        if self.0.len() < MOST {
            self.0.push(fault);
        }
    }

    /// A fault of a node.
    pub(crate) fn node(&mut self, node: &str, reason: &'static str, message: impl Into<String>) {
        self.add(Fault { reason, message: message.into(), node: node.to_owned(), ..Fault::default() });
    }

    /// A fault of a node's port.
    pub(crate) fn port(&mut self, node: &str, port: &str, reason: &'static str, message: impl Into<String>) {
        let (node, port) = (node.to_owned(), port.to_owned());
        self.add(Fault { reason, message: message.into(), node, port, ..Fault::default() });
    }

    /// A fault of a node's property.
    pub(crate) fn property(
        &mut self,
        (node, property): (&str, &str),
        reason: &'static str,
        message: impl Into<String>,
    ) {
        let (node, property) = (node.to_owned(), property.to_owned());
        self.add(Fault { reason, message: message.into(), node, property, ..Fault::default() });
    }

    /// Whether nothing keeps the workflow from being run.
    pub(crate) fn are_harmless(&self) -> bool {
        self.0.iter().all(|fault| fault.warning)
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<Fault> {
        self.0
    }
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepError {
    /// A stable word.
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Whether another attempt may help.
    #[serde(skip)]
    pub(crate) again: bool,
    /// How long another attempt is to wait at least.
    #[serde(skip)]
    pub(crate) pause: Duration,
}

impl StepError {
    /// One that another attempt does not mend.
    pub(crate) fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: cut(message.into()), again: false, pause: Duration::ZERO }
    }

    /// One that another attempt may mend.
    pub(crate) fn passing(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { again: true, ..Self::new(reason, message) }
    }
}

impl From<weft_expression::Failure> for StepError {
    fn from(failure: weft_expression::Failure) -> Self {
        Self::new(failure.reason, failure.message)
    }
}

/// A message of bounded length.
fn cut(mut message: String) -> String {
    const LONGEST: usize = 2_000;
    if message.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}
