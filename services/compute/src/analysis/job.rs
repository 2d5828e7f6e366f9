//! One analysis from its claim to its end. While it works, its lease is renewed, and whoever watches is told.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use prost::Message;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tonic::Status;
use weft_kernels::Edge;
use weft_proto::{
    google::rpc,
    weft::compute::v1::{Analysis, AnalysisPhase, AnalysisResult},
};
use weft_store::{AnalysisRow, AnalysisState, StoreError};

use super::{
    Analyses,
    analyses::Running,
    changes::{Changes, Edges, Property},
    compute,
    computed::Computed,
    control::{Control, Stop},
    memory, message,
    reading::{self, GraphColumns, SetAside},
    summary,
    table::{self, Others, Table},
    writing,
};
use crate::{Error, domain::name::GraphName};

/// An analysis whose owner has said nothing for so long is taken from it.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How often the lease is renewed; so long a cancellation in another process may take to be noticed.
const RENEW: Duration = Duration::from_secs(1);
/// How often watchers are told, and ends are looked for.
const TELL: Duration = Duration::from_millis(100);
/// How long an analysis may run where it does not say.
const TIMEOUT: Duration = Duration::from_mins(5);
/// How often an analysis is begun whose process dies.
const ATTEMPTS: i32 = 3;

/// Runs a claimed analysis to its end, or gives it back.
pub(super) async fn run(analyses: &Arc<Analyses>, mut row: AnalysisRow, place: OwnedSemaphorePermit) {
    // How far a process was that has died with it is past.
    row.report = bytes::Bytes::new();
    let name = message::name(&row).to_string();
    let settings = message::settings(&row);
    let timeout = settings.as_ref().ok().and_then(|settings| settings.timeout).map_or(TIMEOUT, |timeout| {
        Duration::new(timeout.seconds.max(0).cast_unsigned(), timeout.nanos.max(0).cast_unsigned())
    });
    let control = Arc::new(Control::new(timeout.as_secs()));
    if row.cancel_asked {
        control.stop(Stop::Cancelled);
    }
    let shown = message::analysis(&row).unwrap_or_default();
    let (told, states) = watch::channel(shown);
    analyses.begun(row.uid, Running { control: Arc::clone(&control), states });
    let attempts = row.attempts;
    let place = Arc::new(place);
    let job = Job { analyses, row, name, control: Arc::clone(&control), place };
    let result = match settings {
        _ if attempts > ATTEMPTS => Err(Error::Abandoned(ATTEMPTS)),
        Ok(settings) => job.accompany(&told, timeout, Box::pin(job.work(settings))).await,
        Err(error) => Err(error),
    };
    job.end(&told, result).await;
    analyses.over(job.row.uid);
}

struct Job<'a> {
    analyses: &'a Arc<Analyses>,
    row: AnalysisRow,
    name: String,
    control: Arc<Control>,
    /// Among those that run here.
    place: Arc<OwnedSemaphorePermit>,
}

