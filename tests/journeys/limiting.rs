//! Limits of whole runs: by key, changed while runs run, for those that run already, with everything that may become of a
//! run that waits.

use serde_json::json;
use tonic::Code;
use weft_proto::weft::{
    execution::v1::{
        CancelExecutionRequest, CreateRunLimitRequest, DeleteRunLimitRequest, Execution, ExecutionPriority,
        ExecutionState, GetExecutionRequest, GetRunLimitRequest, ListExecutionsRequest, ListRunLimitsRequest,
        PauseExecutionRequest, ResumeExecutionRequest, RetryExecutionRequest, RunLimit, RunLimitOverflow,
        RunRate, SignalExecutionRequest, UpdateRunLimitRequest,
    },
    identity::v1::Role,
};
use weft_tests::{
    client::Client,
    mesh::Mesh,
    refused::refused,
    workflows::{self, node, way},
};

/// A workflow that waits for the signal `go`.
const GRAPH: &str = "projects/p/graphs/held";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_keep_to_their_limits_and_limits_are_changed_while_they_run() {
    let mesh = Mesh::with(|_| {}).await;
    let client = mesh.client();
    let changes = vec![
        node("start", "input", json!({})),
        node("go", "signal", json!({"signal": "go"})),
        node("end", "output", json!({})),
        way("start", "", "go"),
        way("go", "", "end"),
    ];
    assert_eq!(workflows::create(&client, "held", changes).await, GRAPH);
    by_key_and_changed(&client).await;
    counts_what_runs_already(&client).await;
    skips_and_replaces(&client).await;
    keeps_to_a_rate(&client).await;
    is_held_retried_and_timed_out(&client).await;
    counts_once_what_ends_and_is_retried(&client).await;
    is_refused_what_is_wrong(&client).await;
    who_may(&client).await;
    mesh.stop_unhurt().await;
}

async fn create(client: &Client, id: &str, limit: RunLimit) -> RunLimit {
    let request = CreateRunLimitRequest {
        parent: "projects/p".into(),
        run_limit_id: id.into(),
        run_limit: Some(RunLimit { graph: GRAPH.into(), ..limit }),
        ..CreateRunLimitRequest::default()
    };
    client.executions().create_run_limit(request).await.expect("it is right").into_inner()
}

async fn update(client: &Client, limit: RunLimit) -> RunLimit {
    let request = UpdateRunLimitRequest { run_limit: Some(limit), update_mask: None };
    client.executions().update_run_limit(request).await.expect("it is right").into_inner()
}

async fn delete(client: &Client, limit: &RunLimit) {
    let request = DeleteRunLimitRequest { name: limit.name.clone(), etag: String::new() };
    client.executions().delete_run_limit(request).await.expect("it is there");
}

async fn counts(client: &Client, limit: &RunLimit) -> (i32, i32) {
    let request = GetRunLimitRequest { name: limit.name.clone() };
    let limit = client.executions().get_run_limit(request).await.expect("it is there").into_inner();
    (limit.running_count, limit.waiting_count)
}

async fn start(client: &Client, customer: &str) -> Execution {
    let request = workflows::request(GRAPH, json!({"customer": customer}));
    client.executions().create_execution(request).await.expect("it is accepted").into_inner()
}

async fn get(client: &Client, run: &Execution) -> Execution {
    let request = GetExecutionRequest { name: run.name.clone() };
    client.executions().get_execution(request).await.expect("it is there").into_inner()
}

/// Waits until a run is at work.
async fn runs(client: &Client, run: &Execution) {
    workflows::watch(client, &run.name, |run, _| run.state() == ExecutionState::Running).await;
}

/// Lets a run go to its end.
async fn finish(client: &Client, run: &Execution) {
    let request =
        SignalExecutionRequest { name: run.name.clone(), signal: "go".into(), ..Default::default() };
    client.executions().signal_execution(request).await.expect("it has not ended");
    let ended = workflows::ended(client, &run.name).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
}

