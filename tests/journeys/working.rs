//! Workers: programs of people that do the tasks of workflows. Tasks are given out, stopped, lost and found, and recorded once.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value as Json, json};
use tonic::Code;
use weft_proto::weft::{
    execution::v1::{
        AttachWorkerRequest, CancelExecutionRequest, ExecutionState, ListTaskQueuesRequest,
        ListWorkersRequest, StepState, TaskDisposition, TaskProgress, TaskQueue, TaskStopReason,
        Worker as Shown, WorkerHeartbeat, WorkerLeave, WorkerOpen, WorkerSlots, WorkerState,
        attach_worker_request::Action,
    },
    identity::v1::Role,
};
use weft_tests::{
    client::Client,
    mesh::Mesh,
    refused::{refused, refused_rest},
    worker::{Worker, fails, gives, open},
    workflows::{self, node, way},
};

const PROJECT: &str = "projects/p";

/// A workflow with one task.
async fn one_task(client: &Client, id: &str, mut settings: Json) -> String {
    settings["queue"] = id.into();
    let changes = vec![
        node("start", "input", json!({})),
        node("do", "task", settings),
        node("end", "output", json!({})),
        way("start", "", "do"),
        way("do", "", "end"),
    ];
    workflows::create(client, id, changes).await
}

async fn attach(client: &Client, queue: &str, slots: i32) -> Worker {
    Worker::attach(client, open(PROJECT, queue, slots)).await.expect("it may attach")
}

async fn listed(client: &Client, queue: &str) -> Vec<Shown> {
    let request =
        ListWorkersRequest { parent: PROJECT.into(), queue: queue.into(), ..ListWorkersRequest::default() };
    client.workers().list_workers(request).await.expect("they are listed").into_inner().workers
}

async fn queues(client: &Client) -> Vec<TaskQueue> {
    let request = ListTaskQueuesRequest { parent: PROJECT.into(), ..ListTaskQueuesRequest::default() };
    client.workers().list_task_queues(request).await.expect("they are listed").into_inner().task_queues
}

/// Until the mesh has noticed that somebody has gone.
async fn until_workers(client: &Client, queue: &str, holds: impl Fn(&[Shown]) -> bool) {
    let holds = async {
        while !holds(&listed(client, queue).await) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), holds).await.expect("it is noticed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_do_tasks_and_are_told_when_to_stop() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    a_task_is_done(&client).await;
    a_failure_is_tried_again_or_not(&client).await;
    what_is_cancelled_is_stopped(&client).await;
    what_takes_too_long_is_stopped(&client).await;
    slots_and_limits_hold(&client).await;
    who_leaves_ends_what_it_has(&client).await;
    a_stream_ends_with_its_credential(&client).await;
    what_is_wrong_is_refused(&client).await;
    mesh.stop_unhurt().await;
}