impl Job<'_> {
    /// Renews the lease, tells the watchers and looks at the clock until the work is done.
    async fn accompany(
        &self,
        told: &watch::Sender<Analysis>,
        timeout: Duration,
        mut work: Pin<Box<impl Future<Output = Result<AnalysisResult, Error>>>>,
    ) -> Result<AnalysisResult, Error> {
        let (begun, mut renewed) = (Instant::now(), Instant::now());
        let mut held_until = Instant::now() + LEASE;
        let mut tick = interval(TELL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = tick.tick() => {}
                () = self.control.asked() => {}
            }
            // A kernel that is between two rounds goes on for a moment. It keeps its place and its memory as long,
            // but nobody waits for it.
            if self.control.phase() == AnalysisPhase::Computing {
                self.control.check()?;
            }
            if begun.elapsed() > timeout {
                self.control.stop(Stop::TimedOut);
            }
            self.tell(told);
            if renewed.elapsed() < RENEW {
                continue;
            }
            renewed = Instant::now();
            let Analyses { store, owner, .. } = &**self.analyses;
            let until = self.analyses.now().after(LEASE);
            match store
                .renew_analysis(self.row.uid, *owner, until, self.report().encode_to_vec().into())
                .await
            {
                Ok(row) => {
                    held_until = Instant::now() + LEASE;
                    if row.cancel_asked {
                        self.control.stop(Stop::Cancelled);
                    }
                }
                // Taken by another, or deleted.
                Err(StoreError::NotFound { .. }) => self.control.stop(Stop::Lost),
                Err(error) => {
                    tracing::warn!(analysis = self.name, %error, "the lease of an analysis could not be renewed");
                    if Instant::now() > held_until {
                        self.control.stop(Stop::Lost);
                    }
                }
            }
        }
    }

    async fn work(&self, settings: Analysis) -> Result<AnalysisResult, Error> {
        let analyses = self.analyses;
        let algorithm = settings.algorithm.clone().unwrap_or_default();
        self.control.begin(AnalysisPhase::Reading);
        let graph_name = GraphName { project: self.row.project.clone(), graph: self.row.graph.clone() };
        let graph_name = graph_name.to_string();
        let wanted = compute::wanted(&algorithm, &settings.weight_property);
        // Nothing is read before there is memory for it. What is asked for is known when the graph's size is.
        let size = self.size(&graph_name).await?;
        let fits = |nodes: usize, edges: usize| analyses.check_memory(&graph_name, &algorithm, nodes, edges);
        let needed = fits(size.0, size.1)?;
        let memory = self.memory(needed).await?;
        let fits = |nodes: usize, edges: usize| fits(nodes, edges).map(drop);
        let graph = (graph_name.as_str(), self.row.graph_uid);
        let mut columns = reading::read(&analyses.graph, graph, &wanted, &self.control, &fits).await?;
        if let Some(layout) = compute::layout_of(&algorithm) {
            columns.numbers = self.places(layout, &columns.ordinals).await?;
        }

        self.control.begin(AnalysisPhase::Computing);
        let edge_type = compute::edge_type(&algorithm).to_owned();
        // What it needs is given back when nothing of it is left.
        let ((mut result, table, before), _memory) = self.compute(algorithm, columns, memory).await?;

        self.control.begin(AnalysisPhase::Saving);
        table::save(&analyses.objects, self.row.uid, &table).await.map_err(Error::Store)?;
        self.control.check()?;

        let property = Property { name: &settings.write_property, table: &table };
        let changes: Box<dyn Changes> = if !edge_type.is_empty() {
            let key = |ordinal: u32| before.keys.get(&ordinal).map(|key| &**key);
            Box::new(Edges::new(&edge_type, &table, &before.edges, &key))
        } else if !settings.write_property.is_empty() {
            Box::new(property)
        } else {
            return Ok(result);
        };
        self.control.begin(AnalysisPhase::Writing);
        let written = writing::write(analyses, graph, &*changes, result.graph_revision);
        let written = written.with(&self.control).await?;
        (result.written_revision, result.unwritten_count) = (written.revision, written.left_out);
        Ok(result)
    }

    /// Nodes and edges of the graph, if it is still the same one.
    async fn size(&self, graph: &str) -> Result<(usize, usize), Error> {
        let found = self.analyses.find_graph(graph).await?;
        if found.uid != self.row.graph_uid.to_string() {
            return Err(Error::GraphNotFound(graph.to_owned()));
        }
        Ok((found.node_count.max(0) as usize, found.edge_count.max(0) as usize))
    }

    /// Where a layout has put the nodes, as three columns; not a number for those that it does not know.
    async fn places(&self, layout: &str, ordinals: &[u32]) -> Result<Vec<Vec<f64>>, Error> {
        let AnalysisRow { project, graph, graph_uid, .. } = &self.row;
        let name = format!("projects/{project}/graphs/{graph}/layouts/{layout}");
        let row =
            self.analyses.layouts.get_layout(project, graph, layout).await.map_err(Error::store(&name))?;
        let most = self.analyses.options.max_nodes;
        // One of an earlier graph of the same name is none of this one.
        if row.graph_uid != *graph_uid {
            return Err(Error::LayoutNotFound(name));
        }
        let positions = &self.analyses.positions;
        let saved = positions.load(row.uid, positions.saved(row.uid).await, most).await;
        let frame = saved.ok_or(Error::NotPlaced(name))?.frame;
        let ids = frame.ids.unwrap_or_default();
        let column = |axis: &Vec<f32>| {
            let place = |ordinal: &u32| {
                // In a plane the third is empty.
                let at = ids.binary_search(ordinal).ok()?;
                Some(axis.get(at).map_or(0.0, |place| f64::from(*place)))
            };
            ordinals.iter().map(|ordinal| place(ordinal).unwrap_or(f64::NAN)).collect()
        };
        Ok(frame.positions.iter().map(column).collect())
    }

    /// So many MiB, when others give them back.
    async fn memory(&self, mib: u32) -> Result<OwnedSemaphorePermit, Error> {
        let mut wait = Box::pin(Arc::clone(&self.analyses.memory).acquire_many_owned(mib));
        loop {
            tokio::select! {
                permit = &mut wait => return permit.map_err(|_| Error::Draining),
                () = tokio::time::sleep(TELL) => self.control.check()?,
            }
        }
    }

    /// Computes on the threads of the analyses.
    async fn compute(
        &self,
        algorithm: weft_proto::weft::compute::v1::Algorithm,
        graph: GraphColumns,
        memory: OwnedSemaphorePermit,
    ) -> Result<(Outcome, OwnedSemaphorePermit), Error> {
        let (control, place) = (Arc::clone(&self.control), Arc::clone(&self.place));
        let worked = self.analyses.on_threads(&self.name, move || {
            let _place = place;
            let began = std::time::Instant::now();
            let computed = compute::compute(&algorithm, &graph, &control)?;
            let duration = began.elapsed();
            Ok((duration, (outcome(graph, computed, duration), memory)))
        });
        let (duration, outcome) = worked.await?;
        self.analyses.meter.compute_duration.observe(duration.as_secs_f64());
        Ok(outcome)
    }

    fn report(&self) -> Analysis {
        let (phase, progress) = (self.control.phase().into(), self.control.done());
        Analysis { phase, progress, ..Analysis::default() }
    }

    fn tell(&self, told: &watch::Sender<Analysis>) {
        let row = AnalysisRow { report: self.report().encode_to_vec().into(), ..self.row.clone() };
        let Ok(mut shown) = message::analysis(&row) else { return };
        shown.cancel_requested |= self.control.stopped() == Some(Stop::Cancelled);
        told.send_if_modified(|last| {
            let differs = *last != shown;
            *last = shown;
            differs
        });
    }

    /// Keeps how it ended.
    async fn end(&self, told: &watch::Sender<Analysis>, result: Result<AnalysisResult, Error>) {
        let Analyses { store, owner, meter, .. } = &**self.analyses;
        let uid = self.row.uid;
        let (state, report) = match result {
            Err(Error::Draining) => {
                if let Err(error) = store.release_analysis(uid, *owner).await
                    && !matches!(error, StoreError::NotFound { .. })
                {
                    tracing::warn!(analysis = self.name, %error, "an analysis is begun anew when its lease ends");
                }
                self.analyses.offered.notify_one();
                return self.forget_if_gone().await;
            }
            Ok(result) => {
                meter.succeeded.inc();
                (
                    AnalysisState::Succeeded,
                    Analysis { result: Some(result), progress: 1.0, ..Analysis::default() },
                )
            }
            Err(Error::Cancelled) => {
                meter.cancelled.inc();
                (AnalysisState::Cancelled, Analysis { progress: self.control.done(), ..Analysis::default() })
            }
            Err(error) => {
                meter.failed.inc();
                tracing::info!(analysis = self.name, %error, "an analysis has failed");
                let error = Some(status(&Status::from(error)));
                let progress = self.control.done();
                (AnalysisState::Failed, Analysis { error, progress, ..Analysis::default() })
            }
        };
        let report = bytes::Bytes::from(report.encode_to_vec());
        if state != AnalysisState::Succeeded
            && let Err(error) = table::delete(&self.analyses.objects, uid).await
        {
            tracing::warn!(analysis = self.name, %error, "values of an analysis are left over");
        }
        let mut pause = TELL;
        loop {
            let at = self.analyses.now();
            match store.end_analysis(uid, *owner, state, report.clone(), at).await {
                Ok(row) => {
                    if let Ok(shown) = message::analysis(&row) {
                        told.send_replace(shown);
                    }
                    return;
                }
                Err(StoreError::NotFound { .. }) => return self.forget_if_gone().await,
                Err(error) => {
                    // What was computed is kept as soon as the store answers again; its lease may run out, and then
                    // it is computed anew.
                    tracing::warn!(analysis = self.name, %error, "the outcome of an analysis could not be kept");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => pause = (pause * 2).min(LEASE),
                        () = self.analyses.lifecycle.draining() => return,
                    }
                }
            }
        }
    }

    /// Forgets what was saved of an analysis that was deleted meanwhile.
    async fn forget_if_gone(&self) {
        let AnalysisRow { project, graph, id, uid, .. } = &self.row;
        let found = self.analyses.store.get_analysis(project, graph, id).await;
        let gone = match found {
            Ok(row) => row.uid != *uid,
            Err(StoreError::NotFound { .. }) => true,
            Err(_) => false,
        };
        if gone && let Err(error) = table::delete(&self.analyses.objects, *uid).await {
            tracing::warn!(analysis = self.name, %error, "values of an analysis are left over");
        }
    }
}