async fn by_key_and_changed(client: &Client) {
    let one = RunLimit { key: "input.customer".into(), max_concurrent: 1, ..RunLimit::default() };
    let limit = create(client, "per-customer", one).await;
    let (ada, late, last) =
        (start(client, "ada").await, start(client, "ada").await, start(client, "ada").await);
    let bob = start(client, "bob").await;
    let states = [&ada, &late, &last, &bob].map(Execution::state);
    let (running, queued) = (ExecutionState::Running, ExecutionState::Queued);
    assert_eq!(states, [running, queued, queued, running]);
    let wait = last.wait.clone().expect("it says why");
    assert_eq!((wait.run_limit.as_str(), wait.key.as_str(), wait.position), (&limit.name[..], "ada", 2));
    assert_eq!(wait.start_time, None);
    assert_eq!(counts(client, &limit).await, (2, 2));
    let list = ListExecutionsRequest {
        parent: "projects/p".into(),
        filter: "state = queued".into(),
        ..ListExecutionsRequest::default()
    };
    let listed = client.executions().list_executions(list).await.expect("it answers").into_inner().executions;
    let waits = listed.iter().map(|run| (run.name.as_str(), run.wait.as_ref().map(|wait| wait.position)));
    assert_eq!(waits.collect::<Vec<_>>(), [(&last.name[..], Some(2)), (&late.name[..], Some(1))]);

    // One that is urgent passes those that wait, and is cancelled in the queue.
    let mut urgent = workflows::request(GRAPH, json!({"customer": "ada"}));
    urgent.execution.as_mut().expect("it has one").set_priority(ExecutionPriority::High);
    let urgent = client.executions().create_execution(urgent).await.expect("it is accepted").into_inner();
    assert_eq!(urgent.wait.as_ref().map(|wait| wait.position), Some(1));
    let cancel = CancelExecutionRequest { name: urgent.name.clone() };
    let cancelled = client.executions().cancel_execution(cancel).await.expect("it waits").into_inner();
    assert_eq!(cancelled.state(), ExecutionState::Cancelled);

    finish(client, &ada).await;
    runs(client, &late).await;
    assert_eq!(get(client, &last).await.wait.map(|wait| wait.position), Some(1));
    // More may run: those that wait begin, and nothing was started again.
    let more = RunLimit { name: limit.name.clone(), max_concurrent: 2, ..RunLimit::default() };
    let changed = update(client, more).await;
    assert_eq!((changed.max_concurrent, &changed.key[..]), (2, "input.customer"));
    runs(client, &last).await;
    // Fewer may: what runs goes on, and nothing begins.
    update(client, RunLimit { name: limit.name.clone(), max_concurrent: 1, ..RunLimit::default() }).await;
    let next = start(client, "ada").await;
    finish(client, &late).await;
    assert_eq!(get(client, &next).await.state(), queued);
    delete(client, &limit).await;
    runs(client, &next).await;
    for run in [&last, &bob, &next] {
        finish(client, run).await;
    }
}

async fn counts_what_runs_already(client: &Client) {
    let (first, second) = (start(client, "ada").await, start(client, "bob").await);
    let one = RunLimit { key: "input.customer".into(), max_concurrent: 1, ..RunLimit::default() };
    let limit = create(client, "later", one).await;
    assert_eq!(counts(client, &limit).await, (2, 0));
    let third = start(client, "ada").await;
    assert_eq!(third.state(), ExecutionState::Queued);
    // A second limit is in the way of the one that waits, too.
    let all = create(client, "all", RunLimit { max_concurrent: 1, ..RunLimit::default() }).await;
    assert_eq!(counts(client, &all).await, (2, 1));
    finish(client, &first).await;
    assert_eq!(get(client, &third).await.wait.expect("it waits").run_limit, all.name);
    finish(client, &second).await;
    runs(client, &third).await;
    finish(client, &third).await;
    delete(client, &limit).await;
    delete(client, &all).await;
}

async fn skips_and_replaces(client: &Client) {
    let skip = RunLimit { max_concurrent: 1, overflow: RunLimitOverflow::Skip.into(), ..RunLimit::default() };
    let limit = create(client, "skip", skip).await;
    let first = start(client, "ada").await;
    let second = start(client, "ada").await;
    assert_eq!(second.state(), ExecutionState::Cancelled);
    let second = get(client, &second).await;
    assert_eq!(second.error.as_ref().map(|error| error.reason.as_str()), Some("RUN_LIMIT_REACHED"));
    let retry = RetryExecutionRequest { name: second.name.clone(), ..RetryExecutionRequest::default() };
    refused(client.executions().retry_execution(retry.clone()).await).is(
        Code::FailedPrecondition,
        "RUN_LIMIT_REACHED",
        "",
    );
    let replace = RunLimitOverflow::Replace.into();
    update(client, RunLimit { name: limit.name.clone(), overflow: replace, ..RunLimit::default() }).await;
    let third = start(client, "ada").await;
    runs(client, &third).await;
    let first = get(client, &first).await;
    let reason = first.error.as_ref().map(|error| error.reason.as_str());
    assert_eq!((first.state(), reason), (ExecutionState::Cancelled, Some("RUN_LIMIT_REPLACED")));
    // What was dropped can be retried, and then takes its turn like any other.
    client.executions().retry_execution(retry).await.expect("it may begin");
    runs(client, &second).await;
    assert_eq!(workflows::ended(client, &third.name).await.state(), ExecutionState::Cancelled);
    finish(client, &second).await;
    delete(client, &limit).await;
}

