//! The rules of a run: each kind of way through a workflow by itself, and random lives with deaths between any two
//! flushes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::domain::{
    journal,
    plan::Plan,
    validate::tests::graph,
    workflow::{Definition, Graph},
};

fn plan(graph: Graph) -> Arc<Plan> {
    let (plan, faults) = Plan::compile(&Definition { graphs: vec![graph] });
    Arc::new(plan.unwrap_or_else(|| panic!("{faults:?}")))
}

fn start() -> Start {
    Start { about: Arc::new(json!({"id": "x1"})), deadline: None, pause_on_failure: false }
}

/// A run whose outside answers at once: what `answer` says, by path and attempts that failed.
struct World {
    run: Run,
    now: i64,
    /// Everything that was begun outside: path and failures.
    begun: Vec<(String, u32)>,
}

impl World {
    fn new(graph: Graph, input: Json) -> Self {
        Self::with(plan(graph), start(), input)
    }

    fn with(plan: Arc<Plan>, start: Start, input: Json) -> Self {
        let mut run = Run::new(plan, start);
        run.happen(1, Event::Began { input: Arc::new(input) });
        Self { run, now: 1, begun: Vec::new() }
    }

    /// Goes on until nothing does; time passes as far as timers ask, up to an instant.
    fn go(&mut self, until: i64, answer: impl Fn(&str, u32) -> Result<Json, StepError>) {
        loop {
            let begins = self.run.settle(self.now, 0.0);
            if begins.is_empty() {
                match self.run.next_timer().filter(|at| *at <= until && self.run.status() == Status::Running)
                {
                    Some(at) => self.now = self.now.max(at),
                    None => return,
                }
            }
            for begin in begins {
                let path = self.run.step(begin.step).unwrap().path.clone();
                let outcome = answer(&path, begin.failures);
                self.begun.push((path, begin.failures));
                self.run.performed((begin.step, begin.generation), outcome, self.now, 0.0);
            }
        }
    }

    fn done(&mut self) {
        self.go(i64::MAX, |path, _| Ok(json!(path)));
    }

    fn output(&self) -> Json {
        assert_eq!(self.run.status(), Status::Succeeded, "{:?}", self.run.error());
        self.run.output().map(|output| (**output).clone()).unwrap_or_default()
    }

    fn paths(&self, is: StepIs) -> Vec<&str> {
        self.run.steps().filter(|step| step.is == is).map(|step| step.path.as_str()).collect()
    }
}

fn broken(again: bool) -> StepError {
    if again { StepError::passing("BROKEN", "it broke") } else { StepError::new("BROKEN", "it broke") }
}

#[test]
fn a_way_that_is_not_taken_is_closed_and_a_merge_does_not_wait_for_it() {
    let two = |n| {
        let graph = graph(
            &[
                ("a", "input", json!({})),
                ("big", "if", json!({"condition": "input.n > 1"})),
                ("yes", "set", json!({"value": "big ${input.n}"})),
                ("no", "noop", json!({})),
                ("join", "merge", json!({})),
                ("out", "output", json!({})),
            ],
            &[
                ("a", "", "big"),
                ("big", "true", "yes"),
                ("big", "false", "no"),
                ("yes", "", "join"),
                ("no", "", "join"),
                ("join", "", "out"),
            ],
        );
        let mut world = World::new(graph, json!({"n": n}));
        world.done();
        world.output()
    };
    assert_eq!(two(5), json!({"yes": "big 5"}));
    assert_eq!(two(1), json!({"no": "no"}));
}

#[test]
fn a_message_is_published_as_its_step_ends_and_never_when_it_is_read_back() {
    let graph = graph(
        &[
            ("a", "input", json!({})),
            ("all", "publish", json!({"topic": "orders"})),
            (
                "some",
                "publish",
                json!({"topic": "orders.paid", "value": {"n": "${input.n}", "of": "${run.id}"}}),
            ),
            ("out", "output", json!({})),
        ],
        &[("a", "", "all"), ("all", "", "some"), ("some", "", "out")],
    );
    let plan = plan(graph);
    let mut world = World::with(Arc::clone(&plan), start(), json!({"n": 7}));
    world.done();
    assert_eq!(world.output(), json!({"n": 7}), "what comes in goes on");
    let told = |published: Vec<Published>| {
        let read = |told: Published| {
            let value: Json = serde_json::from_slice(&told.value).unwrap();
            (told.topic.to_string(), told.step, value)
        };
        published.into_iter().map(read).collect::<Vec<_>>()
    };
    let expected = [
        ("orders".to_owned(), "all".to_owned(), json!({"n": 7})),
        ("orders.paid".to_owned(), "some".to_owned(), json!({"n": 7, "of": "x1"})),
    ];
    assert_eq!(told(world.run.take_published()), expected);
    assert_eq!(told(world.run.take_published()), []);
    let mut again = Run::new(plan, start());
    for (at, event) in world.run.take_log() {
        again.apply(at, event);
    }
    assert_eq!((again.status(), told(again.take_published())), (Status::Succeeded, vec![]));
}