async fn a_task_is_done(client: &Client) {
    let settings = json!({"input": {"twice": "${input.n * 2}"}, "timeout": "40s"});
    let graph = one_task(client, "done", settings).await;
    let name = workflows::start(client, &graph, json!({"n": 21})).await;
    let waits = TaskQueue { queue: "done".into(), waiting_count: 1, ..TaskQueue::default() };
    assert_eq!(queues(client).await, std::slice::from_ref(&waits), "nobody serves it yet");
    let labelled = WorkerOpen {
        display_name: "one".into(),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        ..open(PROJECT, "done", 3)
    };
    let mut worker = Worker::attach(client, labelled).await.expect("it may attach");
    assert!(!worker.opened.resumed && worker.opened.worker.starts_with("projects/p/workers/"));
    let task = worker.task().await;
    let step = &workflows::steps(client, &name).await[1];
    assert_eq!((&task.execution, &task.step, &task.idempotency_key), (&name, &step.name, &step.uid));
    assert_eq!((task.attempt, &*task.queue, step.state()), (1, "done", StepState::Running));
    assert_eq!(workflows::value(task.input.as_ref()), json!({"twice": 42}));
    assert_eq!(task.timeout.as_ref().map(|timeout| timeout.seconds), Some(40));

    let progress = TaskProgress { token: task.token.clone(), fraction: 0.5, message: "half of it".into() };
    worker.say(Action::Heartbeat(WorkerHeartbeat { progress: vec![progress] })).await;
    worker.is_given_nothing().await;
    let shown = listed(client, "done").await;
    assert_eq!(shown.len(), 1);
    let shown = &shown[0];
    assert_eq!((&shown.name, &*shown.display_name), (&worker.opened.worker, "one"));
    assert_eq!((shown.state(), shown.slot_count, shown.task_count), (WorkerState::Attached, 3, 1));
    assert_eq!((&*shown.labels["zone"], &shown.queues), ("a", &vec!["done".to_owned()]));
    let of_worker = &shown.tasks[0];
    assert_eq!((&of_worker.step, of_worker.progress), (&task.step, 0.5));
    assert_eq!(of_worker.progress_message, "half of it");
    let at_work = TaskQueue { waiting_count: 0, working_count: 1, worker_count: 1, slot_count: 3, ..waits };
    assert_eq!(queues(client).await, [at_work]);
    assert!(listed(client, "others").await.is_empty());

    assert_eq!(worker.end(gives(&task.token, &json!({"sum": 42}))).await, TaskDisposition::Recorded);
    let ended = workflows::ended(client, &name).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded);
    assert_eq!(workflows::value(ended.output.as_ref()), json!({"sum": 42}));
    // Once is enough: what is said again, or made up, counts for nothing and ends nothing.
    assert_eq!(worker.end(gives(&task.token, &json!(1))).await, TaskDisposition::Stale);
    for token in ["nonsense", "7f.1.0.0", "ffffffffffffffffffff.1.0.0"] {
        assert_eq!(worker.end(gives(token, &json!(1))).await, TaskDisposition::Stale, "{token}");
    }
    // Over REST the same is seen.
    let shown = client.rest("GET /v1/projects/p/workers?queue=done", None).await.json();
    assert_eq!(shown["workers"][0]["displayName"], "one", "{shown}");
    drop(worker);
    until_workers(client, "done", <[_]>::is_empty).await;
    assert!(queues(client).await.is_empty(), "nobody has to do with it any more");
    let shown = client.rest("GET /v1/projects/p/taskQueues", None).await.json();
    assert_eq!(shown, json!({}));
}

async fn a_failure_is_tried_again_or_not(client: &Client) {
    let settings = json!({"retry": {"attempts": 2, "first": "10ms"}});
    let graph = one_task(client, "fails", settings).await;
    let mut worker = attach(client, "fails", 1).await;
    let name = workflows::start(client, &graph, json!({})).await;
    let first = worker.task().await;
    worker.end(fails(&first.token, "BUSY", true)).await;
    let second = worker.task().await;
    assert_eq!(second.idempotency_key, first.idempotency_key);
    assert_eq!((second.attempt, second.token == first.token), (2, false));
    assert_eq!(worker.end(gives(&first.token, &json!(1))).await, TaskDisposition::Stale, "it is over");
    worker.end(fails(&second.token, "BUSY", true)).await;
    let ended = workflows::ended(client, &name).await;
    assert_eq!((ended.state(), &*ended.error.unwrap().reason), (ExecutionState::Failed, "BUSY"));

    let name = workflows::start(client, &graph, json!({})).await;
    let task = worker.task().await;
    worker.end(fails(&task.token, "", false)).await;
    let ended = workflows::ended(client, &name).await;
    assert_eq!(ended.error.unwrap().reason, "TASK_FAILED");
    // What is too large, or nested too deep, is what it is for every step.
    let name = workflows::start(client, &graph, json!({})).await;
    let task = worker.task().await;
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    worker.end(gives(&task.token, &deep)).await;
    let ended = workflows::ended(client, &name).await;
    assert_eq!(ended.error.unwrap().reason, "VALUE_TOO_DEEP");
}

