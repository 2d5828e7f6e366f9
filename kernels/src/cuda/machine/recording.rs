//! Graphs of kernels that are recorded once and replayed.

use std::ffi::c_void;
use std::ptr::null_mut;

use super::super::driver::{self, Executable, Graph};
use super::copies::Buffer;
use super::{Machine, THREADS};
use crate::DeviceError;

/// What a kernel is given.
#[derive(Debug, Clone, Copy)]
pub(in crate::cuda) enum Argument {
    Memory(u64),
    Number(u32),
}

impl From<&Buffer> for Argument {
    fn from(buffer: &Buffer) -> Self {
        Self::Memory(buffer.address)
    }
}

impl From<u32> for Argument {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

/// One kernel, to be run by `grid` blocks of [`THREADS`].
#[derive(Debug)]
pub(in crate::cuda) struct Launch {
    pub(in crate::cuda) kernel: &'static str,
    pub(in crate::cuda) grid: u32,
    /// Bytes of memory that a block shares, beside what the kernel declares.
    pub(in crate::cuda) shared: u32,
    pub(in crate::cuda) arguments: Vec<Argument>,
}

/// A list of launches that the device starts with one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recording {
    graph: Graph,
    executable: Executable,
}

impl Machine {
    /// Runs the launches that are known by `key`, or those that `make` lists, which are then known by it: a
    /// graph is started with one call.
    pub(in crate::cuda) fn play(
        &mut self,
        key: u64,
        make: impl FnOnce() -> Vec<Launch>,
    ) -> Result<(), DeviceError> {
        self.enter()?;
        let recording = if let Some(known) = self.recordings.get(&key) {
            *known
        } else {
            let made = self.record(&make())?;
            self.recordings.insert(key, made);
            made
        };
        // SAFETY: all memory that the recording names is allocated, or `free` would have made the machine
        // forget it.
        unsafe { self.driver.graph_launch(recording.executable, self.stream) }
            .map_err(self.failed("starting a tick"))
    }

    fn record(&self, launches: &[Launch]) -> Result<Recording, DeviceError> {
        let (driver, recording) = (self.driver, self.failed("recording"));
        let (mut graph, mut executable) = (Graph::NONE, Executable::NONE);
        // SAFETY: the stream lives as long as the machine, and does not record: whoever begins ends it below.
        unsafe { driver.capture_begin(self.stream, driver::THREAD_LOCAL) }.map_err(&recording)?;
        let launched = launches.iter().try_for_each(|launch| self.launch(launch));
        // Also after a failure: the stream must not be left recording.
        // SAFETY: it was begun above, by this thread.
        let ended = unsafe { driver.capture_end(self.stream, &raw mut graph) };
        let made = launched.and_then(|()| {
            // SAFETY: the graph was recorded just now.
            ended
                .and_then(|()| unsafe { driver.graph_instantiate(&raw mut executable, graph, 0) })
                .map_err(&recording)
        });
        if let Err(error) = made {
            if graph != Graph::NONE {
                // SAFETY: nobody else has it. A failure leaves nothing to do.
                let _ = unsafe { driver.graph_destroy(graph) };
            }
            return Err(error);
        }
        Ok(Recording { graph, executable })
    }

    fn launch(&self, launch: &Launch) -> Result<(), DeviceError> {
        // The driver copies each argument from where it lies, as many bytes as the kernel declares. Of a
        // number these are the first four: every host of a CUDA device has the low bytes first.
        let mut values: Vec<u64> = launch
            .arguments
            .iter()
            .map(|argument| match argument {
                Argument::Memory(address) => *address,
                Argument::Number(number) => u64::from(*number),
            })
            .collect();
        let mut pointers: Vec<*mut c_void> =
            values.iter_mut().map(|value| std::ptr::from_mut(value).cast()).collect();
        let function = self.functions[launch.kernel];
        let (grid, shared, arguments) = (launch.grid, launch.shared, pointers.as_mut_ptr());
        // SAFETY: a test checks that the arguments of each launch are those that the kernel declares, in
        // number and kind; what a kernel touches of them is checked by running it between guards. The
        // values live until the call returns.
        unsafe {
            self.driver.launch(
                function,
                grid,
                1,
                1,
                THREADS,
                1,
                1,
                shared,
                self.stream,
                arguments,
                null_mut(),
            )
        }
        .map_err(self.failed("launching a kernel"))
    }

    /// Forgets what is recorded.
    pub(in crate::cuda) fn forget(&mut self) {
        for recording in std::mem::take(&mut self.recordings).into_values() {
            // SAFETY: nobody else has them; what still runs is kept by the driver until it has ended.
            unsafe {
                let _ = self.driver.executable_destroy(recording.executable);
                let _ = self.driver.graph_destroy(recording.graph);
            }
        }
    }
}
