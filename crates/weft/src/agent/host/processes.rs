//! The processes of this host: read twice, because how busy one is lies between two readings.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    thread,
    time::{Duration, Instant},
};

use weft_kit::{
    Clock,
    filter::{Filter, Found, Kind, Record, Schema},
    order::{SortKey, parse_order},
};
use weft_proto::weft::agent::v1::{
    HostRefusal, ListProcessesRequest, ListProcessesResponse, Process, ProcessState,
};
use weft_store::Timestamp;

use super::{
    list, proc,
    proc::{Stat, Status, TICKS},
    refusal,
    users::Users,
};
use crate::agent::facts;

/// Between the two there is at least so much, that a few ticks of the clock are no storm.
const APART: Duration = Duration::from_millis(500);
/// After so long an earlier reading says nothing about how busy a process is now.
const STALE: Duration = Duration::from_secs(10);
/// Between two readings where there is no earlier one.
const BETWEEN: Duration = Duration::from_millis(250);
/// Longest command line that is shown, in characters.
const LONGEST_LINE: usize = 1_000;

/// Fields of a process.
static PROCESS: Schema = Schema {
    fields: &[
        ("name", Kind::Text),
        ("command_line", Kind::Text),
        ("user", Kind::Text),
        ("state", Kind::Name),
        ("process_id", Kind::Number),
        ("parent_process_id", Kind::Number),
        ("cpu_ratio", Kind::Number),
        ("resident_bytes", Kind::Number),
        ("thread_count", Kind::Number),
        ("start_time", Kind::Time),
    ],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    CpuRatio,
    ResidentBytes,
    ProcessId,
    Name,
    User,
    ThreadCount,
    StartTime,
}

/// Reads the processes of this host.
pub(super) struct Processes {
    /// Seconds since 1970: read once, so that the start of a process is the same at every reading.
    boot: i64,
    shows_command_lines: bool,
    /// What the next reading is compared with.
    before: Option<Used>,
    /// What takes its place once it is old enough.
    next: Option<Used>,
}

/// Processor time of each process in ticks, by number and start.
struct Used {
    at: Instant,
    ticks: HashMap<(i64, u64), u64>,
}

impl Processes {
    pub(super) fn new(shows_command_lines: bool) -> Self {
        Self { boot: proc::boot().unwrap_or_default(), shows_command_lines, before: None, next: None }
    }

    /// When the host started, in seconds since 1970.
    pub(super) fn boot(&self) -> i64 {
        self.boot
    }

    /// Answers a question. Takes a quarter of a second where nobody has asked for some time.
    pub(super) fn list(
        &mut self,
        request: &ListProcessesRequest,
    ) -> Result<ListProcessesResponse, HostRefusal> {
        let filter = Filter::parse(&request.filter, &PROCESS)
            .map_err(|error| refusal::invalid("filter", &error.to_string()))?;
        let order = order(&request.order_by).map_err(|problem| refusal::invalid("order_by", &problem))?;
        let mut found = self.read().map_err(|error| refusal::failed(&error.to_string()))?;
        let read_time = Some(Clock::system().now().into());
        let family = (request.root_process_id > 0).then(|| family(&found, request.root_process_id));
        let is_asked_for = |process: &Process| {
            family.as_ref().is_none_or(|family| family.contains(&process.process_id))
                && filter.matches(&Shown(process))
        };
        found.retain(is_asked_for);
        found.sort_by(|one, other| {
            list::compare(&order, compare, one, other).then(one.process_id.cmp(&other.process_id))
        });
        let match_count = i32::try_from(found.len()).unwrap_or(i32::MAX);
        let (processes, next_page_token) = list::page(found, &request.page_token, request.page_size)?;
        let host = facts::size();
        Ok(ListProcessesResponse {
            processes,
            next_page_token,
            match_count,
            cpu_count: host.0,
            memory_bytes: host.1,
            read_time,
        })
    }

