//! ListAgents: the fleet of a project, by name or in another order.

use weft_kit::{
    Call,
    cursor::CursorReader,
    filter::Filter,
    paging::{List, page_size},
};
use weft_proto::weft::agent::v1::{Agent, ListAgentsRequest, ListAgentsResponse};

use crate::{
    Error,
    domain::{
        list::{AGENT, AgentRecord, Place, order},
        name,
    },
    state::State,
};

pub(crate) fn handle(state: &State, call: Call<ListAgentsRequest>) -> Result<ListAgentsResponse, Error> {
    let request = call.message;
    let filter = Filter::parse(&request.filter, &AGENT)?;
    let order = order(&request.order_by).map_err(|problem| Error::field("order_by", problem))?;
    let list = List::of(&["ListAgents", &request.parent, &request.filter, &request.order_by]);
    let cursor = list.cursor(&request.page_token)?;
    let after = CursorReader::new(&cursor).map(|reader| Place::read(reader, &order)).transpose()?;
    let size = page_size(request.page_size, 50, 1_000) as usize;

    let (agents, revision) = state.fleet.agents(name::project(&request.parent));
    let mut match_count = 0;
    let mut found: Vec<(Place, Agent)> = Vec::new();
    for entry in agents {
        let agent = entry.brief();
        if filter.matches(&AgentRecord(&agent)) {
            match_count += 1;
            let place = Place::of(&agent, &order);
            if after.as_ref().is_none_or(|after| place > *after) {
                found.push((place, state.brief(&entry)));
            }
        }
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let more = found.len() > size;
    found.truncate(size);
    let next_page_token = found
        .last()
        .filter(|_| more)
        .map(|(place, _)| list.token(place.cursor().as_str()))
        .unwrap_or_default();
    Ok(ListAgentsResponse {
        agents: found.into_iter().map(|(_, agent)| agent).collect(),
        next_page_token,
        match_count,
        revision,
    })
}
