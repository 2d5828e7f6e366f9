//! The processes of a service: who is there, how they are called, and how long this one's own lease holds.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use uuid::Uuid;
use weft_kit::{Clock, Peer};
use weft_store::{MemberRow, StoreError, Timestamp};

use crate::{Error, Place, Sharing, ring};

/// What is known of the others is not asked for more often than this, however many calls miss somebody.
const FRESH: Duration = Duration::from_millis(200);

/// The processes of a service, as this one knows them.
pub struct Members {
    sharing: Sharing,
    clock: Clock,
    lease: Duration,
    known: Mutex<HashMap<Uuid, Member>>,
    /// Until when nobody takes what this process has; `None` before it has joined.
    kept_until: watch::Sender<Option<Instant>>,
    /// Held while the store is asked; since when what is known is known.
    asked: tokio::sync::Mutex<Option<Instant>>,
    draining: AtomicBool,
    /// Its lease was given back, and is not written again.
    has_left: AtomicBool,
}

struct Member {
    row: MemberRow,
    peer: Peer,
}

impl Members {
    /// For one process; it has joined when its lease is written for the first time ([`Self::renew`]).
    #[must_use]
    pub fn new(sharing: Sharing, clock: Clock, lease: Duration) -> Self {
        Self {
            sharing,
            clock,
            lease,
            known: Mutex::default(),
            kept_until: watch::Sender::new(None),
            asked: tokio::sync::Mutex::default(),
            draining: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
        }
    }

    /// This process, as the others know it.
    pub fn uid(&self) -> Uuid {
        self.sharing.uid
    }

    /// How long a process that has died keeps others from what it had.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// The instant that leases are compared with.
    pub fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Waits until this process has joined.
    ///
    /// # Errors
    /// Its lease is over, so that others may take what it would take.
    pub async fn present(&self) -> Result<(), Error> {
        let mut kept_until = self.kept_until.subscribe();
        let joined = kept_until.wait_for(Option::is_some).await.map_err(|_| Error::Lapsed)?;
        if joined.is_some_and(|until| Instant::now() < until) { Ok(()) } else { Err(Error::Lapsed) }
    }

    /// Whether the lease was kept and is over now.
    pub fn has_lapsed(&self) -> bool {
        self.kept_until.borrow().is_some_and(|until| Instant::now() >= until)
    }

    /// From now on this process takes nothing any more.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Prolongs the lease, and learns who else is there. Whether the lease had been over before: then anything may have
    /// been taken.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn renew(&self) -> Result<bool, StoreError> {
        let mut asked = self.asked.lock().await;
        self.ask(&mut asked).await
    }

    async fn ask(&self, asked: &mut Option<Instant>) -> Result<bool, StoreError> {
        if self.has_left.load(Ordering::SeqCst) {
            return Ok(false);
        }
        let (began, at) = (Instant::now(), self.now());
        let Sharing { store, service, uid, address, .. } = &self.sharing;
        let draining = self.draining.load(Ordering::SeqCst);
        let me = MemberRow { uid: *uid, address: address.clone(), draining };
        let rows = store.keep_member(service, me, at, at.after(self.lease)).await?;
        self.learn(rows);
        *asked = Some(began);
        let before = self.kept_until.send_replace(Some(began + self.lease));
        Ok(before.is_some_and(|until| until <= began))
    }

    fn learn(&self, rows: Vec<MemberRow>) {
        let mut known = self.known();
        let mut before = std::mem::take(&mut *known);
        for row in rows {
            let member = match before.remove(&row.uid).filter(|member| member.row.address == row.address) {
                Some(member) => Member { row, ..member },
                None => match (self.sharing.dial)(&row.address) {
                    Ok(peer) => Member { row, peer },
                    Err(error) => {
                        tracing::warn!(
                            address = row.address,
                            error,
                            service = self.sharing.service,
                            "a process of the same service cannot be called"
                        );
                        continue;
                    }
                },
            };
            known.insert(member.row.uid, member);
        }
    }

    /// Forgets this process, so that nobody waits for the end of its lease.
    ///
    /// # Errors
    /// The store does not answer; the lease ends by itself.
    pub async fn leave(&self) -> Result<(), StoreError> {
        // After whoever is asking now.
        let _asked = self.asked.lock().await;
        self.has_left.store(true, Ordering::SeqCst);
        self.sharing.store.remove_member(self.uid()).await
    }

    /// How many are there, this one too.
    pub fn count(&self) -> usize {
        self.known().len()
    }

    /// How a member is called; nothing where its lease is over.
    ///
    /// # Errors
    /// This process's own lease is over, or the store does not answer.
    pub async fn peer_of(&self, member: Uuid) -> Result<Option<Peer>, Error> {
        let find = || self.known().get(&member).map(|member| member.peer.clone());
        if let Some(peer) = find() {
            return Ok(Some(peer));
        }
        self.refresh().await?;
        Ok(find())
    }

    /// Learns who is there, unless that was learnt a moment ago.
    ///
    /// # Errors
    /// This process's own lease is over, or the store does not answer.
    pub async fn refresh(&self) -> Result<(), Error> {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() >= FRESH) {
            // A lease that was over meanwhile is seen by who keeps it, which asks by itself.
            if self.has_lapsed() {
                return Err(Error::Lapsed);
            }
            self.ask(&mut asked).await?;
        }
        Ok(())
    }

    /// How all others are called.
    pub fn others(&self) -> Vec<Peer> {
        let known = self.known();
        let others = known.values().filter(|member| member.row.uid != self.uid());
        others.map(|member| member.peer.clone()).collect()
    }

    /// Which process takes what nobody has.
    #[must_use]
    pub fn belonging(&self, key: &[u8]) -> Place {
        let known = self.known();
        let takers = known.values().filter(|member| !member.row.draining).map(|member| member.row.uid);
        let mine = |uid: &Uuid| *uid == self.uid();
        match ring::winner(key, takers.filter(|uid| !mine(uid) || !self.draining.load(Ordering::SeqCst))) {
            Some(winner) if !mine(&winner) => Place::There { peer: known[&winner].peer.clone(), held: false },
            _ => Place::Here,
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Uuid, Member>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Sharing { uid, address, .. } = &self.sharing;
        formatter.debug_struct("Members").field("uid", uid).field("address", address).finish_non_exhaustive()
    }
}
