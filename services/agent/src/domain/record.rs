//! What is kept of an agent, and how it is, all in all.

use std::time::Duration;

use weft_kit::span;
use weft_proto::weft::agent::v1::{Agent, AgentFacts, AgentState};
use weft_store::Timestamp;

/// What the store keeps of an agent in the service's own encoding: its message, and what no client sees.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Record {
    /// The agent as clients see it, but for its revision and when it was heard last.
    #[prost(message, optional, tag = "1")]
    agent: Option<Agent>,
    /// SHA-256 of its session's secret; empty without a session.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) session: Vec<u8>,
    /// The process that holds the session.
    #[prost(string, tag = "3")]
    pub(crate) process: String,
    /// Counts changes of what people set, from 1: the number behind its etag.
    #[prost(int64, tag = "4")]
    pub(crate) version: i64,
    /// Why it is not connected, while it is not.
    #[prost(string, tag = "5")]
    pub(crate) offline_reason: String,
    /// Of a collector: SHA-256 of the enrolment token that it shows.
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) token: Vec<u8>,
    /// SHA-256 of the configuration that it is offered; empty where that is nothing.
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) offered: Vec<u8>,
    /// The configuration that it has reported on, as it names that.
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) reported: Vec<u8>,
    /// What it has reported, in OpAMP's numbers.
    #[prost(int32, tag = "9")]
    pub(crate) reported_status: i32,
    /// Why it could not use it.
    #[prost(string, tag = "10")]
    pub(crate) reported_error: String,
    /// When it has reported, in microseconds.
    #[prost(int64, tag = "11")]
    pub(crate) reported_micros: i64,
    /// The restart that it has not been told of: its request id.
    #[prost(string, tag = "12")]
    pub(crate) restart: String,
    /// The newest restart, told or not.
    #[prost(string, tag = "13")]
    pub(crate) newest_restart: String,
    /// SHA-256 of the configuration that it runs with; empty before it has told.
    #[prost(bytes = "vec", tag = "14")]
    pub(crate) effective: Vec<u8>,
    /// Whether that is too large to be kept.
    #[prost(bool, tag = "15")]
    pub(crate) effective_too_large: bool,
}

impl Record {
    /// A new agent's.
    pub(crate) fn new(agent: Agent, now: Timestamp) -> Self {
        let mut record = Self {
            agent: Some(agent),
            version: 1,
            offline_reason: "NEVER_CONNECTED".into(),
            ..Self::default()
        };
        record.settle(Duration::ZERO, now);
        record
    }

    /// The agent.
    pub(crate) fn agent(&self) -> &Agent {
        static NONE: std::sync::LazyLock<Agent> = std::sync::LazyLock::new(Agent::default);
        self.agent.as_ref().unwrap_or(&NONE)
    }

    /// The agent, to be changed.
    pub(crate) fn agent_mut(&mut self) -> &mut Agent {
        self.agent.get_or_insert_default()
    }

    /// Its program is gone.
    pub(crate) fn leave(&mut self, reason: &str) {
        self.session.clear();
        self.process.clear();
        reason.clone_into(&mut self.offline_reason);
        // Whoever asked for it meant the program that is gone.
        self.restart.clear();
        let agent = self.agent_mut();
        if let Some(collector) = &mut agent.collector {
            collector.restart_request_time = None;
        }
        agent.session = None;
        agent.problems.clear();
        agent.clock_offset_duration = None;
    }

    /// What it tells of itself.
    pub(crate) fn take_facts(&mut self, facts: &AgentFacts) {
        let agent = self.agent_mut();
        agent.version.clone_from(&facts.version);
        agent.capabilities.clone_from(&facts.capabilities);
        agent.host.clone_from(&facts.host);
    }

    /// Brings the state up to date with everything else, and notes since when it is so.
    pub(crate) fn settle(&mut self, clock_tolerance: Duration, now: Timestamp) {
        let offline_reason = std::mem::take(&mut self.offline_reason);
        let agent = self.agent_mut();
        let (state, reason) = derive(agent, &offline_reason, clock_tolerance);
        if agent.state() != state || agent.state_reason != reason {
            agent.set_state(state);
            reason.clone_into(&mut agent.state_reason);
            agent.state_time = Some(now.into());
        }
        self.offline_reason = offline_reason;
    }
}

/// The state and its reason.
fn derive<'a>(agent: &Agent, offline_reason: &'a str, clock_tolerance: Duration) -> (AgentState, &'a str) {
    let clock_is_off = agent
        .clock_offset_duration
        .as_ref()
        .is_some_and(|offset| u128::from(span::micros(offset).unsigned_abs()) > clock_tolerance.as_micros());
    if agent.maintenance.is_some() {
        (AgentState::Maintenance, "MAINTENANCE")
    } else if agent.session.is_none() {
        (AgentState::Offline, offline_reason)
    } else if agent.key_conflict.is_some() {
        (AgentState::Degraded, "KEY_USED_TWICE")
    } else if clock_is_off {
        (AgentState::Degraded, "CLOCK_OFF")
    } else if !agent.problems.is_empty() {
        (AgentState::Degraded, "PROBLEMS_REPORTED")
    } else {
        (AgentState::Online, "CONNECTED")
    }
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::agent::v1::{AgentSession, KeyConflict, Maintenance};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn state(record: &Record) -> (AgentState, &str) {
        (record.agent().state(), &record.agent().state_reason)
    }

    #[test]
    fn maintenance_counts_before_offline_before_degraded() {
        let tolerance = Duration::from_secs(60);
        let mut record = Record::new(Agent::default(), at(1));
        assert_eq!(state(&record), (AgentState::Offline, "NEVER_CONNECTED"));
        record.agent_mut().session = Some(AgentSession::default());
        record.settle(tolerance, at(2));
        assert_eq!(state(&record), (AgentState::Online, "CONNECTED"));
        record.settle(tolerance, at(3));
        assert_eq!(record.agent().state_time, Some(at(2).into()), "nothing has changed since");

        record.agent_mut().problems = vec!["disk full".into()];
        record.settle(tolerance, at(4));
        assert_eq!(state(&record), (AgentState::Degraded, "PROBLEMS_REPORTED"));
        for (seconds, off) in [(60, false), (61, true), (-60, false), (-61, true)] {
            record.agent_mut().clock_offset_duration = Some(span::of_micros(seconds * 1_000_000));
            record.settle(tolerance, at(5));
            assert_eq!(record.agent().state_reason == "CLOCK_OFF", off, "{seconds}");
        }
        record.agent_mut().key_conflict = Some(KeyConflict::default());
        record.settle(tolerance, at(6));
        assert_eq!(state(&record), (AgentState::Degraded, "KEY_USED_TWICE"));

        record.leave("STOPPED");
        record.settle(tolerance, at(7));
        assert_eq!(state(&record), (AgentState::Offline, "STOPPED"));
        record.agent_mut().maintenance = Some(Maintenance::default());
        record.settle(tolerance, at(8));
        assert_eq!(state(&record), (AgentState::Maintenance, "MAINTENANCE"));
        record.agent_mut().maintenance = None;
        record.settle(tolerance, at(9));
        assert_eq!(state(&record), (AgentState::Offline, "STOPPED"), "the reason is still known");
    }
}
