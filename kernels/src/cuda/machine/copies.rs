//! Memory of a device, and what is copied there and back.

use std::ffi::c_void;
use std::ptr::null_mut;

use super::super::driver::{Code, Driver};
use super::Machine;
use crate::DeviceError;

/// Bytes that are on their way to the device at a time, at most.
const STAGED: usize = 1 << 18;
/// Memory that is no larger than this is kept, however little of it is needed.
const KEPT: usize = 1 << 14;

/// Some memory of the device; of no size until [`Machine::fit`] gives it one.
#[derive(Debug, Default)]
pub(in crate::cuda) struct Buffer {
    pub(super) address: u64,
    pub(super) bytes: usize,
}

/// Memory of the host that the device copies to and from by itself.
#[derive(Debug)]
pub(super) struct Pinned {
    address: *mut c_void,
    bytes: usize,
}

impl Pinned {
    pub(super) const NONE: Self = Self { address: null_mut(), bytes: 0 };
}

impl Machine {
    /// Makes `buffer` at least `bytes` large, and smaller where it is several times that. What was in it is lost if
    /// it moves; then recordings, which know addresses, are forgotten. A little more than asked for, so
    /// that growth does not move it each time.
    pub(in crate::cuda) fn fit(&mut self, buffer: &mut Buffer, bytes: usize) -> Result<(), DeviceError> {
        let wasted = buffer.bytes > KEPT.max(4 * bytes);
        if buffer.address != 0 && buffer.bytes >= bytes && !wasted {
            return Ok(());
        }
        self.free(buffer)?;
        let (mut address, room) = (0, (bytes + bytes / 8).max(16));
        // SAFETY: the context is current. The memory is not read before it is written: kernels and copies
        // that fill it come first in the stream.
        unsafe { self.driver.memory_allocate(&raw mut address, room) }
            .map_err(self.failed("allocating memory"))?;
        self.memory.push(address);
        *buffer = Buffer { address, bytes: room };
        Ok(())
    }

    /// Gives the memory of `buffer` back, if it has any. Recordings are forgotten.
    pub(in crate::cuda) fn free(&mut self, buffer: &mut Buffer) -> Result<(), DeviceError> {
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
        unsafe { self.driver.memory_free(address) }.map_err(self.failed("freeing memory"))
    }

    /// Gives all memory back, of the device and pinned; no buffer may be used any more.
    pub(in crate::cuda) fn free_all(&mut self) -> Result<(), DeviceError> {
        self.enter()?;
        self.forget();
        self.wait()?;
        for address in std::mem::take(&mut self.memory) {
            // SAFETY: as in `free`, for every buffer.
            unsafe { self.driver.memory_free(address) }.map_err(self.failed("freeing memory"))?;
        }
        unpin(self.driver, &mut self.landing);
        unpin(self.driver, &mut self.staging);
        Ok(())
    }

    /// Copies `from` to the begin of `buffer`, which is large enough. `from` may go when this returns.
    pub(in crate::cuda) fn write(&mut self, buffer: &Buffer, from: &[u8]) -> Result<(), DeviceError> {
        assert!(from.len() <= buffer.bytes, "a copy stays inside its buffer");
        if from.is_empty() {
            return Ok(());
        }
        self.enter()?;
        pin(self.driver, &mut self.staging, STAGED).map_err(self.failed("pinning memory"))?;
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
            .map_err(self.failed("copying to the device"))?;
            done += piece.len();
            self.staged = (self.staged + piece.len()).next_multiple_of(64);
        }
        Ok(())
    }

    /// Copies the begins of some buffers to the host, one after another, and waits until all that was asked
    /// of the device before is done.
    pub(in crate::cuda) fn read(&mut self, wanted: &[(&Buffer, usize)]) -> Result<&[u8], DeviceError> {
        self.enter()?;
        let all = wanted.iter().map(|(_, bytes)| bytes).sum();
        pin(self.driver, &mut self.landing, all).map_err(self.failed("pinning memory"))?;
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
            .map_err(self.failed("copying from the device"))?;
            done += bytes;
        }
        self.wait()?;
        // SAFETY: so many bytes were pinned, with zeros in them, and the copies to them are done.
        Ok(unsafe { std::slice::from_raw_parts(self.landing.address.cast::<u8>(), all) })
    }

    /// Waits until the device has done all that was asked of it.
    pub(in crate::cuda) fn wait(&mut self) -> Result<(), DeviceError> {
        // SAFETY: the stream lives as long as the machine, and records only in `record`.
        unsafe { self.driver.stream_synchronize(self.stream) }.map_err(self.failed("computing"))?;
        self.staged = 0;
        Ok(())
    }

    /// Bytes of the host that are pinned.
    pub(in crate::cuda) fn memory(&self) -> usize {
        self.landing.bytes + self.staging.bytes
    }
}

/// Makes `pinned` at least `bytes` large. It only grows: a tick reads a little and then much. Nothing is on its way to or
/// from it where it moves.
fn pin(driver: &'static Driver, pinned: &mut Pinned, bytes: usize) -> Result<(), Code> {
    if !pinned.address.is_null() && pinned.bytes >= bytes {
        return Ok(());
    }
    unpin(driver, pinned);
    let (mut address, room) = (null_mut(), (bytes + bytes / 8).max(64));
    // SAFETY: the context is current.
    unsafe { driver.pinned_allocate(&raw mut address, room, 0) }?;
    // SAFETY: so many bytes were just allocated.
    unsafe { address.cast::<u8>().write_bytes(0, room) };
    *pinned = Pinned { address, bytes: room };
    Ok(())
}

/// Gives pinned memory back.
pub(super) fn unpin(driver: &'static Driver, pinned: &mut Pinned) {
    let Pinned { address, .. } = std::mem::replace(pinned, Pinned::NONE);
    if !address.is_null() {
        // SAFETY: allocated by `pin`. Copies were waited for, or the device is lost and copies nothing. A failure
        // leaves nothing to do.
        let _ = unsafe { driver.pinned_free(address) };
    }
}
