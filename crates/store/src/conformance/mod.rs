//! The suite that every backend must pass: plain async functions over [`Stores`], stamped as tests by
//! [`crate::conformance!`]. Each gets a database of its own, empty.
//!
//! Not only "what was written reads back", but the places where databases differ: times to the microsecond,
//! order by bytes and not by collation, read-then-write races, what a page ends on, what a repeat gets.

pub mod agents;
pub mod alerts;
pub mod analyses;
pub mod api_keys;
pub mod checkpoints;
pub mod command_types;
pub mod database;
pub mod enrollments;
pub mod executions;
pub mod graphs;
pub mod jobs;
pub mod journal;
pub mod kept_results;
pub mod layouts;
pub mod load;
pub mod members;
pub mod placement;
pub mod project_objects;
pub mod refreshes;
pub mod requests;
pub mod secrets;
pub mod signing;
pub mod sources;
pub mod telemetry;
pub mod triggers;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::{
    Commit, GraphRow, GraphStore, JournalEntry, JournalLimit, NewGraph, NewSource, Once, Position, Remember,
    Result, SourceRow, Stores, Timestamp, Written,
};

/// One case: takes the stores of an empty database.
pub type Case = Box<dyn FnOnce(Stores) -> BoxFuture<'static, ()> + Send>;

/// A case without the type of its function.
pub fn boxed<F>(case: impl FnOnce(Stores) -> F + Send + 'static) -> Case
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(|stores| Box::pin(case(stores)))
}