#[test]
fn a_message_that_is_too_large_is_a_failure() {
    let graph = graph(
        &[
            ("a", "input", json!({})),
            ("tell", "publish", json!({"topic": "t"})),
            ("why", "set", json!({"value": "${input.reason}"})),
            ("out", "output", json!({})),
        ],
        &[("a", "", "tell"), ("tell", "error", "why"), ("why", "", "out")],
    );
    let mut world = World::new(graph, json!({"text": "x".repeat(64 << 10)}));
    world.done();
    assert_eq!(world.output(), json!("MESSAGE_TOO_LARGE"));
    assert!(world.run.take_published().is_empty());
}

#[test]
fn what_one_flush_is_not_to_have_is_published_with_the_next() {
    let graph = graph(
        &[
            ("a", "input", json!({})),
            ("each", "map", json!({"items": "input.list", "parallel": 100})),
            ("item", "input", json!({"parent": "each"})),
            (
                "tell",
                "publish",
                json!({"parent": "each", "topic": "t", "value": {"n": "${item}", "text": "${steps.a.text}"}}),
            ),
            ("done", "output", json!({"parent": "each"})),
            ("out", "output", json!({})),
        ],
        &[("a", "", "each"), ("each", "", "out"), ("item", "", "tell"), ("tell", "", "done")],
    );
    let list: Vec<u32> = (0..100).collect();
    let mut world = World::new(graph, json!({"list": list, "text": "x".repeat(60_000)}));
    let (mut flushes, mut told) = (0, Vec::new());
    while !world.run.status().has_ended() {
        assert!(world.run.settle(world.now, 0.0).is_empty());
        let published = world.run.take_published();
        let bytes: usize = published.iter().map(|message| message.value.len()).sum();
        assert!((1..1_200_000).contains(&bytes), "{bytes}");
        told.extend(published.into_iter().map(|message| message.step));
        flushes += 1;
    }
    assert_eq!((flushes, told.len(), told.iter().collect::<BTreeSet<_>>().len()), (6, 100, 100));
    assert_eq!(world.output(), json!(list));
}

#[test]
fn a_switch_goes_the_first_way_that_holds_and_any_takes_the_first_that_comes() {
    let graph = graph(
        &[
            ("a", "input", json!({})),
            (
                "s",
                "switch",
                json!({"cases": [
                    {"port": "low", "when": "input.n < 3"}, {"port": "mid", "when": "input.n < 9"},
                ]}),
            ),
            ("low", "set", json!({"value": "l"})),
            ("mid", "set", json!({"value": "m"})),
            ("high", "set", json!({"value": "h"})),
            ("first", "merge", json!({"mode": "any"})),
            ("out", "output", json!({})),
        ],
        &[
            ("a", "", "s"),
            ("s", "low", "low"),
            ("s", "mid", "mid"),
            ("s", "default", "high"),
            ("low", "", "first"),
            ("mid", "", "first"),
            ("high", "", "first"),
            ("first", "", "out"),
        ],
    );
    for (n, expected) in [(1, "l"), (5, "m"), (50, "h")] {
        let mut world = World::new(graph.clone(), json!({"n": n}));
        world.done();
        assert_eq!(world.output(), json!(expected));
    }
}

#[test]
fn a_map_keeps_its_order_and_its_bound() {
    let graph = graph(
        &[
            ("a", "input", json!({})),
            ("each", "map", json!({"items": "input.list", "parallel": 2})),
            ("item", "input", json!({"parent": "each"})),
            ("work", "noop", json!({"parent": "each"})),
            (
                "made",
                "set",
                json!({"parent": "each", "value": "${index}: ${item} of ${steps.a.list.size()}"}),
            ),
            ("give", "output", json!({"parent": "each"})),
            ("out", "output", json!({})),
        ],
        &[
            ("a", "", "each"),
            ("item", "", "work"),
            ("work", "", "made"),
            ("made", "", "give"),
            ("each", "", "out"),
        ],
    );
    let mut world = World::new(graph, json!({"list": ["x", "y", "z"]}));
    let begins = world.run.settle(1, 0.0);
    let at_once: Vec<_> =
        begins.iter().map(|begin| world.run.step(begin.step).unwrap().path.clone()).collect();
    assert_eq!(at_once, ["each[0]/work", "each[1]/work"]);
    // The second ends first.
    for begin in begins.iter().rev() {
        world.run.performed((begin.step, 0), Ok(json!(1)), 2, 0.0);
    }
    world.done();
    assert_eq!(world.output(), json!(["0: x of 3", "1: y of 3", "2: z of 3"]));
    assert_eq!(world.begun, [("each[2]/work".to_owned(), 0)]);
}

