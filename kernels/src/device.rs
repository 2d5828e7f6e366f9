//! Which processor a layout is computed on, and why not on another.

/// Where a layout should be computed. The processor is always there and is the reference; a device
/// is used where it is faster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first CUDA device for graphs from [`Device::AUTO_FROM`] nodes on, if there is one; else the
    /// processor.
    Auto,
    /// This CUDA device, by its number, for every graph that it can divide: from 4,096 nodes on, without
    /// constraints, with the forces of ForceAtlas2, and no node with a twentieth of all edge ends.
    Cuda(u32),
}

impl Device {
    /// Nodes from which on [`Device::Auto`] takes a device: below, the processor is done before a
    /// device has been told.
    pub const AUTO_FROM: usize = 20_000;
}

/// What a tick ran on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Processor {
    /// The processor.
    #[default]
    Cpu,
    /// The CUDA device of this number.
    Cuda(u32),
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
    #[error("the CUDA device failed at {call}: {reason}")]
    Failed {
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