/// Stamps the suite for a backend.
///
/// `conformance!(world)` makes a test of each case; `world` is the path of an `async fn(case)` that opens a
/// fresh database, runs the case on it, which is a function from [`Stores`] to a future, and removes the
/// database. `conformance!(areas world)` makes a test of each area, for a backend where making a database takes
/// long; `world` is then the path of an `async fn(Vec<(&'static str, Case)>)`, which empties the database between
/// cases.
#[macro_export]
macro_rules! conformance {
    ($world:path) => { $crate::conformance! { @list stamp $world } };
    (areas $world:path) => { $crate::conformance! { @list areas $world } };
    (@list $how:ident $world:path) => {
        $crate::conformance! { @$how $world;
            agents: agents_read_back_by_revision, of_concurrent_changes_one_wins, a_removed_agent_frees_its_names,
                documents_go_with_their_agent,
                removals_are_told_until_they_are_forgotten, seen_times_only_move_forward,
                revisions_become_visible_in_order;
            alerts: a_setting_reads_back_as_written, settings_list_in_byte_order,
                a_stale_setting_write_writes_nothing, the_state_of_a_rule_is_written_by_who_has_the_log;
            analyses: an_analysis_reads_back_as_written, an_id_of_an_analysis_is_taken_once, analyses_list_newest_first,
                an_analysis_has_one_owner, of_concurrent_claims_each_gets_another, an_ended_analysis_stays,
                a_cancellation_is_seen_by_its_owner, what_is_given_back_waits_again, forgotten_analyses_are_gone;
            api_keys: a_key_reads_back_by_name_and_digest, names_and_digests_are_unique, keys_list_in_byte_order,
                revoking_keeps_the_first_time, use_times_only_move_forward;
            checkpoints: a_checkpoint_replaces_the_one_before, an_older_checkpoint_changes_nothing,
                a_checkpoint_needs_its_revision, trimming_needs_a_checkpoint, a_trimmed_journal_says_where_it_begins,
                concurrent_checkpoints_leave_one_whole;
            command_types: a_command_type_reads_back_as_written, command_types_list_in_byte_order,
                a_stale_command_type_write_writes_nothing;
            database: a_closed_database_says_so, a_database_answers_and_describes_itself;
            enrollments: a_token_reads_back_as_written, tokens_list_in_byte_order, a_token_lets_in_so_many,
                of_concurrent_uses_so_many_win, who_is_in_stays_in, revoked_and_expired_tokens_let_nobody_in,
                taken_names_and_keys_use_nothing_up;
            executions: a_shard_of_executions_has_one_owner, an_execution_reads_back_as_written, an_execution_flush_of_an_old_owner_writes_nothing,
                active_and_due_executions_are_found, names_and_requests_of_executions_are_found,
                executions_list_newest_first, asking_executions_are_found, a_definition_is_kept_once,
                ended_executions_are_forgotten, forgotten_executions_give_back_their_room, ends_of_executions_are_numbered,
                messages_of_executions_are_numbered, run_limits_read_back_and_are_removed,
                turns_and_rates_are_kept_with_their_flush, open_executions_are_found;
            graphs: a_graph_reads_back_as_written, extreme_times_read_back, an_id_is_taken_once_in_a_project,
                of_concurrent_creations_one_wins, graphs_list_in_byte_order, an_update_is_a_version_and_a_revision,
                a_stale_update_writes_nothing, a_deleted_graph_is_gone_for_every_reader, a_stale_delete_deletes_nothing,
                a_sweep_removes_in_bounded_steps, what_cannot_be_kept_is_named, a_missing_graph_is_not_found;
            jobs: a_flush_reads_back_as_written, a_flush_of_an_old_owner_writes_nothing,
                a_shard_has_one_owner_at_a_time, what_has_not_ended_is_found_page_by_page,
                names_and_requests_are_found, a_changed_job_keeps_its_outcome_and_its_place,
                batches_list_newest_first_and_are_counted, output_is_kept_in_order_and_once,
                what_has_ended_long_ago_is_forgotten, a_missing_batch_is_not_found;
            journal: revisions_come_back_in_order_whole, pages_end_on_entries_and_bytes,
                a_page_may_end_inside_a_revision, a_stale_append_writes_nothing, of_concurrent_appends_one_wins,
                appends_that_catch_up_all_land, revisions_of_many_graphs_in_one_call, a_large_revision_is_whole;
            kept_results: a_result_reads_back_until_it_expires, a_project_keeps_so_many_results,
                results_are_forgotten_and_purged;
            layouts: a_layout_reads_back_as_written, an_id_is_taken_once_in_a_graph, layouts_list_in_byte_order,
                an_update_writes_only_what_it_names, a_stale_layout_write_writes_nothing,
                constraints_have_versions_of_their_own, running_layouts_of_all_projects_are_found,
                layouts_go_with_their_graph;
            members: members_are_kept_until_their_lease_is_over, members_are_of_their_service;
            placement: a_layout_has_one_holder,
                what_is_written_under_an_older_epoch_is_refused, orphans_are_found, holds_go_with_their_layout;
            project_objects: an_object_reads_back_as_written, objects_list_in_byte_order,
                a_write_that_does_not_hold_changes_nothing, of_concurrent_writes_each_is_whole,
                a_project_has_so_much, what_is_stored_counts_until_it_is_removed,
                content_that_an_object_has_is_left_alone, what_is_deleted_meanwhile_is_not_written,
                content_without_an_object_is_found;
            refreshes: a_refresh_reads_back_as_written, extreme_times_of_refreshes_read_back, a_refresh_ends_once,
                one_refresh_of_a_source_runs, of_concurrent_begins_one_wins, an_expired_refresh_is_interrupted,
                a_late_renewal_is_in_time, of_a_renewal_and_a_begin_one_wins, a_cancellation_is_seen_by_who_runs_it,
                old_refreshes_are_forgotten, refreshes_list_newest_first,
                no_refresh_outlives_a_source_that_is_deleted_meanwhile, what_no_refresh_can_keep_is_named;
            requests: a_repeat_gets_the_first_answer, every_write_remembers, a_request_id_is_for_one_request,
                a_refused_write_remembers_nothing, of_concurrent_repeats_one_writes, old_answers_are_forgotten,
                an_answer_without_a_write_is_remembered;
            secrets: a_secret_reads_back_as_written, secrets_list_in_byte_order, a_stale_secret_write_writes_nothing;
            signing: the_first_key_is_the_same_for_all, a_rotation_retires_the_others, a_key_retires_once,
                retired_keys_are_forgotten, a_ticket_is_good_once, a_repeated_redemption_is_harmless_for_a_minute,
                of_concurrent_redemptions_one_wins, expired_tickets_are_refused_and_purged;
            sources: a_source_reads_back_as_written, an_id_is_taken_once_in_a_graph,
                of_concurrent_source_creations_one_wins, sources_list_in_byte_order,
                an_update_of_settings_is_a_version, a_stale_source_write_writes_nothing,
                a_deleted_source_is_gone_with_its_refreshes, sources_go_with_their_graph,
                no_source_outlives_a_graph_that_is_deleted_meanwhile, what_no_source_can_keep_is_named,
                a_missing_source_is_not_found;
            telemetry: the_log_has_one_owner, the_log_is_read_in_order_and_shortened,
                each_kind_shortens_its_own_log, segments_replace_each_other, reporters_go_on_where_they_were;
            triggers: a_trigger_reads_back_as_written, triggers_list_in_byte_order,
                a_stale_trigger_write_writes_nothing, a_tick_happens_once, a_delivery_is_kept_once,
                waiting_deliveries_are_found, old_deliveries_are_forgotten, a_trigger_advances_once,
                dead_deliveries_are_found_until_they_are_dismissed, events_are_trimmed_to_a_budget,
                refused_deliveries_are_trimmed_to_a_number;
        }
    };
    (@stamp $world:path; $($area:ident: $($case:ident),+;)+) => {
        $(mod $area {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $world($crate::conformance::$area::$case).await;
            })+
        })+
    };
    (@areas $world:path; $($area:ident: $($case:ident),+;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $area() {
            $world(vec![$((
                stringify!($case),
                $crate::conformance::boxed($crate::conformance::$area::$case),
            )),+])
            .await;
        })+
    };
}