#[test]
fn a_map_of_nothing_is_nothing_and_of_something_else_fails() {
    let nodes = [
        ("a", "input", json!({})),
        ("each", "map", json!({"items": "input.list"})),
        ("item", "input", json!({"parent": "each"})),
        ("out", "output", json!({})),
    ];
    let graph = graph(&nodes, &[("a", "", "each"), ("each", "", "out")]);
    let mut world = World::new(graph.clone(), json!({"list": []}));
    world.done();
    assert_eq!(world.output(), json!([]));
    let mut world = World::new(graph, json!({"list": 7}));
    world.done();
    assert_eq!(world.run.error().unwrap().1.reason, "NOT_A_LIST");
}

#[test]
fn a_loop_ends_by_its_condition_or_its_bound() {
    let of = |rounds| {
        graph(
            &[
                ("a", "input", json!({})),
                ("more", "while", json!({"condition": "input.n < 10 && index < 90", "rounds": rounds})),
                ("i", "input", json!({"parent": "more"})),
                ("add", "set", json!({"parent": "more", "value": {"n": "${input.n + 3}"}})),
                ("o", "output", json!({"parent": "more"})),
                ("out", "output", json!({})),
            ],
            &[("a", "", "more"), ("i", "", "add"), ("add", "", "o"), ("more", "", "out")],
        )
    };
    let mut world = World::new(of(10), json!({"n": 1}));
    world.done();
    assert_eq!(world.output(), json!({"n": 10}));
    let mut world = World::new(of(2), json!({"n": 1}));
    world.done();
    assert_eq!(world.run.error().unwrap().1.reason, "LOOP_LIMIT");
    let mut world = World::new(of(2), json!({"n": 11}));
    world.done();
    assert_eq!(world.output(), json!({"n": 11}));
}

#[test]
fn failures_are_retried_taken_caught_or_end_the_run() {
    let failing =
        |_: &str, failures: u32| if failures < 2 { Err(broken(true)) } else { Ok(json!("at last")) };
    let plain = graph(
        &[("a", "input", json!({})), ("w", "noop", json!({})), ("out", "output", json!({}))],
        &[("a", "", "w"), ("w", "", "out")],
    );
    let mut world = World::new(plain.clone(), json!({}));
    world.go(i64::MAX, failing);
    assert_eq!(world.output(), json!("at last"));
    assert_eq!(world.begun.len(), 3);
    assert!(world.now > 1 + 2_000_000, "it paused a second and then two: {}", world.now);
    let mut world = World::new(plain.clone(), json!({}));
    world.go(i64::MAX, |_, _| Err(broken(true)));
    assert_eq!((world.run.status(), world.begun.len()), (Status::Failed, 3));
    let mut world = World::new(plain, json!({}));
    world.go(i64::MAX, |_, _| Err(broken(false)));
    assert_eq!((world.run.status(), world.begun.len()), (Status::Failed, 1));

    let taken = graph(
        &[
            ("a", "input", json!({})),
            ("w", "noop", json!({})),
            ("mend", "set", json!({"value": "${input.reason}"})),
            ("any", "merge", json!({"mode": "any"})),
            ("out", "output", json!({})),
        ],
        &[("a", "", "w"), ("w", "error", "mend"), ("w", "", "any"), ("mend", "", "any"), ("any", "", "out")],
    );
    let mut world = World::new(taken, json!({}));
    world.go(i64::MAX, |_, _| Err(broken(false)));
    assert_eq!(world.output(), json!("BROKEN"));

    let caught = graph(
        &[
            ("a", "input", json!({})),
            ("t", "try", json!({})),
            ("i", "input", json!({"parent": "t"})),
            ("x", "noop", json!({"parent": "t"})),
            ("y", "noop", json!({"parent": "t"})),
            ("z", "delay", json!({"parent": "t", "for": "9d"})),
            ("mend", "set", json!({"value": "${input.step}"})),
            ("clear", "noop", json!({})),
            ("any", "merge", json!({"mode": "any"})),
            ("out", "output", json!({})),
        ],
        &[
            ("a", "", "t"),
            ("i", "", "x"),
            ("x", "", "y"),
            ("i", "", "z"),
            ("t", "error", "mend"),
            ("t", "finally", "clear"),
            ("mend", "", "any"),
            ("t", "", "any"),
            ("any", "", "out"),
        ],
    );
    let mut world = World::new(caught, json!({}));
    world.go(i64::MAX, |path, _| if path == "t/x" { Err(broken(false)) } else { Ok(json!(path)) });
    assert_eq!(world.output(), json!("t/x"));
    assert_eq!(world.begun, [("t/x".to_owned(), 0), ("clear".to_owned(), 0)]);
    assert_eq!(world.paths(StepIs::Cancelled), ["t/z"]);
}

