//! One device: memory, copies, kernels, and graphs of kernels that are replayed.
//!
//! All that is asked of it goes through one stream, in order. Whatever fails once is not used again:
//! its owner drops it and may open another one.
#![expect(unsafe_code, reason = "the calls of a driver")]

use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::ptr::null_mut;

use super::driver::{self, Code, Context, Driver, Executable, Function, Graph, Module, Stream};
use crate::DeviceError;

/// The kernels, as `tools/make-ptx` has compiled them.
pub(super) const PTX: &str = include_str!("../../cuda/layout.ptx");

/// Threads of every block; `THREADS` of the kernels.
pub(super) const THREADS: u32 = 256;

/// Bytes that are on their way to the device at a time, at most.
const STAGED: usize = 1 << 18;
/// Memory that is no larger than this is kept, however little of it is needed.
const KEPT: usize = 1 << 14;

/// Some memory of the device; of no size until [`Machine::fit`] gives it one.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    address: u64,
    bytes: usize,
}

/// What a kernel is given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Argument {
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
pub(super) struct Launch {
    pub(super) kernel: &'static str,
    pub(super) grid: u32,
    /// Bytes of memory that a block shares, beside what the kernel declares.
    pub(super) shared: u32,
    pub(super) arguments: Vec<Argument>,
}

/// A list of launches that the device starts with one call.
#[derive(Debug, Clone, Copy)]
struct Recording {
    graph: Graph,
    executable: Executable,
}

/// Memory of the host that the device copies to and from by itself.
#[derive(Debug)]
struct Pinned {
    address: *mut c_void,
    bytes: usize,
}

impl Pinned {
    const NONE: Self = Self { address: null_mut(), bytes: 0 };
}

/// A device with the kernels loaded.
pub(super) struct Machine {
    driver: &'static Driver,
    ordinal: u32,
    device: i32,
    context: Context,
    stream: Stream,
    module: Module,
    functions: BTreeMap<&'static str, Function>,
    recordings: BTreeMap<u64, Recording>,
    /// Addresses of what is allocated.
    memory: Vec<u64>,
    /// Where copies from the device land.
    landing: Pinned,
    /// Where copies to the device start, and how much of it the device may not have read yet. So nobody has to
    /// keep what he writes until it has arrived.
    staging: Pinned,
    staged: usize,
}

// SAFETY: the driver's handles belong to the process, not to a thread; every method makes the context
// current in the thread that calls it, and `&mut self` lets only one call at a time.
unsafe impl Send for Machine {}
// SAFETY: nothing can be done with a shared reference but read its number.
unsafe impl Sync for Machine {}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("ordinal", &self.ordinal).finish_non_exhaustive()
    }
}

/// Names the call that failed.
fn failed(driver: &'static Driver, call: &'static str) -> impl Fn(Code) -> DeviceError {
    move |code| DeviceError::Failed { call, reason: driver.reason(code) }
}

