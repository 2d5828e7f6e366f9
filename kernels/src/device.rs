//! Which processor a layout is computed on, and why not on another.

use crate::cuda::FEWEST;

/// Where a layout should be computed. The processor is always there and is the reference; a device
/// is used where it is faster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first CUDA device for graphs from [`Device::AUTO_FROM`] nodes on, and all there are from
    /// [`Device::AUTO_ALL_FROM`] on, if there is one; else the processor.
    Auto,
    /// These CUDA devices together, for every graph that they can divide: from 4,096 nodes on, without
    /// constraints, with the forces of ForceAtlas2, and no node with a twentieth of all edge ends.
    Cuda(Devices),
    /// The same, on all CUDA devices that the host has, that can be used, and that are of the generation of the first.
    CudaAll,
}

impl Device {
    /// Nodes from which on [`Device::Auto`] takes a device: below, the processor is done before a
    /// device has been told.
    pub const AUTO_FROM: usize = 20_000;

    /// Nodes from which on [`Device::Auto`] takes all devices: below, what they would have to tell each other takes
    /// longer than what each is spared. An estimate, not measured; see decision 37.
    pub const AUTO_ALL_FROM: usize = 1_000_000;

    /// Which devices a layout of `nodes` nodes should have, from how many nodes on; `had` says whether it is on several
    /// now. `None` for the processor.
    pub(crate) fn wanted(self, nodes: usize, had: bool) -> Option<(Wanted, usize)> {
        match self {
            Self::Cpu => None,
            // Once on all it stays there: a graph that grows and shrinks a little should not open and close devices.
            Self::Auto if had || nodes >= Self::AUTO_ALL_FROM => Some((Wanted::All, Self::AUTO_FROM)),
            Self::Auto => Some((Wanted::These(Devices::FIRST), Self::AUTO_FROM)),
            Self::Cuda(devices) => Some((Wanted::These(devices), FEWEST)),
            Self::CudaAll => Some((Wanted::All, FEWEST)),
        }
    }
}

/// Some CUDA devices of a host, by their numbers: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Devices(u64);

impl Devices {
    /// Numbers are below this one.
    pub const MOST: u32 = u64::BITS;

    /// The first device alone.
    pub const FIRST: Self = Self(1);

    /// Those of these numbers, in any order. `None` where there is no number, one stands there twice, or one is not below
    /// [`Devices::MOST`].
    pub fn new(ordinals: impl IntoIterator<Item = u32>) -> Option<Self> {
        let all = ordinals.into_iter().try_fold(0_u64, |all, ordinal| {
            let one = 1_u64.checked_shl(ordinal)?;
            (all & one == 0).then_some(all | one)
        })?;
        (all != 0).then_some(Self(all))
    }

    /// Their numbers, ascending.
    pub fn ordinals(self) -> impl Iterator<Item = u32> {
        (0..Self::MOST).filter(move |ordinal| self.0 >> ordinal & 1 == 1)
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

/// Which devices to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of these.
    These(Devices),
    /// All there are, of which some may fail to open.
    All,
}

/// What a tick ran on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Processor {
    /// The processor.
    #[default]
    Cpu,
    /// These CUDA devices.
    Cuda(Devices),
}

/// Why a device cannot be used, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The driver's library (`libcuda`) is not on this host.
    #[error(
        "there is no CUDA driver on this host: install the driver of the device, a toolkit is not needed"
    )]
    NoDriver,
    /// The driver's library lacks functions: an old one, or a stub of a toolkit.
    #[error("the CUDA driver {library} lacks {function}: it is older than CUDA 12.0, or a stub")]
    BrokenDriver {
        /// File name of the library.
        library: String,
        /// First function that is not there.
        function: &'static str,
    },
    /// The driver knows no device of this number.
    #[error("there is no CUDA device {ordinal}: {reason}")]
    NoDevice {
        /// Number asked for.
        ordinal: u32,
        /// What the driver says.
        reason: String,
    },
    /// The device is older than what the kernels are compiled for.
    #[error("CUDA device {ordinal} has compute capability {major}.{minor}, 7.5 is the least")]
    TooOld {
        /// Its number.
        ordinal: u32,
        /// Generation.
        major: i32,
        /// Variant of the generation.
        minor: i32,
    },
    /// A call failed: out of memory, or the device is lost.
    #[error("CUDA device {ordinal} failed at {call}: {reason}")]
    Failed {
        /// Its number.
        ordinal: u32,
        /// What was asked of it.
        call: &'static str,
        /// What the driver says.
        reason: String,
    },
}

impl DeviceError {
    /// Whether another try can go better while this process lives. A driver can be installed, mended or loaded
    /// again, and a device plugged in or come back after a loss, which drivers report in either way. No device
    /// becomes younger.
    pub(crate) fn may_pass(&self) -> bool {
        !matches!(self, Self::TooOld { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_a_set_of_numbers() {
        let devices = Devices::new([3, 0, 63]).unwrap();
        assert_eq!(devices.ordinals().collect::<Vec<_>>(), [0, 3, 63]);
        assert_eq!(devices.count(), 3);
        assert_eq!(Devices::new([0]), Some(Devices::FIRST));
        for bad in [&[][..], &[1, 1], &[64], &[0, u32::MAX]] {
            assert_eq!(Devices::new(bad.iter().copied()), None, "{bad:?}");
        }
    }

    #[test]
    fn automatic_choice_takes_all_devices_for_large_graphs_and_keeps_them() {
        let first = Wanted::These(Devices::FIRST);
        let wanted = |nodes, had| Device::Auto.wanted(nodes, had).unwrap();
        assert_eq!(wanted(999_999, false), (first, Device::AUTO_FROM));
        assert_eq!(wanted(1_000_000, false), (Wanted::All, Device::AUTO_FROM));
        assert_eq!(wanted(999_999, true), (Wanted::All, Device::AUTO_FROM));
        assert_eq!(Device::CudaAll.wanted(5_000, false), Some((Wanted::All, FEWEST)));
        assert_eq!(Device::Cuda(Devices::FIRST).wanted(5_000, true), Some((first, FEWEST)));
        assert_eq!(Device::Cpu.wanted(2_000_000, true), None);
    }
}