#[test]
fn a_map_may_go_on_after_a_failure() {
    let of = |keep_going| {
        graph(
            &[
                ("a", "input", json!({})),
                ("each", "map", json!({"items": "input.list", "keep_going": keep_going})),
                ("i", "input", json!({"parent": "each"})),
                ("w", "noop", json!({"parent": "each"})),
                ("o", "output", json!({"parent": "each"})),
                ("out", "output", json!({})),
            ],
            &[("a", "", "each"), ("i", "", "w"), ("w", "", "o"), ("each", "", "out")],
        )
    };
    let second = |path: &str, _| if path == "each[1]/w" { Err(broken(false)) } else { Ok(json!(path)) };
    let mut world = World::new(of(true), json!({"list": [1, 2, 3]}));
    world.go(i64::MAX, second);
    let error = json!({"error": {"reason": "BROKEN", "message": "it broke", "step": "each[1]/w"}});
    assert_eq!(world.output(), json!(["each[0]/w", error, "each[2]/w"]));
    let mut world = World::new(of(false), json!({"list": [1, 2, 3]}));
    world.go(i64::MAX, second);
    assert_eq!(world.run.status(), Status::Failed);
}

fn waiting() -> Graph {
    graph(
        &[
            ("a", "input", json!({})),
            ("later", "delay", json!({"for": "30d"})),
            ("go", "signal", json!({"signal": "go-${run.id}", "wait": "1d"})),
            ("ask", "approval", json!({"title": "Ship ${input}?"})),
            ("out", "output", json!({})),
            ("late", "fail", json!({"message": "late"})),
        ],
        &[
            ("a", "", "later"),
            ("later", "", "go"),
            ("go", "", "ask"),
            ("ask", "approved", "out"),
            ("go", "timeout", "late"),
        ],
    )
}

#[test]
fn waits_end_by_time_by_a_signal_and_by_a_person() {
    const DAY: i64 = 86_400_000_000;
    let signal = |value: Json| Event::Signal { name: "go-x1".into(), value: Arc::new(value), once: None };
    let mut world = World::new(waiting(), json!({}));
    world.go(29 * DAY, |_, _| panic!("nothing is outside"));
    assert_eq!(world.paths(StepIs::Waiting), ["later"]);
    // A signal that comes early is kept.
    world.run.happen(world.now, signal(json!("early")));
    world.go(30 * DAY + 5, |_, _| panic!("nothing is outside"));
    assert_eq!(world.paths(StepIs::Waiting), ["ask"]);
    let ask = world.run.steps().find(|step| step.path == "ask").unwrap();
    assert_eq!(ask.wait.as_ref().unwrap().approval.as_ref().unwrap().title, "Ship early?");
    let yes =
        Event::Gave { step: ask.number, port: Some("approved".into()), value: Some(Arc::new(json!("yes"))) };
    world.run.happen(world.now, yes);
    world.done();
    assert_eq!(world.output(), json!("yes"));
    let mut world = World::new(waiting(), json!({}));
    world.go(32 * DAY, |_, _| panic!("nothing is outside"));
    assert_eq!(world.run.error().unwrap().1.message, "late");
}

#[test]
fn runs_are_paused_cancelled_and_timed_out() {
    let plain = graph(
        &[("a", "input", json!({})), ("w", "noop", json!({})), ("x", "noop", json!({}))],
        &[("a", "", "w"), ("w", "", "x")],
    );
    let mut world = World::new(plain.clone(), json!({}));
    let first = world.run.settle(1, 0.0).remove(0);
    world.run.happen(2, Event::Paused);
    assert!(world.run.performed((first.step, 0), Ok(json!(1)), 3, 0.0));
    assert!(world.run.settle(4, 0.0).is_empty(), "what runs may finish, nothing begins");
    world.run.happen(5, Event::Resumed);
    world.done();
    assert_eq!(world.run.status(), Status::Succeeded);

    let mut world = World::new(plain.clone(), json!({}));
    let first = world.run.settle(1, 0.0).remove(0);
    world.run.happen(2, Event::Cancelled);
    assert_eq!(world.run.take_stops(), [first.step]);
    assert!(!world.run.performed((first.step, 0), Ok(json!(1)), 3, 0.0), "it is over");
    assert_eq!(world.run.status(), Status::Cancelled);

    let mut world = World::with(plan(plain), Start { deadline: Some(50), ..start() }, json!({}));
    world.run.settle(1, 0.0);
    assert_eq!(world.run.next_timer(), Some(50));
    world.run.settle(50, 0.0);
    assert_eq!(world.run.error().unwrap().1.reason, "TIMEOUT");
}

