//! What a module can import, and what belongs to one call of it: with a bound for everything that it has.

use wasmi::{Caller, Engine, Error, Linker, ResourceLimiter, errors::HostError};
use wasmi_core::LimiterError;

use crate::domain::fault::StepError;

/// Functions of `weft` that a module can import.
pub(super) const GIVEN: [&str; 2] = ["log", "fail"];

/// Elements of a table. Tables do not grow: a call that runs out of fuel while one does could not go on.
const TABLE: usize = 100_000;
/// Lines and bytes that are kept of what a call logs.
const LOG_LINES: usize = 100;
const LOG_BYTES: usize = 16 << 10;
/// Bytes of what a call says about its failure.
const FAILURE_BYTES: usize = 2_000;

/// What belongs to one call.
pub(super) struct Guest {
    memory: usize,
    /// It has begun: tables stay as they are.
    pub(super) begun: bool,
    /// It was refused more memory.
    pub(super) refused: bool,
    /// What is left of its fuel.
    pub(super) fuel: u64,
    pub(super) log: Vec<String>,
    log_bytes: usize,
}

impl Guest {
    /// Of a call that may use so much fuel, and so many bytes of memory.
    pub(super) fn new(fuel: u64, memory: usize) -> Self {
        Self { memory, begun: false, refused: false, fuel, log: Vec::new(), log_bytes: 0 }
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        let may = desired <= self.memory;
        self.refused |= !may;
        Ok(may)
    }
    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        let may = !self.begun && desired <= TABLE;
        self.refused |= !may;
        Ok(may)
    }
    fn instances(&self) -> usize {
        1
    }
    fn tables(&self) -> usize {
        8
    }
    fn memories(&self) -> usize {
        1
    }
}

/// What a module has ended its call with.
#[derive(Debug)]
pub(super) struct Raised(pub(super) StepError);

impl std::fmt::Display for Raised {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl HostError for Raised {}

/// What modules can import.
pub(super) fn linker(engine: &Engine) -> Result<Linker<Guest>, Error> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("weft", "log", |mut caller: Caller<'_, Guest>, at: i32, length: i32| {
        let Guest { log, log_bytes, .. } = caller.data();
        let room = if log.len() < LOG_LINES { LOG_BYTES.saturating_sub(*log_bytes) } else { 0 };
        let line = told(&caller, at, length, room)?;
        if room > 0 {
            let guest = caller.data_mut();
            guest.log_bytes += line.len();
            guest.log.push(line);
        }
        Ok(())
    })?;
    linker.func_wrap(
        "weft",
        "fail",
        |caller: Caller<'_, Guest>, at: i32, length: i32| -> Result<(), Error> {
            let message = told(&caller, at, length, FAILURE_BYTES)?;
            Err(Error::host(Raised(StepError::new("CODE_FAILED", message))))
        },
    )?;
    Ok(linker)
}

/// A text in the module's memory, of which so many bytes are looked at.
fn told(caller: &Caller<'_, Guest>, at: i32, length: i32, most: usize) -> Result<String, Error> {
    let memory = caller.get_export("memory").and_then(wasmi::Extern::into_memory);
    let bytes = memory.and_then(|memory| piece(memory.data(caller), at as u32, length as u32));
    let bytes = bytes.ok_or_else(|| {
        Error::host(Raised(StepError::new("CODE_RESULT", "a text is not in the module's memory")))
    })?;
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned())
}

pub(super) fn piece(memory: &[u8], at: u32, length: u32) -> Option<&[u8]> {
    memory.get(at as usize..)?.get(..length as usize)
}
