//! GetStatistics: how many of what.

use std::collections::HashMap;

use weft_kit::Call;
use weft_proto::weft::agent::v1::{FleetStatistics, GetStatisticsRequest};

use crate::{
    domain::{list::state_word, name},
    state::State,
};

/// How many names of a kind are told.
const MOST: usize = 50;

pub(crate) fn handle(state: &State, call: &Call<GetStatisticsRequest>) -> FleetStatistics {
    let (agents, revision) = state.fleet.agents(name::project(&call.message.parent));
    let mut statistics = FleetStatistics {
        agent_count: i64::try_from(agents.len()).unwrap_or(i64::MAX),
        revision,
        ..FleetStatistics::default()
    };
    for entry in &agents {
        let agent = entry.record.agent();
        statistics.connected_count += i64::from(agent.session.is_some());
        *statistics.states.entry(state_word(agent.state()).to_owned()).or_default() += 1;
        *statistics.versions.entry(agent.version.clone()).or_default() += 1;
        if let Some(host) = &agent.host {
            let system = if host.os_version.is_empty() { &host.os } else { &host.os_version };
            *statistics.systems.entry(system.clone()).or_default() += 1;
            *statistics.architectures.entry(host.architecture.clone()).or_default() += 1;
        }
    }
    for counts in [&mut statistics.versions, &mut statistics.systems, &mut statistics.architectures] {
        keep_most(counts);
    }
    statistics
}

fn keep_most(counts: &mut HashMap<String, i64>) {
    if counts.len() > MOST {
        let mut all: Vec<_> = counts.drain().collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(MOST);
        counts.extend(all);
    }
}