fn three() -> Graph {
    graph(
        &[
            ("a", "input", json!({})),
            ("w", "noop", json!({})),
            ("each", "map", json!({"items": "input.list"})),
            ("i", "input", json!({"parent": "each"})),
            ("v", "noop", json!({"parent": "each"})),
            ("o", "output", json!({"parent": "each"})),
            ("side", "noop", json!({})),
            ("join", "merge", json!({})),
            ("out", "output", json!({})),
        ],
        &[
            ("a", "", "w"),
            ("w", "", "each"),
            ("i", "", "v"),
            ("v", "", "o"),
            ("a", "", "side"),
            ("each", "", "join"),
            ("side", "", "join"),
            ("join", "", "out"),
        ],
    )
}

fn answers(path: &str) -> Json {
    if path == "w" { json!({"list": [1, 2, 3]}) } else { json!(path) }
}

#[test]
fn a_retry_goes_on_from_what_failed_and_repeats_nothing_that_finished() {
    for pause_on_failure in [false, true] {
        let mut world = World::with(plan(three()), Start { pause_on_failure, ..start() }, json!({}));
        let broken_at =
            |path: &str, _| if path == "each[1]/v" { Err(broken(false)) } else { Ok(answers(path)) };
        world.go(i64::MAX, broken_at);
        let status = if pause_on_failure { Status::Paused } else { Status::Failed };
        assert_eq!(world.run.status(), status);
        assert!(world.run.can_start_again(None));
        let before = std::mem::take(&mut world.begun);
        let number = world.run.steps().find(|step| step.path == "each[1]/v").unwrap().number;
        world.run.happen(world.now, Event::Retried { from: None, definition: None, once: None });
        world.go(i64::MAX, |path, _| Ok(answers(path)));
        assert_eq!(world.output(), json!({"each": ["each[0]/v", "each[1]/v", "each[2]/v"], "side": "side"}));
        let again: BTreeSet<_> = world.begun.iter().map(|(path, _)| path.as_str()).collect();
        let finished: Vec<_> = before.iter().filter(|(path, _)| path != "each[1]/v").collect();
        assert!(
            finished.iter().all(|(path, _)| !again.contains(path.as_str()) || path.starts_with("each[")),
            "{finished:?} {again:?}"
        );
        let step = world.run.step(number).unwrap();
        assert_eq!((step.path.as_str(), step.generation), ("each[1]/v", 1), "its calls are new ones");
    }
}

#[test]
fn a_retry_from_a_step_runs_it_and_what_follows_and_nothing_else() {
    let mut world = World::new(three(), json!({}));
    world.go(i64::MAX, |path, _| Ok(answers(path)));
    let from = world.run.steps().find(|step| step.path == "each[2]/v").unwrap().number;
    assert!(world.run.can_start_again(Some(from)) && !world.run.can_start_again(None));
    world.begun.clear();
    world.run.happen(world.now, Event::Retried { from: Some(from), definition: None, once: None });
    world.go(i64::MAX, |path, _| Ok(json!(format!("new {path}"))));
    assert_eq!(world.begun, [("each[2]/v".to_owned(), 0)]);
    assert_eq!(world.output()["each"], json!(["each[0]/v", "each[1]/v", "new each[2]/v"]));
    // From the first, the list is another: nothing of the bodies is kept.
    let from = world.run.steps().find(|step| step.path == "w").unwrap().number;
    world.begun.clear();
    world.run.happen(world.now, Event::Retried { from: Some(from), definition: None, once: None });
    world.go(i64::MAX, |path, _| {
        if path == "w" { Ok(json!({"list": [7]})) } else { Ok(json!(format!("newer {path}"))) }
    });
    assert_eq!(world.output(), json!({"each": ["newer each[0]/v"], "side": "side"}));
}