impl Analyses {
    /// How many MiB an analysis needs.
    ///
    /// # Errors
    /// More than there is for all of them.
    pub(crate) fn check_memory(
        &self,
        graph: &str,
        algorithm: &weft_proto::weft::compute::v1::Algorithm,
        nodes: usize,
        edges: usize,
    ) -> Result<u32, Error> {
        let needed = memory::estimate(algorithm, nodes, edges, self.threads());
        if needed > self.options.analysis_memory_mib {
            let limit = u64::from(self.options.analysis_memory_mib);
            return Err(Error::TooMuchMemory { subject: graph.to_owned(), needed: u64::from(needed), limit });
        }
        Ok(needed)
    }
}

/// What came out, and what it replaces.
type Outcome = (AnalysisResult, Arc<Table>, Before);

/// What is kept of what was computed.
fn outcome(graph: GraphColumns, computed: Computed, duration: Duration) -> Outcome {
    let GraphColumns { revision, ordinals, keys, edges, set_aside, .. } = graph;
    let before = Before::new(set_aside, &ordinals, &keys);
    let (node_count, edge_count) = (ordinals.len() as i64, edges.len() as i64);
    let degrees = if computed.grouped { degrees(&ordinals, &edges) } else { Vec::new() };
    drop(edges);
    let (names, columns): (Vec<_>, Vec<_>) = computed.columns.into_iter().unzip();
    let others = computed.others.unwrap_or_default();
    let others = Others {
        ordinals: others.iter().map(|slot| ordinals[*slot]).collect(),
        nodes: others.iter().map(|slot| keys[*slot].clone()).collect(),
    };
    // For each row, the slot of its node.
    let slots = computed.slots;
    let degree = |row: usize| slots.as_ref().map_or_else(|| degrees[row], |slots| degrees[slots[row]]);
    let table = match &slots {
        None => Table::new(ordinals, keys, columns),
        Some(slots) => Table::new(
            slots.iter().map(|slot| ordinals[*slot]).collect(),
            slots.iter().map(|slot| keys[*slot].clone()).collect(),
            columns,
        )
        .with(others),
    };
    let (top, groups, histogram) = if computed.grouped {
        let (groups, sizes) = summary::groups(&table, &degree);
        (Vec::new(), groups, summary::histogram(&sizes))
    } else {
        (summary::top(&table), Vec::new(), summary::histogram(&table.columns[0]))
    };
    let result = AnalysisResult {
        graph_revision: revision,
        node_count,
        edge_count,
        columns: names.into_iter().map(str::to_owned).collect(),
        row_count: table.len() as i64,
        numbers: computed.numbers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        top,
        groups,
        histogram,
        compute_duration_ms: duration.as_secs_f64() * 1_000.0,
        written_revision: 0,
        unwritten_count: 0,
    };
    (result, Arc::new(table), before)
}

/// The edges that an analysis replaces, and the keys of their ends.
struct Before {
    edges: Vec<SetAside>,
    keys: HashMap<u32, Arc<str>>,
}

impl Before {
    fn new(edges: Vec<SetAside>, ordinals: &[u32], keys: &[Arc<str>]) -> Self {
        let ends = edges.iter().flat_map(|edge| [edge.ends.0, edge.ends.1]);
        let key = |ordinal: u32| Some((ordinal, keys[ordinals.binary_search(&ordinal).ok()?].clone()));
        let keys = ends.filter_map(key).collect();
        Self { edges, keys }
    }
}

/// How many edges each node has.
fn degrees(ordinals: &[u32], edges: &[Edge]) -> Vec<u32> {
    let mut degrees = vec![0_u32; ordinals.len()];
    for end in edges.iter().flat_map(|edge| [edge.source, edge.target]) {
        if let Ok(slot) = ordinals.binary_search(&end) {
            degrees[slot] = degrees[slot].saturating_add(1);
        }
    }
    degrees
}

/// The status that a call would have got, details and all.
fn status(status: &Status) -> rpc::Status {
    rpc::Status::decode(status.details()).unwrap_or_else(|_| rpc::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}