impl Machine {
    /// Opens device `ordinal` and loads `kernels`.
    pub(super) fn open(ordinal: u32, kernels: &[&'static str]) -> Result<Self, DeviceError> {
        let driver = driver::driver()?;
        let none = |code| DeviceError::NoDevice { ordinal, reason: driver.reason(code) };
        let (mut device, mut context) = (0, Context::NONE);
        // SAFETY: there is no condition but the order of these calls, and places for what comes out.
        unsafe {
            driver.init(0).map_err(none)?;
            driver.device_get(&raw mut device, i32::try_from(ordinal).unwrap_or(i32::MAX)).map_err(none)?;
        }
        let attribute = |which| {
            let mut value = 0;
            // SAFETY: the device is one that the driver named.
            unsafe { driver.device_attribute(&raw mut value, which, device) }.map_err(none)?;
            Ok(value)
        };
        let (major, minor) = (attribute(driver::GENERATION)?, attribute(driver::VARIANT)?);
        if (major, minor) < (7, 5) {
            return Err(DeviceError::TooOld { ordinal, major, minor });
        }
        // SAFETY: as above; the machine releases it when dropped.
        unsafe { driver.context_retain(&raw mut context, device) }
            .map_err(failed(driver, "taking the device"))?;
        let mut machine = Self {
            driver,
            ordinal,
            device,
            context,
            stream: Stream::NONE,
            module: Module::NONE,
            functions: BTreeMap::new(),
            recordings: BTreeMap::new(),
            memory: Vec::new(),
            landing: Pinned::NONE,
            staging: Pinned::NONE,
            staged: 0,
        };
        machine.enter()?;
        // SAFETY: the context is current.
        unsafe { driver.stream_create(&raw mut machine.stream, driver::NON_BLOCKING) }
            .map_err(failed(driver, "making a stream"))?;
        machine.load(kernels)?;
        Ok(machine)
    }

    fn load(&mut self, kernels: &[&'static str]) -> Result<(), DeviceError> {
        let driver = self.driver;
        let text = CString::new(PTX).map_err(|_| DeviceError::Failed {
            call: "loading the kernels",
            reason: "their text has a zero in it".to_owned(),
        })?;
        // SAFETY: the text ends with a zero and lives until the call returns.
        unsafe { driver.module_load(&raw mut self.module, text.as_ptr()) }
            .map_err(failed(driver, "loading the kernels"))?;
        for kernel in kernels {
            let (name, mut function) = (CString::new(*kernel).unwrap_or_default(), Function::NONE);
            // SAFETY: the module was loaded above.
            unsafe { driver.module_function(&raw mut function, self.module, name.as_ptr()) }
                .map_err(failed(driver, "looking up a kernel"))?;
            self.functions.insert(kernel, function);
        }
        Ok(())
    }

    /// Makes the context that of this thread, whichever it is today.
    fn enter(&self) -> Result<(), DeviceError> {
        // SAFETY: the context is retained until the machine is dropped.
        unsafe { self.driver.context_set(self.context) }.map_err(failed(self.driver, "entering the context"))
    }

    /// Makes `buffer` at least `bytes` large, and smaller where it is several times that. What was in it is lost if
    /// it moves; then recordings, which know addresses, are forgotten. A little more than asked for, so
    /// that growth does not move it each time.
    pub(super) fn fit(&mut self, buffer: &mut Buffer, bytes: usize) -> Result<(), DeviceError> {
        let wasted = buffer.bytes > KEPT.max(4 * bytes);
        if buffer.address != 0 && buffer.bytes >= bytes && !wasted {
            return Ok(());
        }
        self.free(buffer)?;
        let (mut address, room) = (0, (bytes + bytes / 8).max(16));
        // SAFETY: the context is current. The memory is not read before it is written: kernels and copies
        // that fill it come first in the stream.
        unsafe { self.driver.memory_allocate(&raw mut address, room) }
            .map_err(failed(self.driver, "allocating memory"))?;
        self.memory.push(address);
        *buffer = Buffer { address, bytes: room };
        Ok(())
    }

    /// Gives the memory of `buffer` back, if it has any. Recordings are forgotten.
    pub(super) fn free(&mut self, buffer: &mut Buffer) -> Result<(), DeviceError> {
        self.enter()?;
        self.forget();
        let address = std::mem::take(buffer).address;
        if address == 0 {
            return Ok(());
        }
        // Nothing may still be using it.
        self.wait()?;
        self.memory.retain(|kept| *kept != address);
        // SAFETY: it was allocated by `fit`, is in no recording any more, and the stream has come to its end.
        unsafe { self.driver.memory_free(address) }.map_err(failed(self.driver, "freeing memory"))
    }

    /// Gives all memory back, of the device and pinned; no buffer may be used any more.
    pub(super) fn free_all(&mut self) -> Result<(), DeviceError> {
        self.enter()?;
        self.forget();
        self.wait()?;
        for address in std::mem::take(&mut self.memory) {
            // SAFETY: as in `free`, for every buffer.
            unsafe { self.driver.memory_free(address) }.map_err(failed(self.driver, "freeing memory"))?;
        }
        unpin(self.driver, &mut self.landing);
        unpin(self.driver, &mut self.staging);
        Ok(())
    }

    /// Copies `from` to the begin of `buffer`, which is large enough. `from` may go when this returns.
    pub(super) fn write(&mut self, buffer: &Buffer, from: &[u8]) -> Result<(), DeviceError> {
        assert!(from.len() <= buffer.bytes, "a copy stays inside its buffer");
        if from.is_empty() {
            return Ok(());
        }
        self.enter()?;
        pin(self.driver, &mut self.staging, STAGED)?;
        let mut done = 0;
        while done < from.len() {
            if self.staged >= STAGED {
                self.wait()?;
            }
            let piece = &from[done..from.len().min(done + STAGED - self.staged)];
            // SAFETY: `staging` has `STAGED` bytes, and the device has read or will not read those from `staged`
            // on. Nobody else knows them.
            let start = unsafe {
                let start = self.staging.address.cast::<u8>().add(self.staged);
                start.copy_from_nonoverlapping(piece.as_ptr(), piece.len());
                start
            };
            // SAFETY: the buffer is allocated and large enough. What is copied is pinned, belongs to the machine,
            // and is not written to again before `wait` says that it was read.
            unsafe {
                self.driver.copy_there(buffer.address + done as u64, start.cast(), piece.len(), self.stream)
            }
            .map_err(failed(self.driver, "copying to the device"))?;
            done += piece.len();
            self.staged = (self.staged + piece.len()).next_multiple_of(64);
        }
        Ok(())
    }

    /// Copies the begins of some buffers to the host, one after another, and waits until all that was asked
    /// of the device before is done.
    pub(super) fn read(&mut self, wanted: &[(&Buffer, usize)]) -> Result<&[u8], DeviceError> {
        self.enter()?;
        let all = wanted.iter().map(|(_, bytes)| bytes).sum();
        pin(self.driver, &mut self.landing, all)?;
        let mut done = 0;
        for (buffer, bytes) in wanted {
            assert!(*bytes <= buffer.bytes, "a copy stays inside its buffer");
            // SAFETY: both ends are allocated and large enough, and stay until the stream has come here, which
            // is waited for below. Nobody has a reference to `landing`: the last one ended with its borrow
            // of `self`.
            unsafe {
                let to = self.landing.address.cast::<u8>().add(done).cast();
                self.driver.copy_back(to, buffer.address, *bytes, self.stream)
            }
            .map_err(failed(self.driver, "copying from the device"))?;
            done += bytes;
        }
        self.wait()?;
        // SAFETY: so many bytes were pinned, with zeros in them, and the copies to them are done.
        Ok(unsafe { std::slice::from_raw_parts(self.landing.address.cast::<u8>(), all) })
    }

    /// Waits until the device has done all that was asked of it.
    fn wait(&mut self) -> Result<(), DeviceError> {
        // SAFETY: the stream lives as long as the machine, and records only in `record`.
        unsafe { self.driver.stream_synchronize(self.stream) }.map_err(failed(self.driver, "computing"))?;
        self.staged = 0;
        Ok(())
    }

    /// Runs the launches that are known by `key`, or those that `make` lists, which are then known by it: a
    /// graph is started with one call.
    pub(super) fn play(&mut self, key: u64, make: impl FnOnce() -> Vec<Launch>) -> Result<(), DeviceError> {
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
            .map_err(failed(self.driver, "starting a tick"))
    }

    fn record(&self, launches: &[Launch]) -> Result<Recording, DeviceError> {
        let (driver, recording) = (self.driver, failed(self.driver, "recording"));
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
        .map_err(failed(self.driver, "launching a kernel"))
    }

    /// Forgets what is recorded.
    pub(super) fn forget(&mut self) {
        for recording in std::mem::take(&mut self.recordings).into_values() {
            // SAFETY: nobody else has them; what still runs is kept by the driver until it has ended.
            unsafe {
                let _ = self.driver.executable_destroy(recording.executable);
                let _ = self.driver.graph_destroy(recording.graph);
            }
        }
    }

    /// Bytes of the host that are pinned.
    pub(super) fn memory(&self) -> usize {
        self.landing.bytes + self.staging.bytes
    }
}

/// Makes `pinned` at least `bytes` large. It only grows: a tick reads a little and then much. Nothing is on its way to or
/// from it where it moves.
fn pin(driver: &'static Driver, pinned: &mut Pinned, bytes: usize) -> Result<(), DeviceError> {
    if !pinned.address.is_null() && pinned.bytes >= bytes {
        return Ok(());
    }
    unpin(driver, pinned);
    let (mut address, room) = (null_mut(), (bytes + bytes / 8).max(64));
    // SAFETY: the context is current.
    unsafe { driver.pinned_allocate(&raw mut address, room, 0) }.map_err(failed(driver, "pinning memory"))?;
    // SAFETY: so many bytes were just allocated.
    unsafe { address.cast::<u8>().write_bytes(0, room) };
    *pinned = Pinned { address, bytes: room };
    Ok(())
}

/// Gives pinned memory back.
fn unpin(driver: &'static Driver, pinned: &mut Pinned) {
    let Pinned { address, .. } = std::mem::replace(pinned, Pinned::NONE);
    if !address.is_null() {
        // SAFETY: allocated by `pin`. Copies were waited for, or the device is lost and copies nothing. A failure
        // leaves nothing to do.
        let _ = unsafe { driver.pinned_free(address) };
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Where the device is lost all of this fails, and there is nothing left to do about it.
        let _ = self.enter();
        if self.stream != Stream::NONE {
            let _ = self.wait();
        }
        self.forget();
        unpin(self.driver, &mut self.landing);
        unpin(self.driver, &mut self.staging);
        // SAFETY: everything was made in this context and is used by nobody any more.
        unsafe {
            for address in std::mem::take(&mut self.memory) {
                let _ = self.driver.memory_free(address);
            }
            if self.module != Module::NONE {
                let _ = self.driver.module_unload(self.module);
            }
            if self.stream != Stream::NONE {
                let _ = self.driver.stream_destroy(self.stream);
            }
            // The context belongs to the process; this thread should not hold on to one that may go.
            let _ = self.driver.context_set(Context::NONE);
            let _ = self.driver.context_release(self.device);
        }
    }
}