#[test]
fn a_retry_may_go_on_with_another_plan() {
    let of = |condition| {
        graph(
            &[
                ("a", "input", json!({})),
                ("w", "noop", json!({})),
                ("check", "if", json!({"condition": condition})),
                ("out", "output", json!({})),
            ],
            &[("a", "", "w"), ("w", "", "check"), ("check", "true", "out")],
        )
    };
    let mut world = World::new(of("input.gone"), json!({}));
    world.done();
    assert_eq!(world.run.error().unwrap().1.reason, "EXPRESSION_FAILED");
    world.run.replace_plan(plan(of("input == 'w'")));
    world.run.happen(world.now, Event::Retried { from: None, definition: Some(2), once: None });
    world.done();
    assert_eq!(world.output(), json!("w"));
    assert_eq!(world.begun, [("w".to_owned(), 0)], "what finished is kept");
}

/// What two states of a run must agree on: a step that is at work outside, or whose pause is over, is one whose turn
/// it is, once read back.
fn told(run: &Run) -> String {
    let steps: BTreeMap<u32, String> = run
        .steps()
        .map(|step| {
            let is_about_to = matches!(step.is, StepIs::Performing | StepIs::Backoff);
            let is = if is_about_to { StepIs::Ready } else { step.is };
            let told =
                (is, &step.path, &step.input, &step.output, &step.port, step.failures, step.generation);
            (step.number, format!("{told:?} {:?} {:?} {:?}", step.wait, step.began, step.ended))
        })
        .collect();
    format!("{:?} {:?} {:?} {:?} {:?}", run.status(), run.error(), run.output(), run.signals, steps)
}

/// A node that a random workflow may have.
#[derive(Clone, Debug)]
enum Piece {
    Noop,
    Set,
    If(bool),
    Merge(u8),
    Delay(u8),
    Signal,
    Fail,
    Publish,
    /// A body of pieces: of a map, a loop, a try.
    Body(u8, Vec<Piece>),
}

fn pieces(depth: u32) -> BoxedStrategy<Vec<Piece>> {
    let leaf = prop_oneof![
        4 => Just(Piece::Noop),
        2 => Just(Piece::Set),
        2 => any::<bool>().prop_map(Piece::If),
        2 => (0..3_u8).prop_map(Piece::Merge),
        1 => (0..4_u8).prop_map(Piece::Delay),
        1 => Just(Piece::Signal),
        1 => Just(Piece::Fail),
        2 => Just(Piece::Publish),
    ];
    if depth == 0 {
        return prop::collection::vec(leaf, 1..4).boxed();
    }
    let piece = prop_oneof![
        5 => leaf,
        2 => (0..3_u8, pieces(depth - 1)).prop_map(|(kind, inside)| Piece::Body(kind, inside)),
    ];
    prop::collection::vec(piece, 1..7).boxed()
}

/// Nodes and edges of pieces: each follows one of those before it, as `choice` says; a merge follows two.
fn build(
    pieces: &[Piece],
    parent: &str,
    choice: &mut impl FnMut(usize) -> usize,
    nodes: &mut Vec<(String, &'static str, Json)>,
    edges: &mut Vec<(String, String, String)>,
) {
    let of = |properties: Json| {
        let mut properties = properties;
        if !parent.is_empty() {
            properties["parent"] = json!(parent);
        }
        properties
    };
    let name = |at: usize| if parent.is_empty() { format!("n{at}") } else { format!("{parent}-{at}") };
    nodes.push((name(0), "input", of(json!({}))));
    let mut ways: Vec<(String, String)> = vec![(name(0), "out".into())];
    for (at, piece) in pieces.iter().enumerate() {
        let key = name(at + 1);
        let (source, port) = ways[choice(ways.len())].clone();
        edges.push((source.clone(), port.clone(), key.clone()));
        ways.push((key.clone(), "out".into()));
        let (kind, properties) = match piece {
            Piece::Noop => {
                if choice(3) == 0 {
                    ways.push((key.clone(), "error".into()));
                }
                ("noop", json!({"retry": {"attempts": 2}}))
            }
            Piece::Set => ("set", json!({"value": {"was": "${input}"}})),
            Piece::If(holds) => {
                ways.pop();
                ways.push((key.clone(), "true".into()));
                ways.push((key.clone(), "false".into()));
                ("if", json!({"condition": holds.to_string()}))
            }
            Piece::Merge(mode) => {
                let (other, port) = ways[choice(ways.len() - 1)].clone();
                edges.push((other, port, key.clone()));
                let mode = ["all", "any", "count"][usize::from(*mode)];
                ("merge", json!({"mode": mode, "count": 2}))
            }
            Piece::Delay(seconds) => ("delay", json!({"for": seconds})),
            Piece::Signal => ("signal", json!({"signal": "s", "wait": 5})),
            Piece::Fail => ("fail", json!({"message": "no"})),
            Piece::Publish => ("publish", json!({"topic": "t"})),
            Piece::Body(kind, inside) => {
                build(inside, &key, choice, nodes, edges);
                if choice(2) == 0 {
                    ways.push((key.clone(), "error".into()));
                }
                match kind {
                    0 => {
                        let keep_going = choice(2) == 0;
                        ("map", json!({"items": "[1, 2, 3]", "parallel": 2, "keep_going": keep_going}))
                    }
                    1 => ("while", json!({"condition": "index < 2"})),
                    _ => ("try", json!({})),
                }
            }
        };
        if matches!(piece, Piece::Fail) {
            ways.pop();
        }
        nodes.push((key, kind, of(properties)));
    }
    nodes.push((name(pieces.len() + 1), "output", of(json!({}))));
    let (source, port) = ways.last().cloned().unwrap_or((name(0), "out".into()));
    edges.push((source, port, name(pieces.len() + 1)));
}

fn random_graph(pieces: &[Piece], seed: u64) -> Graph {
    let mut state = seed | 1;
    let mut choice = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most.max(1)
    };
    let (mut nodes, mut edges) = (Vec::new(), Vec::new());
    build(pieces, "", &mut choice, &mut nodes, &mut edges);
    edges.sort();
    edges.dedup();
    let nodes: Vec<_> =
        nodes.iter().map(|(key, kind, properties)| (key.as_str(), *kind, properties.clone())).collect();
    let edges: Vec<_> = edges.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    graph(&nodes, &edges)
}