async fn what_is_cancelled_is_stopped(client: &Client) {
    let graph = one_task(client, "cancelled", json!({})).await;
    let mut worker = attach(client, "cancelled", 1).await;
    let name = workflows::start(client, &graph, json!({})).await;
    let task = worker.task().await;
    let waits = workflows::start(client, &graph, json!({})).await;
    client.executions().cancel_execution(CancelExecutionRequest { name: name.clone() }).await.unwrap();
    assert_eq!(worker.stop().await, (task.token.clone(), TaskStopReason::Cancelled));
    assert_eq!(workflows::ended(client, &name).await.state(), ExecutionState::Cancelled);
    // Until it has stopped, its slot is taken.
    worker.is_given_nothing().await;
    assert_eq!(worker.end(fails(&task.token, "STOPPED", false)).await, TaskDisposition::Stale);
    let next = worker.task().await;
    assert_eq!(next.execution, waits);
    // What is terminated is left alone.
    let terminate = weft_proto::weft::execution::v1::TerminateExecutionRequest { name: waits };
    client.executions().terminate_execution(terminate).await.unwrap();
    worker.is_given_nothing().await;
    assert_eq!(worker.end(gives(&next.token, &json!(1))).await, TaskDisposition::Stale);
    // What waits and is not wanted any more is never given out.
    let graph = one_task(client, "never", json!({})).await;
    let name = workflows::start(client, &graph, json!({})).await;
    client.executions().cancel_execution(CancelExecutionRequest { name }).await.unwrap();
    let mut worker = attach(client, "never", 1).await;
    worker.is_given_nothing().await;
}

async fn what_takes_too_long_is_stopped(client: &Client) {
    let settings = json!({"timeout": "300ms", "retry": {"attempts": 2, "first": "10ms"}});
    let graph = one_task(client, "late", settings).await;
    let mut worker = attach(client, "late", 2).await;
    let name = workflows::start(client, &graph, json!({})).await;
    let first = worker.task().await;
    assert_eq!(worker.stop().await, (first.token.clone(), TaskStopReason::TimedOut));
    let second = worker.task().await;
    assert_eq!((second.attempt, &second.idempotency_key), (2, &first.idempotency_key));
    assert_eq!(worker.end(gives(&first.token, &json!("late"))).await, TaskDisposition::Stale);
    assert_eq!(worker.end(gives(&second.token, &json!("in time"))).await, TaskDisposition::Recorded);
    let ended = workflows::ended(client, &name).await;
    assert_eq!(workflows::value(ended.output.as_ref()), json!("in time"));
}

async fn slots_and_limits_hold(client: &Client) {
    let graph = one_task(client, "slots", json!({"limit": {"at_once": 3, "key": "input.who"}})).await;
    let mut worker = attach(client, "slots", 2).await;
    for who in ["a", "a", "a", "a", "a", "b"] {
        workflows::start(client, &graph, json!({"who": who})).await;
    }
    let who = |task: &weft_proto::weft::execution::v1::Task| {
        workflows::value(task.input.as_ref())["who"].as_str().unwrap().to_owned()
    };
    let mut tasks = vec![worker.task().await, worker.task().await];
    worker.is_given_nothing().await;
    worker.say(Action::Slots(WorkerSlots { slot_count: 10 })).await;
    tasks.extend([worker.task().await, worker.task().await]);
    worker.is_given_nothing().await;
    let whose: Vec<_> = tasks.iter().map(&who).collect();
    assert_eq!(whose.iter().filter(|who| *who == "a").count(), 3, "{whose:?}");
    // A place that is free is taken by the next; with no slots nothing is.
    worker.say(Action::Slots(WorkerSlots { slot_count: 0 })).await;
    for task in tasks.drain(..) {
        worker.end(gives(&task.token, &json!(1))).await;
    }
    worker.is_given_nothing().await;
    worker.say(Action::Slots(WorkerSlots { slot_count: 10 })).await;
    let last = [worker.task().await, worker.task().await];
    assert_eq!(last.each_ref().map(who), ["a", "a"]);
    for task in last {
        worker.end(gives(&task.token, &json!(1))).await;
    }
    // Two workers share.
    let graph = one_task(client, "shared", json!({})).await;
    let (mut one, mut other) = (attach(client, "shared", 2).await, attach(client, "shared", 2).await);
    for _ in 0..4 {
        workflows::start(client, &graph, json!({})).await;
    }
    let mut steps = BTreeSet::new();
    for worker in [&mut one, &mut other] {
        for _ in 0..2 {
            let task = worker.task().await;
            assert!(steps.insert(task.step), "it was given to both");
            worker.end(gives(&task.token, &json!(1))).await;
        }
    }
}