    /// All that are there now.
    fn read(&mut self) -> std::io::Result<Vec<Process>> {
        if self.next.as_ref().is_some_and(|next| next.at.elapsed() >= APART) {
            self.before = self.next.take();
        }
        let before = match self.before.take() {
            Some(before) if before.at.elapsed() < STALE => before,
            _ => {
                let first = Used::read()?;
                thread::sleep(BETWEEN);
                first
            }
        };
        let at = Instant::now();
        let seconds = (at - before.at).as_secs_f64();
        let users = Users::read();
        let (mut ticks, mut processes) = (HashMap::new(), Vec::new());
        for process_id in proc::all()? {
            // What ends while it is looked at is not there.
            let (Some(stat), Some(status)) = (Stat::read(process_id), Status::read(process_id)) else {
                continue;
            };
            let key = (process_id, stat.start);
            let since = stat.used.saturating_sub(before.ticks.get(&key).copied().unwrap_or(0));
            ticks.insert(key, stat.used);
            let cpu_ratio = since as f64 / TICKS as f64 / seconds;
            processes.push(self.process(process_id, &stat, &status, cpu_ratio, &users));
        }
        self.before = Some(before);
        self.next.get_or_insert(Used { at, ticks });
        Ok(processes)
    }

    fn process(
        &self,
        process_id: i64,
        stat: &Stat,
        status: &Status,
        cpu_ratio: f64,
        users: &Users,
    ) -> Process {
        let arguments = proc::arguments(process_id);
        let command_line = if self.shows_command_lines { arguments.join(" ") } else { String::new() };
        Process {
            process_id,
            parent_process_id: stat.parent,
            name: proc::name(&stat.name, &arguments).chars().take(255).collect(),
            command_line: command_line.chars().take(LONGEST_LINE).collect(),
            user: users.name(status.user),
            state: stat.state.into(),
            // What is finer is noise.
            cpu_ratio: (cpu_ratio * 10_000.0).round() / 10_000.0,
            resident_bytes: status.resident_bytes,
            start_time: Some(proc::start_time(self.boot, stat.start)),
            thread_count: stat.threads,
        }
    }
}

impl Used {
    fn read() -> std::io::Result<Self> {
        let at = Instant::now();
        let stats = proc::all()?.into_iter().filter_map(|process| Some((process, Stat::read(process)?)));
        Ok(Self { at, ticks: stats.map(|(process, stat)| ((process, stat.start), stat.used)).collect() })
    }
}

/// A process and all that belong to it.
fn family(processes: &[Process], root: i64) -> HashSet<i64> {
    let mut children: HashMap<i64, Vec<i64>> = HashMap::new();
    for process in processes {
        children.entry(process.parent_process_id).or_default().push(process.process_id);
    }
    let (mut family, mut next) = (HashSet::new(), vec![root]);
    while let Some(process) = next.pop() {
        if family.insert(process) {
            next.extend(children.get(&process).into_iter().flatten());
        }
    }
    family
}

fn order(text: &str) -> Result<Vec<SortKey<Field>>, String> {
    let fields = [
        ("cpu_ratio", Field::CpuRatio),
        ("resident_bytes", Field::ResidentBytes),
        ("process_id", Field::ProcessId),
        ("name", Field::Name),
        ("user", Field::User),
        ("thread_count", Field::ThreadCount),
        ("start_time", Field::StartTime),
    ];
    let busiest = "cpu_ratio desc, resident_bytes desc";
    parse_order(if text.trim().is_empty() { busiest } else { text }, &fields)
}

fn compare(field: Field, one: &Process, other: &Process) -> Ordering {
    let start = |process: &Process| process.start_time.map(|time| (time.seconds, time.nanos));
    match field {
        Field::CpuRatio => one.cpu_ratio.total_cmp(&other.cpu_ratio),
        Field::ResidentBytes => one.resident_bytes.cmp(&other.resident_bytes),
        Field::ProcessId => one.process_id.cmp(&other.process_id),
        Field::Name => one.name.cmp(&other.name),
        Field::User => one.user.cmp(&other.user),
        Field::ThreadCount => one.thread_count.cmp(&other.thread_count),
        Field::StartTime => start(one).cmp(&start(other)),
    }
}