/// One life with deaths: what is written is written in rows, and a death leaves nothing else.
struct Life {
    plan: Arc<Plan>,
    run: Run,
    rows: Vec<bytes::Bytes>,
    /// What was begun outside and has not answered: step, generation, path, failures.
    outside: Vec<(u32, u32, String, u32)>,
    /// Steps whose end is on disk.
    finished: BTreeSet<(u32, u32)>,
    /// Steps whose message is on disk.
    published: BTreeSet<(u32, u32)>,
    now: i64,
}

impl Life {
    fn new(plan: Arc<Plan>) -> Self {
        let mut run = Run::new(Arc::clone(&plan), Start { pause_on_failure: true, ..start() });
        run.happen(1, Event::Began { input: Arc::new(json!({"n": 1})) });
        let (finished, published) = (BTreeSet::new(), BTreeSet::new());
        Self { plan, run, rows: Vec::new(), outside: Vec::new(), finished, published, now: 1 }
    }

    /// Decides, writes, and begins what was led to.
    fn flush(&mut self) {
        let begins = self.run.settle(self.now, 0.5);
        assert!(begins.is_empty() || self.run.has_started(), "what is queued begins nothing");
        let log = self.run.take_log();
        if !log.is_empty() {
            let written = journal::write(&log, "x", (1, self.rows.len() as i64));
            assert!(written.objects.is_empty());
            self.rows.push(written.row);
        }
        for message in self.run.take_published() {
            let step = self.run.steps().find(|step| step.path == message.step).expect("a step has published");
            assert!(self.published.insert((step.number, step.generation)), "{} publishes twice", step.path);
        }
        for step in self.run.take_stops() {
            self.outside.retain(|(number, ..)| *number != step);
        }
        let ended = self.run.steps().filter(|step| step.is.has_ended() && step.output.is_some());
        self.finished.extend(ended.map(|step| (step.number, step.generation)));
        for step in self.run.steps().filter(|step| step.is == StepIs::Succeeded) {
            let has_told = self.published.contains(&(step.number, step.generation));
            assert_eq!(self.run.node_of(step).1 == "publish", has_told, "{} has ended", step.path);
        }
        for begin in begins {
            let key = (begin.step, begin.generation);
            assert!(!self.finished.contains(&key), "a step that has finished is begun again: {key:?}");
            if !self.outside.iter().any(|(step, generation, ..)| (*step, *generation) == key) {
                let path = self.run.step(begin.step).unwrap().path.clone();
                self.outside.push((begin.step, begin.generation, path, begin.failures));
            }
        }
    }

    fn read_back(&self) -> Run {
        let mut run = Run::new(Arc::clone(&self.plan), Start { pause_on_failure: true, ..start() });
        for row in &self.rows {
            for (at, event) in journal::read(row, &|_| None).expect("what was written can be read") {
                run.apply(at, event);
            }
        }
        run.take_stops();
        run
    }

    fn die(&mut self) {
        self.run = self.read_back();
        self.outside.clear();
    }

