//! WatchDeliveries: what comes, and what becomes of it, without a journal.
//!
//! A watcher remembers the newest deliveries as it has told them, and nothing else. It is woken when something has
//! changed anywhere, looks at the newest again, and tells what is other than it was. So whoever reads slowly costs nobody
//! anything, and gets what is newest; and the looks are shared.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior},
};
use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{
    Delivery, DeliveryState, WatchDeliveriesRequest, WatchDeliveriesResponse,
};
use weft_store::StoreError;

use super::find::Search;
use crate::{
    Error,
    looks::{Page, Share},
    news::AT_LEAST,
    state::State,
};

/// The newest deliveries that are looked at.
const WINDOW: u32 = 200;
/// How often something is told where nothing has happened.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<WatchDeliveriesRequest>,
) -> Result<impl Stream<Item = Result<WatchDeliveriesResponse, Error>> + Send + use<>, Error> {
    let request = call.message;
    let woken = state.news.watch();
    let search = Search::open(state, "WatchDeliveries", &request.parent, "").await?;
    let told = search.before(&request.after_cursor)?;
    let trigger = search.trigger.as_ref().map(|trigger| trigger.uid);
    let share = state.looks.share((search.project.clone(), trigger));
    let every = |period: Duration| {
        let mut interval = tokio::time::interval_at(Instant::now() + period, period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    };
    let watcher = Watcher {
        state: Arc::clone(state),
        search,
        share,
        woken,
        known: None,
        told,
        announced: false,
        looks: every(AT_LEAST),
        signs_of_life: every(HEARTBEAT),
    };
    Ok(stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(told) => Some((Ok(told), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Watcher {
    state: Arc<State>,
    search: Search,
    share: Share<Page>,
    woken: watch::Receiver<Instant>,
    /// The newest as they were told; nothing before the first look.
    known: Option<HashMap<Uuid, Delivery>>,
    /// Up to here all was told, and nothing is pending.
    told: Option<Uuid>,
    /// That all is told that there was.
    announced: bool,
    looks: Interval,
    signs_of_life: Interval,
}

impl Watcher {
    async fn next(&mut self) -> Result<WatchDeliveriesResponse, Error> {
        let mut due = self.known.is_none().then(Instant::now);
        loop {
            if let Some(since) = due.take() {
                let (deliveries, skipped) = self.look(since).await?;
                if !deliveries.is_empty() {
                    return Ok(self.say(deliveries, skipped));
                }
            }
            if !self.announced {
                self.announced = true;
                return Ok(self.say(Vec::new(), false));
            }
            tokio::select! {
                // All who are woken want what was there then: one look is enough for them.
                changed = self.woken.changed() => due = changed.ok().map(|()| *self.woken.borrow_and_update()),
                _ = self.looks.tick() => due = Some(Instant::now()),
                _ = self.signs_of_life.tick() => return Ok(self.say(Vec::new(), false)),
                () = self.state.lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }

    fn say(&self, deliveries: Vec<Delivery>, skipped: bool) -> WatchDeliveriesResponse {
        let cursor = self.search.token(self.told);
        WatchDeliveriesResponse { deliveries, cursor, caught_up: self.announced, skipped }
    }

    /// What is other than it was told, the oldest first; and whether there may be more than is looked at.
    async fn look(&mut self, since: Instant) -> Result<(Vec<Delivery>, bool), Error> {
        let (state, search) = (&self.state, &self.search);
        let look = async {
            search.still_there(state).await?;
            search.page(state, None, WINDOW).await
        };
        let page = self.share.since(since, look).await?;
        let is_known = |id: &Uuid| self.known.as_ref().is_some_and(|known| known.contains_key(id));
        let is_told = |id: &Uuid| self.told.is_some_and(|told| *id <= told);
        let meets =
            page.next.is_none() || page.found.iter().any(|(row, _)| is_known(&row.id) || is_told(&row.id));
        let is_first = self.known.is_none();
        // Who begins has missed nothing.
        let begins = is_first && self.told.is_none();
        let skipped = !(meets || begins);
        let mut news: Vec<Delivery> = Vec::new();
        for (row, delivery) in page.found.iter().rev() {
            let before = self.known.as_ref().and_then(|known| known.get(&row.id));
            // Where it goes on, what was told is not told again.
            if before != Some(delivery) && !(is_first && is_told(&row.id)) {
                news.push(delivery.clone());
            }
        }
        let is_open = |delivery: &Delivery| delivery.state() == DeliveryState::Pending;
        let oldest_open =
            page.found.iter().rev().find(|(_, delivery)| is_open(delivery)).map(|(row, _)| row.id);
        let settled =
            page.found.iter().map(|(row, _)| row.id).find(|id| oldest_open.is_none_or(|open| *id < open));
        self.told = self.told.max(settled);
        self.known = Some(page.found.iter().map(|(row, delivery)| (row.id, delivery.clone())).collect());
        Ok((news, skipped))
    }
}

impl Search {
    /// Fails where its trigger was deleted.
    async fn still_there(&self, state: &State) -> Result<(), Error> {
        let Some(trigger) = &self.trigger else { return Ok(()) };
        match state.store.find_trigger(trigger.uid).await {
            Ok(_) => Ok(()),
            Err(StoreError::NotFound { .. }) => {
                Err(Error::NotFound(crate::domain::name::of_trigger(&trigger.project, &trigger.id)))
            }
            Err(error) => Err(error.into()),
        }
    }
}