/// An instant with a fraction that a text column would sort wrongly: `n` seconds and 120 ms after some day.
pub(crate) fn time(n: i64) -> Timestamp {
    Timestamp::from_micros(1_763_700_000_120_000 + n * 1_000_000)
}

/// A uid made of a number.
pub(crate) fn uid(n: u128) -> Uuid {
    Uuid::from_u128(0x7ead_0000_0000_4000_8000_0000_0000_0000 + n)
}

/// A graph to create, with one part.
pub(crate) fn new_graph(project: &str, id: &str, n: u128) -> NewGraph {
    NewGraph {
        project: project.into(),
        id: id.into(),
        uid: uid(n),
        display_name: format!("Graph {n}"),
        description: "α graph".into(),
        kind: 1,
        labels: BTreeMap::from([("team".into(), "ops".into())]),
        parts: vec![Bytes::from_static(b"revision 1")],
        at: time(0),
        actor: "projects/p/apiKeys/k".into(),
    }
}

/// Creates a graph, for cases about something else.
pub(crate) async fn graph(stores: &Stores, id: &str, n: u128) -> GraphRow {
    done(stores.graph.create_graph(new_graph("p", id, n), None).await)
}

/// A source to create in the graph of number 1.
pub(crate) fn new_source(id: &str, n: u128) -> NewSource {
    NewSource {
        graph_uid: uid(1),
        id: id.into(),
        uid: uid(n),
        settings: Bytes::from_static(b"settings \0\xff"),
        at: time(0),
    }
}

/// Creates a source of number 100 in a new graph of number 1, for cases about something else.
pub(crate) async fn source(stores: &Stores) -> SourceRow {
    graph(stores, "g", 1).await;
    done(stores.source.create_source(new_source("s", 100), None).await)
}

/// What was written now; a replay is a failure.
#[track_caller]
pub(crate) fn done<T>(written: Result<Written<T>>) -> T {
    match written.expect("the write succeeds") {
        Written::Done(value) => value,
        Written::Replayed(answer) => panic!("replayed {answer:?}"),
    }
}

/// The answer of a repeat; a new write is a failure.
#[track_caller]
pub(crate) fn replayed<T: std::fmt::Debug>(written: Result<Written<T>>) -> Bytes {
    match written.expect("the repeat succeeds") {
        Written::Done(value) => panic!("written again: {value:?}"),
        Written::Replayed(answer) => answer,
    }
}

/// A revision of one part whose bytes name it.
pub(crate) fn commit(graph: Uuid, base_revision: i64) -> Commit {
    Commit {
        uid: graph,
        base_revision,
        parts: vec![Bytes::from(format!("revision {}", base_revision + 1))],
        node_count: base_revision * 10,
        edge_count: base_revision * 20,
        next_ordinal: base_revision * 30,
        at: time(base_revision),
        actor: "projects/p/apiKeys/k".into(),
    }
}

/// Appends revisions of one part up to and including `to`.
pub(crate) async fn append_up_to(store: &dyn GraphStore, graph: Uuid, from_base: i64, to: i64) {
    for base in from_base..to {
        assert_eq!(done(store.append(commit(graph, base), None).await), base + 1);
    }
}

/// The whole journal after a place, read in pages of a size.
pub(crate) async fn read_all(
    store: &dyn GraphStore,
    graph: Uuid,
    mut after: Position,
    limit: JournalLimit,
) -> Vec<JournalEntry> {
    let mut entries = Vec::new();
    loop {
        let page = store.journal(graph, after, limit).await.expect("the journal can be read");
        let Some(last) = page.last() else { return entries };
        after = last.position();
        entries.extend(page);
    }
}

/// A request of a number, whose content is another number.
pub(crate) fn remember(request: u128, content: u8, answer: &'static str) -> Remember {
    Remember {
        once: Once {
            scope: "projects/p/apiKeys/k Method".into(),
            request_id: uid(request),
            fingerprint: [content; 32],
        },
        response: Bytes::from_static(answer.as_bytes()),
    }
}

/// Asserts which error a result is.
macro_rules! refused {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            Err(error) => assert!(matches!(error, $pattern $(if $guard)?), "another error: {error:?}"),
            Ok(value) => panic!("not refused: {value:?}"),
        }
    };
}
pub(crate) use refused;
