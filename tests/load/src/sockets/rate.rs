//! How much a server can say to all its clients: all at once, and at the highest rate that it keeps up.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{sleep, timeout};

use super::{
    CONNECTIONS,
    crowd::Crowd,
    server::{Publisher, Server},
};
use crate::{report::percentile, rpc::now};

/// The latest that 99 of 100 messages may come, in milliseconds.
pub(super) const P99: f64 = 200.0;
/// How many are said at once.
const BURST: u32 = 200;
/// How long a rate is kept up.
const SPAN: Duration = Duration::from_secs(2);
/// How much may be outstanding at a rate before it is plainly too high, and how late the last may come after the end.
const BEHIND: f64 = 1.0;
const LATE: Duration = Duration::from_millis(500);
/// A rate below which nothing is looked for: one thing a second.
const LEAST: f64 = CONNECTIONS as f64;
/// How long to wait for what is outstanding.
const PATIENCE: Duration = Duration::from_secs(60);
/// A rate is known well enough when one that is so many times as high is not kept up.
const PRECISION: f64 = 1.15;

/// What was measured of one server in one round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Memory of an idle connection, in KB.
    pub(super) idle: f64,
    /// The highest rate that is kept up, in messages a second, and milliseconds to 99 of 100 clients at it.
    pub(super) kept: f64,
    pub(super) p99: f64,
    /// Messages a second when many are said at once, and microseconds that the server computes for one.
    pub(super) burst: f64,
    pub(super) micros: f64,
}

/// A server, who says something to its clients, and they.
pub(super) struct Voice<'a> {
    pub(super) server: &'a Server,
    pub(super) publisher: Publisher,
    pub(super) crowd: Crowd,
}

impl Voice<'_> {
    /// Says many things at once: messages a second until all have come, and the server's microseconds for one.
    pub(super) async fn burst(&mut self) -> Result<(f64, f64)> {
        self.say(BURST / 10).await?;
        let (began, computed) = (now(), self.server.computed()?);
        self.say(BURST).await?;
        let (seconds, messages) = (began.elapsed().as_secs_f64(), f64::from(BURST) * CONNECTIONS as f64);
        Ok((messages / seconds, (self.server.computed()? - computed) * 1e6 / messages))
    }

    /// Says so many things, and waits until all have come.
    async fn say(&mut self, count: u32) -> Result<()> {
        let all = self.crowd.messages() + u64::from(count) * CONNECTIONS as u64;
        for _ in 0..count {
            let mark = self.crowd.mark(now());
            self.publisher.say(&mark).await?;
        }
        self.until(all).await
    }

    async fn until(&mut self, all: u64) -> Result<()> {
        let coming = async {
            while self.crowd.messages() < all {
                self.crowd.check()?;
                sleep(Duration::from_millis(1)).await;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, coming).await.context("messages are lost")?
    }

    /// The highest rate that is kept up, in messages a second, and its 99th percentile in milliseconds; looked for
    /// below what comes when many things are said at once. If none is kept up, the lowest that was tried, as none.
    pub(super) async fn ceiling(&mut self, most: f64) -> Result<(f64, f64)> {
        let mut rate = most;
        let mut best: Option<(f64, f64)> = None;
        let mut failed = f64::INFINITY;
        loop {
            let (p99, is_kept) = self.at_rate(rate).await?;
            if is_kept {
                best = Some((rate, p99));
            } else {
                failed = rate;
            }
            rate = match best {
                None if failed <= LEAST => return Ok((0.0, p99)),
                None => (failed / 2.0).max(LEAST),
                Some((kept, p99)) if failed / kept <= PRECISION => return Ok((kept, p99)),
                Some((kept, _)) if failed.is_infinite() => kept * 2.0,
                Some((kept, _)) => (kept * failed).sqrt(),
            };
        }
    }

    /// Says something to all as often as makes so many messages a second, however many are on their way: the 99th
    /// percentile in milliseconds, and whether it is kept up.
    async fn at_rate(&mut self, rate: f64) -> Result<(f64, bool)> {
        let pause = Duration::from_secs_f64(CONNECTIONS as f64 / rate);
        self.crowd.late();
        let (before, began, mut said) = (self.crowd.messages(), now(), 0_u64);
        let mut is_kept = true;
        // At a low rate a few things are more than a second's worth.
        let most = (rate * BEHIND).max(4.0 * CONNECTIONS as f64);
        while is_kept && began.elapsed() < SPAN {
            // Late or not, it counts from when it should have been said.
            let due = began + pause * said as u32;
            sleep(due.saturating_duration_since(now())).await;
            let mark = self.crowd.mark(due);
            self.publisher.say(&mark).await?;
            said += 1;
            let come = self.crowd.messages() - before;
            is_kept = ((said * CONNECTIONS as u64).saturating_sub(come) as f64) < most;
        }
        let ended = began + SPAN;
        self.until(before + said * CONNECTIONS as u64).await?;
        let p99 = percentile(self.crowd.late(), 0.99);
        is_kept = is_kept && ended.elapsed() <= LATE && p99 <= P99;
        tracing::info!(rate, p99, is_kept, "a rate");
        Ok((p99, is_kept))
    }
}