async fn keeps_to_a_rate(client: &Client) {
    let hour = Some(prost_types::Duration { seconds: 3_600, nanos: 0 });
    let rate = Some(RunRate { starts: 2, interval: hour, burst: 2 });
    let limit = create(client, "rate", RunLimit { rate, ..RunLimit::default() }).await;
    let begun = [start(client, "ada").await, start(client, "ada").await];
    assert!(begun.iter().all(|run| run.state() == ExecutionState::Running));
    let third = start(client, "ada").await;
    let at = third.wait.as_ref().expect("it waits").start_time.expect("the rate says when");
    let seconds = at.seconds - begun[0].create_time.as_ref().expect("it has one").seconds;
    assert!((1_795..=1_801).contains(&seconds), "{seconds}");
    // The start that has been counted stays counted, the next one is due a second after it.
    let second = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let rate = Some(RunRate { starts: 1, interval: second, burst: 1 });
    update(client, RunLimit { name: limit.name.clone(), rate, ..RunLimit::default() }).await;
    runs(client, &third).await;
    for run in begun.iter().chain([&third]) {
        finish(client, run).await;
    }
    delete(client, &limit).await;
}

async fn is_held_retried_and_timed_out(client: &Client) {
    let limit = create(client, "held", RunLimit { max_concurrent: 1, ..RunLimit::default() }).await;
    let first = start(client, "ada").await;
    let (second, third) = (start(client, "ada").await, start(client, "ada").await);
    // Paused in the queue, it is passed over, and goes on waiting afterwards.
    let pause = PauseExecutionRequest { name: second.name.clone() };
    client.executions().pause_execution(pause).await.expect("it waits");
    let retry = RetryExecutionRequest { name: second.name.clone(), from_step: 1, ..Default::default() };
    refused(client.executions().retry_execution(retry).await).is(Code::FailedPrecondition, "WRONG_STATE", "");
    finish(client, &first).await;
    runs(client, &third).await;
    let resume = ResumeExecutionRequest { name: second.name.clone() };
    let resumed = client.executions().resume_execution(resume).await.expect("it is paused").into_inner();
    assert_eq!((resumed.state(), resumed.wait.map(|wait| wait.position)), (ExecutionState::Queued, Some(1)));
    // A place is kept in a pause.
    let pause = PauseExecutionRequest { name: third.name.clone() };
    client.executions().pause_execution(pause).await.expect("it runs");
    assert_eq!(get(client, &second).await.state(), ExecutionState::Queued);
    // What has ended and goes on waits like what comes.
    let retry = RetryExecutionRequest { name: first.name.clone(), from_step: 1, ..Default::default() };
    let again = client.executions().retry_execution(retry).await.expect("it has ended").into_inner();
    assert_eq!((again.state(), again.wait.map(|wait| wait.position)), (ExecutionState::Queued, Some(2)));
    // Waiting counts for the time that a run may take.
    let mut short = workflows::request(GRAPH, json!({}));
    let timeout = Some(prost_types::Duration { seconds: 0, nanos: 20_000_000 });
    short.execution.as_mut().expect("it has one").timeout = timeout;
    let short = client.executions().create_execution(short).await.expect("it is accepted").into_inner();
    let ended = workflows::ended(client, &short.name).await;
    assert_eq!(ended.error.map(|error| error.reason).as_deref(), Some("TIMEOUT"));
    let cancel = CancelExecutionRequest { name: third.name.clone() };
    client.executions().cancel_execution(cancel).await.expect("it is paused");
    runs(client, &second).await;
    finish(client, &second).await;
    runs(client, &first).await;
    finish(client, &first).await;
    assert_eq!(counts(client, &limit).await, (0, 0));
    delete(client, &limit).await;
}

