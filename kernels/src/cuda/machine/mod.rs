//! One device: memory, copies, kernels, and graphs of kernels that are replayed; and what it exchanges with others.
//!
//! All that is asked of it goes through one stream, in order. Whatever fails once is not used again:
//! its owner drops it and may open another one.
//!
//! | file | what it does |
//! |---|---|
//! | `copies.rs` | memory, and copies between it and the host |
//! | `recording.rs` | graphs of kernels |
//! | `exchange.rs` | copies from device to device, and who waits for whom |
#![expect(unsafe_code, reason = "the calls of a driver")]

mod copies;
mod exchange;
mod recording;

use std::collections::BTreeMap;
use std::ffi::CString;

use super::driver::{self, Code, Context, Driver, Event, Function, Module, Stream};
use crate::DeviceError;

use copies::{Pinned, unpin};
use recording::Recording;

pub(super) use copies::Buffer;
pub(super) use exchange::{Owned, exchange, link};
pub(super) use recording::{Argument, Launch};

/// The kernels, as `tools/make-ptx` has compiled them.
pub(super) const PTX: &str = include_str!("../../../cuda/layout.ptx");

/// Threads of every block; `THREADS` of the kernels.
pub(super) const THREADS: u32 = 256;

/// A device with the kernels loaded.
pub(super) struct Machine {
    driver: &'static Driver,
    ordinal: u32,
    /// Its compute capability.
    pub(in crate::cuda) generation: (i32, i32),
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
    /// What others wait for where a layout has several devices: that this one has come to its end, and that it has taken
    /// what is theirs.
    ready: Event,
    taken: Event,
}

// SAFETY: the driver's handles belong to the process, not to a thread; every method makes the context
// current in the thread that calls it, and `&mut self` lets only one call at a time.
unsafe impl Send for Machine {}
// SAFETY: outside of this module nothing can be done with a shared reference but read numbers, and `exchange` has the only ones.
unsafe impl Sync for Machine {}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("ordinal", &self.ordinal).finish_non_exhaustive()
    }
}

/// Names the device and the call that failed.
fn failed(driver: &'static Driver, ordinal: u32, call: &'static str) -> impl Fn(Code) -> DeviceError {
    move |code| DeviceError::Failed { ordinal, call, reason: driver.reason(code) }
}

/// Number of the devices that the driver knows.
pub(super) fn count() -> Result<u32, DeviceError> {
    let driver = driver::driver()?;
    let mut count = 0;
    // SAFETY: there is no condition but the order of these calls, and a place for what comes out.
    unsafe { driver.init(0).and_then(|()| driver.device_count(&raw mut count)) }
        .map_err(|code| DeviceError::NoDevice { ordinal: 0, reason: driver.reason(code) })?;
    Ok(u32::try_from(count).unwrap_or(0))
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
        unsafe { driver.context_retain(&raw mut context, device) }.map_err(failed(
            driver,
            ordinal,
            "taking the device",
        ))?;
        let mut machine = Self {
            driver,
            ordinal,
            generation: (major, minor),
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
            ready: Event::NONE,
            taken: Event::NONE,
        };
        machine.enter()?;
        // SAFETY: the context is current.
        unsafe { driver.stream_create(&raw mut machine.stream, driver::NON_BLOCKING) }
            .map_err(machine.failed("making a stream"))?;
        machine.load(kernels)?;
        Ok(machine)
    }

    fn load(&mut self, kernels: &[&'static str]) -> Result<(), DeviceError> {
        let driver = self.driver;
        let text = CString::new(PTX).map_err(|_| DeviceError::Failed {
            ordinal: self.ordinal,
            call: "loading the kernels",
            reason: "their text has a zero in it".to_owned(),
        })?;
        // SAFETY: the text ends with a zero and lives until the call returns.
        unsafe { driver.module_load(&raw mut self.module, text.as_ptr()) }
            .map_err(self.failed("loading the kernels"))?;
        for kernel in kernels {
            let (name, mut function) = (CString::new(*kernel).unwrap_or_default(), Function::NONE);
            // SAFETY: the module was loaded above.
            unsafe { driver.module_function(&raw mut function, self.module, name.as_ptr()) }
                .map_err(self.failed("looking up a kernel"))?;
            self.functions.insert(kernel, function);
        }
        Ok(())
    }

    /// Its number.
    pub(super) fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// Names the call that failed.
    fn failed(&self, call: &'static str) -> impl Fn(Code) -> DeviceError + use<> {
        failed(self.driver, self.ordinal, call)
    }

    /// Waits until it does nothing any more; says whether it still can.
    pub(super) fn settle(&mut self) -> Result<(), DeviceError> {
        self.enter()?;
        self.wait()
    }

    /// Makes the context that of this thread, whichever it is today.
    fn enter(&self) -> Result<(), DeviceError> {
        // SAFETY: the context is retained until the machine is dropped.
        unsafe { self.driver.context_set(self.context) }.map_err(self.failed("entering the context"))
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
            for event in [self.ready, self.taken] {
                if event != Event::NONE {
                    let _ = self.driver.event_destroy(event);
                }
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