async fn who_leaves_ends_what_it_has(client: &Client) {
    let graph = one_task(client, "leaves", json!({})).await;
    let mut worker = attach(client, "leaves", 2).await;
    let name = workflows::start(client, &graph, json!({})).await;
    let task = worker.task().await;
    worker.say(Action::Leave(WorkerLeave {})).await;
    until_workers(client, "leaves", |all| all[0].state() == WorkerState::Leaving).await;
    let later = workflows::start(client, &graph, json!({})).await;
    worker.is_given_nothing().await;
    worker.results(vec![gives(&task.token, &json!(1))]).await;
    worker.end_of_stream().await.expect("it is let go");
    assert_eq!(workflows::ended(client, &name).await.state(), ExecutionState::Succeeded);
    until_workers(client, "leaves", <[_]>::is_empty).await;
    let mut worker = attach(client, "leaves", 2).await;
    assert_eq!(worker.task().await.execution, later);
}

async fn a_stream_ends_with_its_credential(client: &Client) {
    let key = client.short_key(PROJECT, Role::Operator, Duration::from_secs(2)).await;
    let operator = client.as_other(Some(&key));
    let graph = one_task(client, "short", json!({})).await;
    let mut worker = Worker::attach(&operator, open(PROJECT, "short", 1)).await.expect("it may still");
    let name = workflows::start(client, &graph, json!({})).await;
    let task = worker.task().await;
    refused(worker.end_of_stream().await).is(Code::Unavailable, "COME_BACK", "");
    let again = WorkerOpen {
        session: worker.opened.session.clone(),
        tokens: vec![task.token.clone()],
        ..open(PROJECT, "short", 1)
    };
    let refusal = refused(Worker::attach(&operator, again.clone()).await.map(|_| ()));
    assert_eq!(refusal.code, Code::Unauthenticated, "{refusal:?}");
    // With another one it is the same worker, and has what it had.
    let mut worker = Worker::attach(client, again).await.expect("it may");
    assert!(worker.opened.resumed);
    assert_eq!(worker.end(gives(&task.token, &json!(1))).await, TaskDisposition::Recorded);
    assert_eq!(workflows::ended(client, &name).await.state(), ExecutionState::Succeeded);
}

