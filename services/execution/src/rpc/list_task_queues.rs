//! ListTaskQueues: how long each queue of tasks is, and who serves it.

use std::collections::BTreeMap;

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::execution::v1::{ListTaskQueuesRequest, ListTaskQueuesResponse, TaskQueue};

use crate::{
    Error,
    domain::name,
    engine::{Turns, Workers},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListTaskQueuesRequest>,
) -> Result<ListTaskQueuesResponse, Error> {
    let ListTaskQueuesRequest { parent, page_size: size, page_token } = call.message;
    let list = List::of(&["ListTaskQueues", &parent]);
    let after = list.cursor(&page_token)?;
    let size = page_size(size, 50, 1_000) as usize;
    let project = name::project(&parent).to_owned();
    let engine = state.engines.of_project(&project);
    let found = engine.look_at_workers(move |workers, turns| shown(workers, turns, &project)).await?;
    let mut task_queues: Vec<_> =
        found.into_values().filter(|queue| queue.queue > after).take(size + 1).collect();
    let more = task_queues.len() > size;
    task_queues.truncate(size);
    let last = task_queues.last().filter(|_| more);
    let next_page_token = last.map(|queue| list.token(&queue.queue)).unwrap_or_default();
    Ok(ListTaskQueuesResponse { task_queues, next_page_token })
}

/// The queues of a project, by name.
fn shown(workers: &Workers, turns: &Turns, project: &str) -> BTreeMap<String, TaskQueue> {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let mut all: BTreeMap<String, TaskQueue> = BTreeMap::new();
    for (name, queue) in turns.queues_of(project) {
        let shown = all.entry(name.to_owned()).or_default();
        (shown.waiting_count, shown.working_count) = (count(queue.waiting), count(queue.working));
    }
    for (name, (serving, slots)) in workers.serving(project) {
        let shown = all.entry(name.to_owned()).or_default();
        shown.worker_count = count(serving);
        shown.slot_count = i32::try_from(slots).unwrap_or(i32::MAX);
    }
    for (name, queue) in &mut all {
        queue.queue.clone_from(name);
    }
    all
}