    /// Whether something is left that nobody will ever go on with.
    fn is_stuck(&self) -> bool {
        self.run.status() == Status::Running && self.outside.is_empty() && self.run.next_timer().is_none()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_repeated_whenever_it_dies(
        pieces in pieces(2),
        seed in any::<u64>(),
        is_queued in any::<bool>(),
        moves in prop::collection::vec((0..10_u8, any::<prop::sample::Index>()), 0..120),
    ) {
        let plan = plan(random_graph(&pieces, seed));
        let mut life = Life::new(plan);
        if is_queued {
            life.run.happen(1, Event::Queued);
        }
        life.flush();
        for (what, which) in moves {
            match what {
                // Something outside has ended, well or not.
                0..=3 if !life.outside.is_empty() => {
                    let at = which.index(life.outside.len());
                    let (step, generation, path, _) = life.outside.remove(at);
                    let outcome = if what == 0 { Err(broken(which.index(2) == 0)) } else { Ok(json!(path)) };
                    life.run.performed((step, generation), outcome, life.now, 0.5);
                }
                4 => life.now += 1_000_000,
                5 => {
                    let event = Event::Signal { name: "s".into(), value: Arc::new(json!("came")), once: None };
                    if !life.run.status().has_ended() {
                        life.run.happen(life.now, event);
                    }
                }
                6 => life.die(),
                7 if life.run.can_start_again(None) => {
                    let had_ended = life.run.status().has_ended();
                    life.run.happen(life.now, Event::Retried { from: None, definition: None, once: None });
                    if had_ended && which.index(2) == 0 {
                        life.run.happen(life.now, Event::Queued);
                    }
                }
                9 if life.run.status() == Status::Queued => life.run.happen(life.now, Event::Started),
                8 => match life.run.status() {
                    Status::Running | Status::Queued => life.run.happen(life.now, Event::Paused),
                    Status::Paused if life.run.error().is_none() => life.run.happen(life.now, Event::Resumed),
                    _ => {}
                },
                _ => {}
            }
            life.flush();
            prop_assert_eq!(told(&life.run), told(&life.read_back()), "read back it is what it was");
            prop_assert_eq!(life.run.has_started(), life.read_back().has_started());
            prop_assert!(!life.is_stuck(), "nobody will go on with {}", told(&life.run));
        }
        // Left alone, it ends.
        for _ in 0..10_000 {
            match life.run.status() {
                Status::Paused if life.run.error().is_none() => life.run.happen(life.now, Event::Resumed),
                Status::Queued => life.run.happen(life.now, Event::Started),
                Status::Running => {}
                _ => break,
            }
            if let Some((step, generation, path, _)) = life.outside.pop() {
                life.run.performed((step, generation), Ok(json!(path)), life.now, 0.5);
            } else if let Some(at) = life.run.next_timer() {
                life.now = life.now.max(at);
            }
            life.flush();
        }
        let has_an_end = life.run.status().has_ended() || life.run.error().is_some();
        prop_assert!(has_an_end, "it does not end: {}", told(&life.run));
    }
}

#[test]
fn what_was_kept_is_given_and_told_also_when_it_is_read_back_and_after_a_retry() {
    let graph = graph(
        &[
            ("a", "input", json!({})),
            ("ask", "http", json!({"url": "https://a.example/${input.n}", "cache": {"ttl": "1h"}})),
            ("then", "http", json!({"url": "https://b.example/"})),
            ("out", "output", json!({})),
        ],
        &[("a", "", "ask"), ("ask", "", "then"), ("then", "", "out")],
    );
    let plan = plan(graph);
    let mut run = Run::new(Arc::clone(&plan), start());
    run.happen(1, Event::Began { input: Arc::new(json!({"n": 7})) });
    let begin = run.settle(1, 0.0).pop().expect("it asks");
    assert_eq!(begin.cache.as_ref().map(|asked| asked.area.as_str()), Some("graphs/g/nodes/ask"));
    let from = || "projects/p/executions/before".to_owned();
    assert!(run.recalled((begin.step, 0), json!("kept"), from(), 2));
    assert!(!run.recalled((begin.step, 0), json!("twice"), from(), 2), "it is over");
    let next = run.settle(2, 0.0).pop().expect("it goes on");
    assert!(next.cache.is_none());
    run.performed((next.step, 0), Err(broken(false)), 3, 0.0);
    let events = run.take_log();
    let written = journal::write(&events, "", (1, 1));
    let mut read = Run::new(Arc::clone(&plan), start());
    for (at, event) in journal::read(&written.row, &|_| None).expect("it can be read") {
        read.apply(at, event);
    }
    // A retry of what failed takes over what was kept.
    read.happen(4, Event::Retried { from: None, definition: None, once: None });
    for run in [&run, &read] {
        let step = run.step(begin.step).expect("it is there");
        assert_eq!((step.output.as_deref(), step.cached_from.clone()), (Some(&json!("kept")), Some(from())));
    }
}
