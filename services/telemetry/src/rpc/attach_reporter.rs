//! AttachReporter: reports in columns, acknowledged in order when they are on disk.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt, stream};
use tokio::{sync::oneshot, time::timeout};
use uuid::Uuid;
use weft_kit::{Call, Caller, Messages, Role};
use weft_proto::weft::telemetry::v1::{
    AttachReporterRequest, AttachReporterResponse, Report, ReportAcknowledged, ReporterOpen, ReporterOpened,
    attach_reporter_request::Action, attach_reporter_response::Event,
};
use weft_series::{Batch, BatchLimits, Labels};

use crate::{
    Error,
    domain::name,
    ingest::TOO_MANY_SERIES,
    samples::{
        incoming::Progress,
        project::{Metric, Place},
        projects::Shared,
    },
    state::State,
};

/// How long the first message may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Reports that may wait for the disk; the stream is not read while they do.
const WAITING: usize = 256;
/// Series that one stream may define.
const DEFINITIONS: usize = 1_000_000;

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<Messages<AttachReporterRequest>>,
) -> Result<impl Stream<Item = Result<AttachReporterResponse, Error>> + Send + use<>, Error> {
    let Call { caller, mut message, .. } = call;
    let first = timeout(PATIENCE, message.next()).await;
    let first = first.map_err(|_| Error::OutOfTurn("open was not said in time"))?.transpose()?;
    let Some(Action::Open(open)) = first.and_then(|first| first.action) else {
        return Err(Error::OutOfTurn("open must be said first"));
    };
    may_report(&caller, &open)?;
    state.ready()?;
    let incarnation =
        Uuid::parse_str(&open.incarnation).map_err(|_| Error::field("open.incarnation", "must be a UUID"))?;
    let project = state.projects.get(name::project(&open.parent));
    let known = state.reporters().get(&(Arc::clone(&project.id), open.source.clone())).copied();
    let sequence = known.filter(|known| known.incarnation == incarnation).map_or(0, |known| known.sequence);
    let reporter = Reporter {
        state: Arc::clone(state),
        project,
        source: open.source,
        incarnation,
        common: open.labels.into_iter().collect(),
        taken: sequence,
        places: HashMap::new(),
        messages: Some(message),
        waiting: VecDeque::new(),
    };
    let opened = AttachReporterResponse {
        event: Some(Event::Opened(ReporterOpened { acknowledged_sequence: sequence })),
    };
    let acknowledged = stream::unfold(Some(reporter), |reporter| async move {
        let mut reporter = reporter?;
        match reporter.next().await {
            Ok(Some(event)) => Some((Ok(event), Some(reporter))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(stream::once(async { Ok(opened) }).chain(acknowledged))
}

/// An agent for itself; an operator for whom they like, but no agent for another.
fn may_report(caller: &Caller, open: &ReporterOpen) -> Result<(), Error> {
    let project = name::project(&open.parent);
    let is_itself =
        *caller.name == *open.source && open.source.starts_with(&format!("projects/{project}/agents/"));
    if is_itself || caller.role_in(project) >= Role::Operator {
        return Ok(());
    }
    Err(Error::NotTheSource(caller.name.to_string(), open.source.clone()))
}

struct Reporter {
    state: Arc<State>,
    project: Shared,
    source: String,
    incarnation: Uuid,
    common: Vec<(String, String)>,
    /// The last report that was taken.
    taken: i64,
    /// Series by the reporter's numbers; `None` where there are too many in the project.
    places: HashMap<u32, Option<Place>>,
    /// `None` once the reporter has said all.
    messages: Option<Messages<AttachReporterRequest>>,
    waiting: VecDeque<Waiting>,
}

/// A report on its way to the disk; one that was there already has no answer to wait for.
struct Waiting {
    sequence: i64,
    refused: u64,
    answer: Option<oneshot::Receiver<Result<(), Error>>>,
}

impl Reporter {
    /// The next acknowledgement; reads reports meanwhile.
    async fn next(&mut self) -> Result<Option<AttachReporterResponse>, Error> {
        loop {
            let may_read = self.messages.is_some() && self.waiting.len() < WAITING;
            if self.waiting.is_empty() && !may_read {
                return Ok(None);
            }
            let lifecycle = self.state.lifecycle.clone();
            let (front, messages) = (self.waiting.front_mut(), self.messages.as_mut());
            tokio::select! {
                biased;
                done = done(front) => {
                    done?;
                    return Ok(Some(self.acknowledge()?));
                }
                message = read(messages, may_read) => match message.transpose()? {
                    None => self.messages = None,
                    Some(AttachReporterRequest { action: Some(Action::Report(report)) }) => self.take(report).await?,
                    Some(_) => return Err(Error::OutOfTurn("open is said first, and only then")),
                },
                () = lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }

    /// One message for all reports from the front that are on disk.
    fn acknowledge(&mut self) -> Result<AttachReporterResponse, Error> {
        let mut acknowledged = ReportAcknowledged::default();
        let mut add = |waiting: Waiting| {
            acknowledged.acknowledged_sequence = waiting.sequence;
            acknowledged.refused_sample_count += waiting.refused as i64;
        };
        self.waiting.pop_front().into_iter().for_each(&mut add);
        while let Some(waiting) = self.waiting.front_mut() {
            if let Some(answer) = &mut waiting.answer {
                match answer.try_recv() {
                    Ok(result) => result?,
                    Err(oneshot::error::TryRecvError::Empty) => break,
                    Err(oneshot::error::TryRecvError::Closed) => return Err(Error::NotReady),
                }
            }
            self.waiting.pop_front().into_iter().for_each(&mut add);
        }
        if acknowledged.refused_sample_count > 0 {
            TOO_MANY_SERIES.clone_into(&mut acknowledged.reason);
        }
        Ok(AttachReporterResponse { event: Some(Event::Acknowledged(acknowledged)) })
    }

    async fn take(&mut self, report: Report) -> Result<(), Error> {
        self.define(&report)?;
        if report.sequence <= self.taken {
            self.waiting.push_back(Waiting { sequence: report.sequence, refused: 0, answer: None });
            return Ok(());
        }
        let batch = Batch::decode(&report.samples, BatchLimits::default())
            .map_err(|error| Error::Samples(format!("report.samples {error}")))?;
        let (batches, refused) = self.placed(batch)?;
        self.project.write().counts.refused += refused;
        let progress = Progress {
            source: self.source.clone(),
            incarnation: self.incarnation,
            sequence: report.sequence,
        };
        let answer = self.state.submit(&self.project, batches, Some(progress)).await?;
        self.taken = report.sequence;
        self.waiting.push_back(Waiting { sequence: report.sequence, refused, answer: Some(answer) });
        Ok(())
    }

    fn define(&mut self, report: &Report) -> Result<(), Error> {
        if report.series.is_empty() {
            return Ok(());
        }
        if self.places.len() + report.series.len() > DEFINITIONS {
            return Err(Error::OutOfTurn("a stream may define 1,000,000 series"));
        }
        let mut project = self.project.write();
        for series in &report.series {
            let own = series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let common = self.common.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let labels = Labels::new(common.chain(own).chain([("__name__", series.metric.as_str())]));
            if labels.as_bytes().len() > crate::ingest::MOST_LABEL_BYTES {
                return Err(Error::field("report.series.labels", "are longer than 8 KiB in all"));
            }
            let place = project.place_or_add(&labels, &self.source, self.state.options.max_series);
            self.places.insert(series.number.unsigned_abs(), place);
            let (unit, description) = (series.unit.clone(), series.description.clone());
            project.tell(&series.metric, Metric { kind: series.r#type, unit, description });
        }
        Ok(())
    }

    /// A batch of the reporter's numbers as batches of groups, and how many samples were refused.
    fn placed(&self, batch: Batch) -> Result<(Vec<(u32, Batch)>, u64), Error> {
        let mut refused = 0;
        let mut batches: Vec<(u32, Batch)> = Vec::with_capacity(1);
        for (number, values) in batch.columns {
            let place = self.places.get(&number);
            let Some(place) =
                place.ok_or(Error::OutOfTurn("a series must be defined before it has samples"))?
            else {
                refused += values.len() as u64;
                continue;
            };
            let known = batches.iter().position(|(group, _)| *group == place.group);
            let at = known.unwrap_or_else(|| {
                batches.push((place.group, Batch { times: batch.times.clone(), columns: Vec::new() }));
                batches.len() - 1
            });
            batches[at].1.columns.push((place.number, values));
        }
        for (_, batch) in &mut batches {
            batch.columns.sort_by_key(|(number, _)| *number);
            if batch.columns.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(Error::OutOfTurn("two numbers of a stream are the same series"));
            }
            refused += self.state.refuse_times(batch);
        }
        batches.retain(|(_, batch)| !batch.times.is_empty());
        Ok((batches, refused))
    }
}

async fn done(front: Option<&mut Waiting>) -> Result<(), Error> {
    match front {
        Some(Waiting { answer: Some(answer), .. }) => answer.await.unwrap_or(Err(Error::NotReady)),
        Some(_) => Ok(()),
        None => std::future::pending().await,
    }
}

async fn read(
    messages: Option<&mut Messages<AttachReporterRequest>>,
    may_read: bool,
) -> Option<Result<AttachReporterRequest, tonic::Status>> {
    match messages {
        Some(messages) if may_read => messages.next().await,
        _ => std::future::pending().await,
    }
}