async fn what_is_wrong_is_refused(client: &Client) {
    let attach =
        async |client: &Client, open: WorkerOpen| refused(Worker::attach(client, open).await.map(|_| ()));
    for (open, field) in [
        (open("projects/P", "q", 1), "open.parent"),
        (open(PROJECT, "Q!", 1), "open.queues[0]"),
        (open(PROJECT, "q", 0), "open.slot_count"),
        (open(PROJECT, "q", 100_000), "open.slot_count"),
        (WorkerOpen { session: "mine".into(), ..open(PROJECT, "q", 1) }, "open.session"),
        (WorkerOpen { queues: Vec::new(), ..open(PROJECT, "q", 1) }, "open.queues"),
    ] {
        let refusal = attach(client, open).await;
        assert_eq!(
            (refusal.code, refusal.fields.first().map(String::as_str)),
            (Code::InvalidArgument, Some(field))
        );
    }
    let viewer = client.as_other(Some(&client.new_key(PROJECT, Role::Viewer, &[]).await));
    let operator = client.as_other(Some(&client.new_key(PROJECT, Role::Operator, &[]).await));
    let narrow = client.as_other(Some(&client.new_key(PROJECT, Role::Operator, &["execution.read"]).await));
    for who in [&viewer, &narrow] {
        let refusal = attach(who, open(PROJECT, "q", 1)).await;
        assert_eq!(refusal.code, Code::PermissionDenied, "{refusal:?}");
    }
    let refusal = attach(&operator, open("projects/other", "q", 1)).await;
    assert_eq!(refusal.code, Code::PermissionDenied, "{refusal:?}");
    listed(&viewer, "").await;
    refused_rest(&operator.rest("GET /v1/projects/other/workers", None).await, 403);

    let mut worker = Worker::attach(&operator, open(PROJECT, "q", 1)).await.expect("an operator may");
    worker.say(Action::Open(open(PROJECT, "q", 1))).await;
    refused(worker.end_of_stream().await).is(Code::InvalidArgument, "OUT_OF_TURN", "");
    let mut worker = Worker::attach(&operator, open(PROJECT, "q", 1)).await.expect("an operator may");
    worker.say(Action::Slots(WorkerSlots { slot_count: -1 })).await;
    let refusal = refused(worker.end_of_stream().await);
    assert_eq!(refusal.fields, ["slots.slot_count"], "{refusal:?}");
    // The second time with a session takes the place of the first.
    let mut worker = Worker::attach(&operator, open(PROJECT, "q", 1)).await.expect("an operator may");
    let again = WorkerOpen { session: worker.opened.session.clone(), ..open(PROJECT, "q", 1) };
    let second = Worker::attach(&operator, again).await.expect("an operator may");
    assert!(second.opened.resumed && second.opened.worker == worker.opened.worker);
    refused(worker.end_of_stream().await).is(Code::Aborted, "WORKER_REPLACED", "");
    // A queue that is none is found when the workflow is saved.
    let changes = vec![node("start", "input", json!({})), node("do", "task", json!({"queue": "No!"}))];
    let graph = workflows::create(client, "wrong", changes).await;
    let refusal = refused(client.executions().create_execution(workflows::request(&graph, json!({}))).await);
    assert_eq!(refusal.reason, "WORKFLOW_INVALID");
    assert!(refusal.fields.iter().any(|field| field == "do.queue"), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_had_is_its_own_for_a_while_and_then_others() {
    let mesh = Mesh::with(|config| {
        config.execution.worker_grace = Duration::from_secs(1);
        config.execution.worker_heartbeat = Duration::from_millis(300);
        config.execution.max_workers_per_project = 3;
    })
    .await;
    let client = mesh.client();
    who_comes_back_goes_on(&client).await;
    what_is_lost_is_done_by_others(&client).await;
    who_takes_workers_down_fails(&client).await;
    who_reads_nothing_is_let_go(&client).await;
    no_more_than_so_many(&client).await;
    mesh.stop_unhurt().await;
}

async fn who_comes_back_goes_on(client: &Client) {
    let graph = one_task(client, "back", json!({})).await;
    let mut worker = attach(client, "back", 3).await;
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(workflows::start(client, &graph, json!({})).await);
    }
    let tasks = [worker.task().await, worker.task().await, worker.task().await];
    let session = worker.opened.session.clone();
    drop(worker);
    until_workers(client, "back", |all| all[0].state() == WorkerState::Away).await;
    // It has two of them still; the third never reached it.
    let tokens = vec![tasks[0].token.clone(), tasks[1].token.clone(), "1.2.3.4".to_owned()];
    let again = WorkerOpen { session, tokens, ..open(PROJECT, "back", 3) };
    let mut worker = Worker::attach(client, again).await.expect("it comes back");
    assert!(worker.opened.resumed);
    assert_eq!(worker.settled().await, ("1.2.3.4".to_owned(), TaskDisposition::Stale));
    let third = worker.task().await;
    assert_eq!((&third.token, third.attempt), (&tasks[2].token, 1), "it is given again");
    for task in &tasks {
        assert_eq!(worker.end(gives(&task.token, &json!(7))).await, TaskDisposition::Recorded);
    }
    for name in &names {
        assert_eq!(workflows::ended(client, name).await.state(), ExecutionState::Succeeded);
    }
}

async fn what_is_lost_is_done_by_others(client: &Client) {
    let graph = one_task(client, "lost", json!({})).await;
    let mut first = attach(client, "lost", 1).await;
    let name = workflows::start(client, &graph, json!({})).await;
    let later = workflows::start(client, &graph, json!({})).await;
    let task = first.task().await;
    // It is silent: nothing is heard of it, and nothing ends its connection.
    let mut second = attach(client, "lost", 1).await;
    let of_second = second.task().await;
    assert_eq!(of_second.execution, later);
    second.end(gives(&of_second.token, &json!(2))).await;
    let beats = async {
        loop {
            second.say(Action::Heartbeat(WorkerHeartbeat::default())).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let silent = async {
        refused(first.end_of_stream().await).is(Code::Unavailable, "NO_HEARTBEAT", "");
        until_workers(client, "lost", |all| all.len() == 1).await;
    };
    tokio::select! {
        () = beats => unreachable!("it goes on"),
        () = silent => {}
    }
    let again = second.task().await;
    assert_eq!((&again.execution, again.attempt), (&name, 1));
    assert_eq!((&again.token, &again.idempotency_key), (&task.token, &task.idempotency_key));
    // The first one comes back too late: it is told so, and what it says counts for nothing.
    let opens = WorkerOpen {
        session: first.opened.session.clone(),
        tokens: vec![task.token.clone()],
        ..open(PROJECT, "lost", 1)
    };
    let mut first = Worker::attach(client, opens).await.expect("it may come again");
    assert!(!first.opened.resumed);
    assert_eq!(first.settled().await, (task.token.clone(), TaskDisposition::Stale));
    assert_eq!(first.end(gives(&task.token, &json!("first"))).await, TaskDisposition::Stale);
    assert_eq!(second.end(gives(&again.token, &json!("second"))).await, TaskDisposition::Recorded);
    let ended = workflows::ended(client, &name).await;
    assert_eq!(workflows::value(ended.output.as_ref()), json!("second"));
    // One that comes back late, and whose task nobody has begun, keeps it.
    drop(second);
    let is_there = |worker: &&Shown| worker.state() == WorkerState::Attached;
    until_workers(client, "lost", |all| all.iter().filter(is_there).count() == 1).await;
    let name = workflows::start(client, &graph, json!({})).await;
    let task = first.task().await;
    drop(first);
    until_workers(client, "lost", <[_]>::is_empty).await;
    let opens = WorkerOpen { tokens: vec![task.token.clone()], ..open(PROJECT, "lost", 1) };
    let mut worker = Worker::attach(client, opens).await.expect("it may come again");
    assert_eq!(worker.end(gives(&task.token, &json!("kept"))).await, TaskDisposition::Recorded);
    let ended = workflows::ended(client, &name).await;
    assert_eq!(workflows::value(ended.output.as_ref()), json!("kept"));
}

async fn who_takes_workers_down_fails(client: &Client) {
    let graph = one_task(client, "poison", json!({"retry": {"attempts": 1}})).await;
    let name = workflows::start(client, &graph, json!({})).await;
    for _ in 0..3 {
        let mut worker = attach(client, "poison", 1).await;
        worker.task().await;
        drop(worker);
        until_workers(client, "poison", <[_]>::is_empty).await;
    }
    let ended = workflows::ended(client, &name).await;
    assert_eq!(ended.error.expect("it failed").reason, "WORKER_LOST");
    assert!(queues(client).await.is_empty());
}

async fn who_reads_nothing_is_let_go(client: &Client) {
    let graph = one_task(client, "unread", json!({})).await;
    let deaf = attach(&client.apart(), "unread", 50).await;
    let say = deaf.say.clone();
    let mut beats = tokio::task::JoinSet::new();
    beats.spawn(async move {
        let beat = AttachWorkerRequest { action: Some(Action::Heartbeat(WorkerHeartbeat::default())) };
        // It lives, until it is let go.
        while say.send(beat.clone()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut names = Vec::new();
    for _ in 0..30 {
        names.push(workflows::start(client, &graph, json!({"text": "x".repeat(500_000)})).await);
    }
    until_workers(client, "unread", <[_]>::is_empty).await;
    let mut worker = attach(client, "unread", 50).await;
    for _ in &names {
        let task = worker.task().await;
        worker.results(vec![gives(&task.token, &json!(1))]).await;
    }
    for name in &names {
        assert_eq!(workflows::ended(client, name).await.state(), ExecutionState::Succeeded);
    }
    drop(deaf);
}

async fn no_more_than_so_many(client: &Client) {
    until_workers(client, "", <[_]>::is_empty).await;
    let three = [attach(client, "q", 1).await, attach(client, "q", 1).await, attach(client, "q", 1).await];
    let refusal = refused(Worker::attach(client, open(PROJECT, "q", 1)).await.map(|_| ()));
    refusal.is(Code::ResourceExhausted, "TOO_MANY_WORKERS", "");
    // One by one, in pages.
    let mut request = ListWorkersRequest { parent: PROJECT.into(), page_size: 2, ..Default::default() };
    let page = client.workers().list_workers(request.clone()).await.expect("a page").into_inner();
    request.page_token = page.next_page_token.clone();
    let rest = client.workers().list_workers(request).await.expect("a page").into_inner();
    let all: BTreeSet<_> = page.workers.iter().chain(&rest.workers).map(|worker| &worker.name).collect();
    assert_eq!((all.len(), page.workers.len(), rest.next_page_token.as_str()), (3, 2, ""));
    drop(three);
}
