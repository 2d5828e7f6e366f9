//! What one stream is told: the layout first, a keyframe at once, then the newest frame at the
//! client's rate.
//!
//! A viewer is pulled, never pushed: the next event is made when the connection has room for it,
//! from what is newest then. A viewer that reads slowly so skips what it has no time for, holds one
//! frame at most, and nobody waits for it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use weft_proto::weft::compute::v1::{
    FrameEncoding, FrameOptions, LayoutEvent, LayoutState, layout_event::Event,
};

use super::{layouts::Seat, live::Live, snapshot::Snapshot};
use crate::{
    Error,
    frames::{Corners, State},
};

/// Frames a second when the client does not say.
const DEFAULT_RATE: f64 = 30.0;
/// Frames a second at most.
const HIGHEST_RATE: f64 = 120.0;
/// Shortest time between two tellings of progress.
const PROGRESS: Duration = Duration::from_millis(500);
/// A frame that is due in less than this is due: timers are no finer.
const SLACK: Duration = Duration::from_millis(1);

/// What frames a viewer wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    encodings: Vec<FrameEncoding>,
    interval: Duration,
    region: Option<Corners>,
    most: Option<usize>,
}

impl Wish {
    /// Reads what a client asks for; `field` is where the request has it.
    pub(crate) fn new(options: Option<&FrameOptions>, field: &str) -> Result<Self, Error> {
        let default = FrameOptions::default();
        let options = options.unwrap_or(&default);
        let rate = match options.max_frames_per_second {
            rate if rate > 0.0 => rate.min(HIGHEST_RATE),
            _ => DEFAULT_RATE,
        };
        let region = options.region.as_ref().map(|region| {
            let corner = |point: Option<&weft_proto::weft::compute::v1::Point>| {
                point.map_or([0.0; 3], |point| [point.x, point.y, point.z])
            };
            (corner(region.min.as_ref()), corner(region.max.as_ref()))
        });
        if let Some((min, max)) = region
            && min.iter().zip(&max).any(|(min, max)| min > max)
        {
            let problem = "must not have a min above its max";
            return Err(Error::bad_field(format!("{field}.region"), problem));
        }
        Ok(Self {
            encodings: options.encodings().collect(),
            // Once a day is as good as never, and can be reckoned with.
            interval: Duration::from_secs_f64((1.0 / rate).min(86_400.0)),
            region,
            most: usize::try_from(options.max_nodes).ok().filter(|most| *most > 0),
        })
    }
}

/// One stream of events.
pub(crate) struct Viewer {
    seat: Seat,
    wishes: watch::Receiver<Wish>,
    /// Why the client's side of the stream was refused.
    refusals: mpsc::Receiver<Error>,
    refused: Option<Error>,
    live: watch::Receiver<Live>,
    frames: watch::Receiver<Option<Arc<Snapshot>>>,
    draining: CancellationToken,
    /// What was told of the layout last.
    told: Option<Live>,
    told_at: Instant,
    /// What the client knows.
    known: Option<Known>,
    due: Instant,
    over: bool,
    _with: Option<DropGuard>,
}

struct Known {
    wish: Wish,
    /// Of the last frame that held every node and said which.
    encoding: FrameEncoding,
    membership: u32,
    /// Number of the last frame.
    sequence: u64,
    /// What the last frame left it with, if the next one may say only what has changed since. The session keeps it for a
    /// while: a viewer who reads slower than that gets a whole frame.
    state: Option<Weak<State>>,
}

impl Viewer {
    /// Begins a stream of one wish.
    pub(crate) fn new(seat: Seat, wish: Wish) -> Self {
        Self::attached(seat, watch::channel(wish).1, mpsc::channel(1).1, None)
    }

    /// Begins a stream whose wishes may change while it runs; a refusal ends it. `with` is dropped
    /// with the stream.
    pub(crate) fn attached(
        seat: Seat,
        wishes: watch::Receiver<Wish>,
        refusals: mpsc::Receiver<Error>,
        with: Option<DropGuard>,
    ) -> Self {
        let now = Instant::now();
        Self {
            live: seat.live.subscribe(),
            frames: seat.frames.subscribe(),
            draining: seat.leaving(),
            seat,
            wishes,
            refusals,
            refused: None,
            told: None,
            told_at: now,
            known: None,
            due: now,
            over: false,
            _with: with,
        }
    }

    /// The stream: pulled by the connection.
    pub(crate) fn into_stream(self) -> impl futures::Stream<Item = Result<LayoutEvent, Error>> + Send {
        futures::stream::unfold(self, |mut viewer| async move {
            let event = viewer.next().await?;
            Some((event, viewer))
        })
    }

