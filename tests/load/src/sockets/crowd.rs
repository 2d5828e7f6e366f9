//! The clients: thousands of connections on which one thread reads and counts.
//!
//! They share the cores with the server that is measured, so they are made to cost little: no task and no buffer of
//! their own, one system call for all that has come on a connection, no decoding but on a few. They look
//! every two milliseconds, as one interrupt of a network card tells of many packets.

use std::{
    io::{ErrorKind, Read, Write},
    mem::MaybeUninit,
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
};

use super::scan::{Found, Scan, Wire};

/// What a message's text begins with: then comes when it was made, in microseconds of this run, as 16 digits.
pub(super) const MARK: &str = "made-at:";
/// What is shorter is no message that is counted: a sign of life.
const LEAST: usize = 64;
/// Of so many connections one looks at the times in its messages; the others only count them.
const ONE_LOOKS: usize = 50;
/// How long the thread leaves the processor to the server after it has read all that had come.
const PAUSE: Duration = Duration::from_millis(2);

/// Many connections, and what has come on them.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

struct Shared {
    began: Instant,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// How late the messages were that were looked at, in milliseconds.
    late: Mutex<Vec<f64>>,
    is_over: AtomicBool,
}

struct Member {
    stream: TcpStream,
    scan: Scan,
}

impl Crowd {
    /// Takes connections that have been greeted and say nothing more themselves; times count from `began`.
    pub(super) fn gather(streams: Vec<TcpStream>, wire: Wire, began: Instant) -> Result<Self> {
        let shared = Arc::new(Shared {
            began,
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            late: Mutex::new(Vec::new()),
            is_over: AtomicBool::new(false),
        });
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut members = Vec::with_capacity(streams.len());
        for (index, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            epoll::add(&poll, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
            members.push(Member { stream, scan: Scan::new(wire, index.is_multiple_of(ONE_LOOKS)) });
        }
        let theirs = Arc::clone(&shared);
        let listen = move || theirs.listen(&poll, &mut members, wire);
        let thread = thread::Builder::new().name("crowd".into()).spawn(listen)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How many messages have come.
    pub(super) fn messages(&self) -> u64 {
        self.shared.messages.load(Ordering::Relaxed)
    }

    /// How many bytes they had, on average, without what the protocol adds.
    pub(super) fn size(&self) -> f64 {
        self.shared.bytes.load(Ordering::Relaxed) as f64 / self.messages() as f64
    }

    /// What a message says first that is made at a time of this run.
    pub(super) fn mark(&self, made: Instant) -> String {
        format!("{MARK}{:016}", made.duration_since(self.shared.began).as_micros())
    }

    /// How late messages were, in milliseconds, since this was last asked.
    pub(super) fn late(&self) -> Vec<f64> {
        std::mem::take(&mut *self.shared.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether all are still there.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.thread.take_if(|thread| thread.is_finished()) {
            Some(thread) => thread.join().ok().context("the crowd panicked")?,
            None if self.thread.is_none() => bail!("the crowd has gone"),
            None => Ok(()),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What went wrong in the end is of no interest any more.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn listen(&self, poll: &OwnedFd, members: &mut [Member], wire: Wire) -> Result<()> {
        let mut buffer = vec![0; 64 << 10];
        let mut ready = [MaybeUninit::uninit(); 1024];
        let patience = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        while !self.is_over.load(Ordering::Relaxed) {
            let events = match epoll::wait(poll, &mut ready, Some(&patience)) {
                Ok((events, _)) => &*events,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for event in events {
                let member = members.get_mut(event.data.u64() as usize).context("one of ours")?;
                self.hear(member, wire, &mut buffer)?;
            }
            if events.len() < 1024 {
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn hear(&self, Member { stream, scan }: &mut Member, wire: Wire, buffer: &mut [u8]) -> Result<()> {
        let read = match stream.read(buffer) {
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {
                return Ok(());
            }
            read => read?,
        };
        ensure!(read > 0, "the server has closed a connection");
        let (mut messages, mut bytes, mut pings, mut late) = (0, 0, 0, Vec::new());
        let mut unknown = false;
        scan.feed(&buffer[..read], |found| match found {
            Found::Message(length, message) if length >= LEAST => {
                messages += 1;
                bytes += length as u64;
                if !message.is_empty() {
                    match made_at(message) {
                        Some(made) => {
                            let took = self.began.elapsed().saturating_sub(made);
                            late.push(took.as_secs_f64() * 1e3);
                        }
                        None => unknown = true,
                    }
                }
            }
            Found::Message(..) => {}
            Found::Ping => pings += 1,
        })?;
        ensure!(!unknown, "a message that nobody has made: {}", String::from_utf8_lossy(&buffer[..read]));
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if !late.is_empty() {
            self.late.lock().unwrap_or_else(PoisonError::into_inner).append(&mut late);
        }
        let pong: &[u8] = match wire {
            // Masked with zeros.
            Wire::WebSocket => &[0x8a, 0x80, 0, 0, 0, 0],
            Wire::Nats => b"PONG\r\n",
        };
        for _ in 0..pings {
            stream.write_all(pong)?;
        }
        Ok(())
    }
}

fn made_at(message: &[u8]) -> Option<Duration> {
    let at = message.windows(MARK.len()).position(|window| window == MARK.as_bytes())? + MARK.len();
    let digits = std::str::from_utf8(message.get(at..at + 16)?).ok()?;
    digits.parse().ok().map(Duration::from_micros)
}