async fn counts_once_what_ends_and_is_retried(client: &Client) {
    let limit = create(client, "again", RunLimit { max_concurrent: 1, ..RunLimit::default() }).await;
    let run = start(client, "ada").await;
    let retry = RetryExecutionRequest { name: run.name.clone(), from_step: 1, ..Default::default() };
    for _ in 0..20 {
        // Often in one round of the engine.
        let cancel = CancelExecutionRequest { name: run.name.clone() };
        let (mut canceller, mut retrier) = (client.executions(), client.executions());
        let (cancelled, retried) =
            tokio::join!(canceller.cancel_execution(cancel), retrier.retry_execution(retry.clone()));
        cancelled.expect("it is there");
        if retried.is_err() {
            client.executions().retry_execution(retry.clone()).await.expect("it has ended");
        }
        assert_eq!(counts(client, &limit).await, (1, 0));
    }
    finish(client, &run).await;
    assert_eq!(counts(client, &limit).await, (0, 0));
    // A queue that a changed limit leaves is not cancelled for one that comes.
    let runs_now = start(client, "ada").await;
    let queue = [start(client, "ada").await, start(client, "ada").await, start(client, "ada").await];
    let replace = RunLimitOverflow::Replace.into();
    update(client, RunLimit { name: limit.name.clone(), overflow: replace, ..RunLimit::default() }).await;
    let newest = start(client, "ada").await;
    assert_eq!(workflows::ended(client, &runs_now.name).await.state(), ExecutionState::Cancelled);
    for run in &queue {
        runs(client, run).await;
        finish(client, run).await;
    }
    runs(client, &newest).await;
    finish(client, &newest).await;
    delete(client, &limit).await;
}

async fn is_refused_what_is_wrong(client: &Client) {
    let request = |id: &str, limit: RunLimit| CreateRunLimitRequest {
        parent: "projects/p".into(),
        run_limit_id: id.into(),
        run_limit: Some(limit),
        ..CreateRunLimitRequest::default()
    };
    let one = RunLimit { max_concurrent: 1, ..RunLimit::default() };
    let bad = request("bad", RunLimit { key: "input.(".into(), ..one.clone() });
    let refusal = refused(client.executions().create_run_limit(bad).await);
    assert_eq!(
        (refusal.code, &refusal.fields[..]),
        (Code::InvalidArgument, &["run_limit.key".to_owned()][..])
    );
    let refusal = refused(client.executions().create_run_limit(request("bad", RunLimit::default())).await);
    assert_eq!(refusal.fields, ["run_limit.max_concurrent"]);
    let mut once = request("once", one.clone());
    once.request_id = "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1c01".into();
    let made = client.executions().create_run_limit(once.clone()).await.expect("it is right").into_inner();
    let again =
        client.executions().create_run_limit(once.clone()).await.expect("it is a repeat").into_inner();
    assert_eq!(again.uid, made.uid);
    let taken = client.executions().create_run_limit(request("once", one.clone())).await;
    refused(taken).is(Code::AlreadyExists, "RUN_LIMIT_ALREADY_EXISTS", "");
    let etag = "7".to_owned();
    let stale = RunLimit { name: made.name.clone(), max_concurrent: 5, etag, ..RunLimit::default() };
    let request = UpdateRunLimitRequest { run_limit: Some(stale), update_mask: None };
    refused(client.executions().update_run_limit(request).await).is(Code::Aborted, "ETAG_MISMATCH", "");
    let other = RunLimit { name: made.name.clone(), key: "input.a".into(), ..RunLimit::default() };
    let request = UpdateRunLimitRequest { run_limit: Some(other), update_mask: None };
    assert_eq!(
        refused(client.executions().update_run_limit(request.clone()).await).fields,
        ["run_limit.key"]
    );
    let update_mask = Some(prost_types::FieldMask { paths: vec!["*".into()] });
    let request = UpdateRunLimitRequest { update_mask, ..request };
    assert_eq!(refused(client.executions().update_run_limit(request).await).fields, ["run_limit.key"]);
    delete(client, &made).await;
    let gone = GetRunLimitRequest { name: made.name.clone() };
    refused(client.executions().get_run_limit(gone).await).is(Code::NotFound, "RUN_LIMIT_NOT_FOUND", "");
}

async fn who_may(client: &Client) {
    let limit = create(client, "mine", RunLimit { max_concurrent: 1, ..RunLimit::default() }).await;
    let viewer = client.as_other(Some(&client.new_key("projects/p", Role::Viewer, &[]).await));
    let other = client.as_other(Some(&client.new_key("projects/other", Role::Admin, &[]).await));
    let list = || ListRunLimitsRequest { parent: "projects/p".into(), ..ListRunLimitsRequest::default() };
    let seen = viewer.executions().list_run_limits(list()).await.expect("a viewer may look").into_inner();
    assert_eq!(seen.run_limits.iter().map(|limit| &limit.name).collect::<Vec<_>>(), [&limit.name]);
    assert!(other.executions().list_run_limits(list()).await.is_err());
    for who in [&viewer, &other] {
        let request = DeleteRunLimitRequest { name: limit.name.clone(), etag: String::new() };
        let refusal = refused(who.executions().delete_run_limit(request).await);
        assert_eq!(refusal.code, Code::PermissionDenied);
    }
    delete(client, &limit).await;
}