    /// The next event, when there is one; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<LayoutEvent, Error>> {
        if self.over {
            return None;
        }
        let event = self.event().await;
        self.over |= event.is_err();
        Some(event)
    }

    async fn event(&mut self) -> Result<LayoutEvent, Error> {
        loop {
            if let Some(event) = self.layout_event()? {
                return Ok(LayoutEvent { event: Some(event), replaceable: false });
            }
            if self.draining.is_cancelled() {
                return Err(Error::Draining);
            }
            if let Some(refused) = self.refused.take() {
                return Err(refused);
            }
            let wish = self.wishes.borrow_and_update().clone();
            if let Some(event) = self.frame(&wish)? {
                return Ok(event);
            }
            self.wait().await;
        }
    }

    /// What there is to tell of the layout, if it is time.
    fn layout_event(&mut self) -> Result<Option<Event>, Error> {
        let live = self.live.borrow_and_update().clone();
        let tell = match &self.told {
            None => true,
            Some(told) if live.differs(told) || live.state == LayoutState::Failed => true,
            Some(told) => live.progressed(told) && self.told_at.elapsed() >= PROGRESS,
        };
        if !tell {
            return Ok(None);
        }
        let layout = live.layout(self.seat.live().1)?;
        // The layout comes first in every stream, also where it has failed.
        let failed = live.state == LayoutState::Failed && self.told.is_some();
        self.told = Some(live);
        self.told_at = Instant::now();
        if failed {
            self.over = true;
            return Ok(Some(Event::Failed(layout)));
        }
        Ok(Some(Event::Layout(layout)))
    }

    /// The newest frame, if the client has not got it and it is time.
    fn frame(&mut self, wish: &Wish) -> Result<Option<LayoutEvent>, Error> {
        let Some(snapshot) = self.frames.borrow_and_update().clone() else { return Ok(None) };
        let columns = snapshot.columns();
        // Another wish is met at once, by a keyframe: the view must not stay what it was.
        let known = self.known.as_ref().filter(|known| known.wish == *wish);
        if let Some(known) = known
            && (known.sequence == columns.sequence || self.due > Instant::now() + SLACK)
        {
            return Ok(None);
        }
        let encoding = snapshot.choose(&wish.encodings)?;
        let follows =
            known.is_some_and(|known| known.membership == columns.membership && known.encoding == encoding);
        let chained = encoding == FrameEncoding::Delta;
        let too_many = wish.most.filter(|most| columns.ids.len() > *most);
        if too_many.is_some() && !snapshot.is_ranked() {
            // Saved places, from before the graph was read: which nodes come first is not known yet.
            return Ok(None);
        }
        // The first frame holds every node, unless those are more than the client takes; from then on it gets what it looks at.
        let region = wish.region.filter(|_| too_many.is_some() || self.known.is_some());
        let (frame, whole) = match (region, too_many, known.filter(|_| follows)) {
            (Some(region), most, _) => (snapshot.cut(encoding, region, most)?, false),
            (None, Some(most), _) => (snapshot.first(encoding, most)?, false),
            // From what this client has to what is newest: what it had no time for is left out, and
            // nothing that it did not get is built on.
            (_, _, Some(Known { state: Some(before), .. })) => {
                let before = before.upgrade();
                match before.and_then(|before| snapshot.difference(&before)) {
                    Some(difference) => (difference, true),
                    None => (snapshot.frame(encoding, false)?, true),
                }
            }
            _ => (snapshot.frame(encoding, !follows)?, true),
        };
        let state = (chained && whole).then(|| self.seat.states.keep(snapshot.state()));
        // The next frame builds on this one, so that no other may take its place.
        let replaceable = follows && !(chained && whole);
        let meter = &self.seat.layouts().meter;
        meter.frames.inc();
        meter.frame_bytes.inc_by(frame.len() as u64);
        let now = Instant::now();
        // In step with the rate where it keeps up, and anew where it does not.
        self.due =
            if self.due + wish.interval > now { self.due + wish.interval } else { now + wish.interval };
        self.known = Some(Known {
            wish: wish.clone(),
            encoding,
            membership: columns.membership,
            sequence: columns.sequence,
            state,
        });
        Ok(Some(LayoutEvent { event: Some(Event::Frame(frame)), replaceable }))
    }

    /// Waits until there may be something to tell.
    async fn wait(&mut self) {
        let newer = |frames: &watch::Receiver<Option<Arc<Snapshot>>>, known: &Option<Known>| {
            let sequence = frames.borrow().as_ref().map(|snapshot| snapshot.columns().sequence);
            known.as_ref().is_some_and(|known| sequence.is_some_and(|sequence| sequence != known.sequence))
        };
        // A frame that is there and not due yet: nothing newer matters until it is.
        let frame_waits = newer(&self.frames, &self.known);
        let progress_waits = self.told.as_ref().is_some_and(|told| self.live.borrow().progressed(told));
        let progress_due = self.told_at + PROGRESS;
        tokio::select! {
            Ok(()) = self.frames.changed(), if !frame_waits => {}
            () = tokio::time::sleep_until(self.due), if frame_waits => {}
            () = tokio::time::sleep_until(progress_due), if progress_waits => {}
            // Only a change that must be told at once, or the first progress since the last telling.
            () = notable(&mut self.live, self.told.as_ref(), progress_waits) => {}
            Ok(()) = self.wishes.changed() => {}
            Some(refused) = self.refusals.recv() => self.refused = Some(refused),
            () = self.draining.cancelled() => {}
        }
    }
}

/// Waits for a state of the layout that matters to a viewer.
async fn notable(live: &mut watch::Receiver<Live>, told: Option<&Live>, progress_waits: bool) {
    let matters = |live: &Live| {
        told.is_none_or(|told| live.differs(told) || (!progress_waits && live.progressed(told)))
    };
    if live.wait_for(matters).await.is_err() {
        // The viewer's seat keeps the sender alive.
        std::future::pending::<()>().await;
    }
}