/// A process that can be filtered.
struct Shown<'a>(&'a Process);

impl Record for Shown<'_> {
    fn visit(&self, field: usize, _path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let process = self.0;
        match PROCESS.fields[field].0 {
            "name" => test(Found::Text(&process.name)),
            "command_line" => test(Found::Text(&process.command_line)),
            "user" => test(Found::Text(&process.user)),
            "state" => test(Found::Text(state_word(process.state()))),
            "process_id" => test(Found::Number(process.process_id as f64)),
            "parent_process_id" => test(Found::Number(process.parent_process_id as f64)),
            "cpu_ratio" => test(Found::Number(process.cpu_ratio)),
            "resident_bytes" => test(Found::Number(process.resident_bytes as f64)),
            "thread_count" => test(Found::Number(f64::from(process.thread_count))),
            _ => process
                .start_time
                .is_some_and(|time| test(Found::Number(Timestamp::from(&time).as_micros() as f64))),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.0.name) || test(&self.0.command_line)
    }
}

/// The word for a state.
fn state_word(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Unspecified => "unspecified",
        ProcessState::Running => "running",
        ProcessState::Sleeping => "sleeping",
        ProcessState::Blocked => "blocked",
        ProcessState::Stopped => "stopped",
        ProcessState::Zombie => "zombie",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(filter: &str, order_by: &str, root: i64) -> ListProcessesRequest {
        ListProcessesRequest {
            filter: filter.into(),
            order_by: order_by.into(),
            root_process_id: root,
            page_size: 200,
            ..ListProcessesRequest::default()
        }
    }

    #[test]
    fn this_process_is_found_with_its_children_and_only_they() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("there is one");
        let (own, of_child) = (i64::from(std::process::id()), i64::from(child.id()));
        let mut processes = Processes::new(true);
        let found = processes.list(&asked("", "process_id", own)).expect("it is right");
        let there: Vec<_> = found.processes.iter().map(|process| process.process_id).collect();
        assert!(there.contains(&own) && there.contains(&of_child) && !there.contains(&1), "{there:?}");
        assert!(found.cpu_count > 0 && found.memory_bytes > 0 && found.read_time.is_some());

        let found = processes
            .list(&asked(&format!("name = sleep AND parent_process_id = {own} AND command_line:600"), "", 0))
            .expect("it is right");
        assert!(found.processes.iter().any(|process| process.process_id == of_child));
        let start = proc::start_time(processes.boot(), Stat::read(of_child).expect("it sleeps").start);
        assert!(found.processes.iter().any(|process| process.start_time == Some(start)));
        child.kill().expect("it sleeps");
        child.wait().expect("it has ended");
    }

    #[test]
    fn command_lines_are_shown_only_if_they_may_be() {
        let own = i64::from(std::process::id());
        let mut processes = Processes::new(false);
        let found = processes.list(&asked("", "", own)).expect("it is right");
        assert!(!found.processes.is_empty());
        assert!(found.processes.iter().all(|process| process.command_line.is_empty()));
    }

    #[test]
    fn the_busiest_comes_first_and_what_is_wrong_is_said() {
        let mut processes = Processes::new(false);
        let found = processes.list(&asked("", "", 0)).expect("it is right").processes;
        assert!(found.is_sorted_by(|one, other| one.cpu_ratio >= other.cpu_ratio));
        let wrong = |request| processes.list(&request).expect_err("it is wrong").subject;
        assert_eq!([asked("nobody = 1", "", 0), asked("", "nothing", 0)].map(wrong), ["filter", "order_by"]);
    }
}
