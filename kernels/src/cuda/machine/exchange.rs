//! Several devices: copies from one to another, and who waits for whom.

use std::ops::Range;

use super::super::driver::{ENABLED_BEFORE, Event, NO_TIMES, TOO_MANY_PEERS};
use super::{Buffer, Machine};
use crate::DeviceError;

/// The bytes of a buffer that their device has computed. All devices have such a buffer, and of all together they
/// own each byte once or not at all.
#[derive(Debug, Clone)]
pub(in crate::cuda) struct Owned {
    address: u64,
    bytes: Range<usize>,
}

impl Owned {
    /// These bytes of `buffer`.
    pub(in crate::cuda) fn new(buffer: &Buffer, bytes: Range<usize>) -> Self {
        assert!(bytes.end <= buffer.bytes, "a copy stays inside its buffer");
        Self { address: buffer.address, bytes }
    }
}

/// Prepares machines to exchange what they compute. Devices that can reach each other's memory do from now on; of others the
/// driver carries copies over the host.
///
/// # Errors
/// [`DeviceError::Failed`].
pub(in crate::cuda) fn link(machines: &mut [&mut Machine]) -> Result<(), DeviceError> {
    for at in 0..machines.len() {
        for other in (0..machines.len()).filter(|other| *other != at) {
            let (machine, peer) = (&machines[at], &machines[other]);
            machine.reach(peer)?;
        }
        let machine = &mut *machines[at];
        machine.enter()?;
        for event in [&mut machine.ready, &mut machine.taken] {
            // SAFETY: the context is current; the machine destroys them when dropped.
            let made = unsafe { machine.driver.event_create(event, NO_TIMES) };
            made.map_err(super::failed(machine.driver, machine.ordinal, "making an event"))?;
        }
    }
    Ok(())
}

/// Copies what each machine owns to all others: at place `at` of every list stand the same buffers, each its machine's.
/// What is asked of any of them afterwards finds all copies done, those from it too, so that it may write there again.
///
/// # Errors
/// [`DeviceError::Failed`]: copies may still be on their way, and [`Machine::wait`] ends them.
pub(in crate::cuda) fn exchange(machines: &mut [(&mut Machine, Vec<Owned>)]) -> Result<(), DeviceError> {
    for (machine, _) in &*machines {
        machine.say(machine.ready)?;
    }
    let count = machines.len();
    for at in 0..count {
        let (machine, to) = &machines[at];
        // Each begins with another one, so that not all draw on the first at once.
        for (peer, from) in (1..count).map(|step| &machines[(at + step) % count]) {
            machine.wait_for(peer.ready)?;
            for (to, from) in to.iter().zip(from).filter(|(_, from)| !from.bytes.is_empty()) {
                let (begin, bytes) = (from.bytes.start as u64, from.bytes.len());
                let driver = machine.driver;
                // SAFETY: both buffers are allocated and large enough, and are not given back before their streams
                // have come to an end, which is after the copy: each waits below until it is done.
                unsafe {
                    driver.copy_peer(
                        to.address + begin,
                        machine.context,
                        from.address + begin,
                        peer.context,
                        bytes,
                        machine.stream,
                    )
                }
                .map_err(machine.failed("copying from another device"))?;
            }
        }
        machine.say(machine.taken)?;
    }
    for at in 0..count {
        for (peer, _) in (1..count).map(|step| &machines[(at + step) % count]) {
            machines[at].0.wait_for(peer.taken)?;
        }
    }
    Ok(())
}

impl Machine {
    /// Lets the device read the memory of `peer` by itself, if it can and has not too many ways to others.
    fn reach(&self, peer: &Self) -> Result<(), DeviceError> {
        self.enter()?;
        let mut can = 0;
        // SAFETY: both devices are ones that the driver named.
        unsafe { self.driver.peer_possible(&raw mut can, self.device, peer.device) }
            .map_err(self.failed("asking for a way to another device"))?;
        if can == 0 {
            return Ok(());
        }
        // It is never taken back: the contexts are the process's, and other layouts may use it.
        // SAFETY: both contexts are retained, and this one is current.
        match unsafe { self.driver.peer_enable(peer.context, 0) } {
            Ok(()) | Err(ENABLED_BEFORE | TOO_MANY_PEERS) => Ok(()),
            Err(code) => Err(self.failed("opening a way to another device")(code)),
        }
    }

    /// Records one of its events behind all that was asked of it.
    fn say(&self, event: Event) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: the event and the stream are of this context, which is current.
        unsafe { self.driver.event_record(event, self.stream) }.map_err(self.failed("recording an event"))
    }

    /// What is asked of it from now on waits until another device has come past `event`.
    fn wait_for(&self, event: Event) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: the event lives as long as its machine; one that is destroyed is kept by the driver until nobody
        // waits for it.
        unsafe { self.driver.stream_wait(self.stream, event, 0) }
            .map_err(self.failed("waiting for another device"))
    }
}
