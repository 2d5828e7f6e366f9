//! The words of the engine: what a job is asked to be, and what may become of it.

use std::time::Duration;

use bytes::Bytes;

/// Which job: the batch that it was accepted in, and its place there from 0. Sorts by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// Number of the batch; later ones are larger.
    pub batch: i64,
    /// Place in the batch.
    pub number: u32,
}

/// How urgent. Inside one, the oldest is first; a lower one still gets its share (16 : 4 : 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before the others.
    High,
    /// As most.
    #[default]
    Normal,
    /// After the others.
    Low,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// 0 for the most urgent.
    pub const fn class(self) -> usize {
        self as usize
    }
}

/// What to do after a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How often it is tried at most; 1: not again.
    pub max_attempts: u32,
    /// The first pause, which doubles with each further failure. Half of a pause is chance.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// Reasons after which it is not tried again.
    pub final_reasons: Vec<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(5),
            final_reasons: Vec::new(),
        }
    }
}

impl Retry {
    /// The pause after a failure, the first being 1. `chance` is from 0 to 1.
    pub fn pause(&self, failures: u32, chance: f64) -> Duration {
        let doubled = self.first_pause.saturating_mul(1_u32 << failures.saturating_sub(1).min(30));
        let whole = doubled.min(self.longest_pause);
        whole.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

/// At most so many jobs with a key execute at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited, for example `projects/p/commandTypes/t`.
    pub key: String,
    /// How many. The newest batch that names a key decides.
    pub most: u32,
}

/// Under which terms the jobs of a batch run. Instants are microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// How urgent.
    pub priority: Priority,
    /// Wait until [`release`](crate::Jobs::release).
    pub held: bool,
    /// Start no job before.
    pub not_before: Option<i64>,
    /// A job that has not started by then fails, with reason `EXPIRED`.
    pub start_before: Option<i64>,
    /// A job that has not ended by then fails, with reason `DEADLINE_EXCEEDED`.
    pub deadline: Option<i64>,
    /// How long one attempt may take.
    pub attempt_timeout: Option<Duration>,
    /// What to do after a failure.
    pub retry: Retry,
    /// How many jobs of the batch execute at a time at most; 0: no limit.
    pub at_once: u32,
    /// After so many failed jobs the others are cancelled; 0: never.
    pub stop_after: u32,
    /// Further limits.
    pub limits: Vec<Limit>,
}

/// Where a job stands. It moves only forward, but for a retry, which goes back to pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for its time, for room or for a worker.
    Pending = 1,
    /// A worker has it.
    Executing = 2,
    /// Ended well.
    Completed = 3,
    /// Ended badly, and is not tried again.
    Failed = 4,
    /// Ended because somebody wanted it to.
    Cancelled = 5,
}

impl State {
    /// Whether nothing will happen to it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// As it is stored.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// As it was stored.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Pending),
            2 => Some(Self::Executing),
            3 => Some(Self::Completed),
            4 => Some(Self::Failed),
            5 => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// Why an executing job was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody cancelled it.
    Cancelled = 1,
    /// Too many others of its batch failed.
    BatchStopped = 2,
    /// The attempt took too long.
    TimedOut = 3,
    /// The job's deadline is over.
    Deadline = 4,
}

impl Stop {
    /// The stable reason that a job which was stopped ends with.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::BatchStopped => "BATCH_STOPPED",
            Self::TimedOut => "TIMED_OUT",
            Self::Deadline => "DEADLINE_EXCEEDED",
        }
    }

    /// As it was stored; 0 is none.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Cancelled),
            2 => Some(Self::BatchStopped),
            3 => Some(Self::TimedOut),
            4 => Some(Self::Deadline),
            _ => None,
        }
    }
}

/// What a worker says became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Completed {
        /// What came out.
        result: Bytes,
    },
    /// It did not.
    Failed {
        /// Stable reason, `UPPER_SNAKE`.
        reason: String,
        /// For people.
        message: String,
        /// Whether another attempt may help.
        retryable: bool,
        /// What came out all the same.
        result: Bytes,
    },
    /// It was told to stop, and has.
    Cancelled,
}

/// How a job ended, or what its last attempt failed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Stable reason; empty where it ended well.
    pub reason: String,
    /// For people.
    pub message: String,
    /// What came out.
    pub result: Bytes,
}
