//! The driver of NVIDIA devices: its library, which is looked for when a device is asked for, and those of its
//! functions that are called, as `cuda.h` of CUDA 12.0 declares them.
//!
//! What a function returns is a plain number here. A driver that is newer than any list of errors may return one
//! that is on none, and that is an error like the others.
#![expect(unsafe_code, reason = "loading a library, and calling it")]

use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;

use libloading::Library;

use crate::DeviceError;

/// What drivers call themselves, first what they install: the name without a number is for linking, and where
/// there is a toolkit it may be that of a stub.
const NAMES: &[&str] = if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so.1", "libcuda.so"] };

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR`.
pub(super) const GENERATION: i32 = 75;
pub(super) const VARIANT: i32 = 76;
/// `CU_STREAM_NON_BLOCKING`: does not wait for what others in the process ask of the device.
pub(super) const NON_BLOCKING: u32 = 1;
/// `CU_STREAM_CAPTURE_MODE_THREAD_LOCAL`: other threads may do as they like while one records.
pub(super) const THREAD_LOCAL: u32 = 1;
/// `CU_EVENT_DISABLE_TIMING`: only the order matters.
pub(super) const NO_TIMES: u32 = 2;
/// `CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED`.
pub(super) const ENABLED_BEFORE: Code = Code(704);
/// `CUDA_ERROR_TOO_MANY_PEERS`: a device has ways to eight others, unless a switch joins them.
pub(super) const TOO_MANY_PEERS: Code = Code(711);
/// `CUDA_ERROR_STUB_LIBRARY`: what every function of a toolkit's stub returns.
const STUB: u32 = 34;

/// What a function returned that did not do what it was asked: `CUresult`, of whichever driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u32);

/// Declares types of what the driver gives out and takes back.
macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(transparent)]
        pub(super) struct $name(*mut c_void);

        impl $name {
            pub(super) const NONE: Self = Self(std::ptr::null_mut());
        }
    )*};
}

handles! {
    /// What a process has of a device.
    Context;
    /// What is asked of a device, in order.
    Stream;
    /// A place in what is asked of a device, for others to wait for.
    Event;
    /// Kernels that are loaded.
    Module;
    /// One kernel.
    Function;
    /// A recorded list of launches.
    Graph;
    /// The same, ready to be started.
    Executable;
}

/// Declares the functions: their table, how it is filled, and a method for each that calls it.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal ($($argument:ident: $kind:ty),* $(,)?);)*) => {
        /// All functions that are called.
        #[cfg(all(test, target_os = "linux"))]
        pub(super) const SYMBOLS: &[&str] = &[$($symbol),*];

        #[derive(Debug)]
        struct Functions {
            $($name: unsafe extern "system" fn($($kind),*) -> u32,)*
        }

        impl Functions {
            /// Looks all of them up, or names the first that is not there.
            fn find(library: &Library) -> Result<Self, &'static str> {
                Ok(Self {
                    $($name: {
                        // SAFETY: the type is what `cuda.h` declares for this symbol, whose versions (`_v2`) are
                        // never declared otherwise. It is called only while the library is loaded, as
                        // `Driver` owns both.
                        let found = unsafe {
                            library.get::<unsafe extern "system" fn($($kind),*) -> u32>($symbol.as_bytes())
                        };
                        *found.map_err(|_| $symbol)?
                    },)*
                })
            }
        }

        impl Driver {
            $(
                $(#[$doc])*
                pub(super) unsafe fn $name(&self, $($argument: $kind),*) -> Result<(), Code> {
                    // SAFETY: the caller keeps to what is said of this function; it was found in the library
                    // that `self` keeps loaded.
                    match unsafe { (self.functions.$name)($($argument),*) } {
                        0 => Ok(()),
                        code => Err(Code(code)),
                    }
                }
            )*
        }
    };
}

// Of every function holds: handles and addresses that go in are ones that the driver gave out and that were not
// given back since, and what comes out is written to a place for it.
functions! {
    /// # Safety
    /// `flags` is 0. No other condition: begins the driver's work in this process, if that has not begun.
    init = "cuInit"(flags: u32);
    /// # Safety
    /// After `init`.
    device_count = "cuDeviceGetCount"(count: *mut i32);
    /// # Safety
    /// After `init`. No condition on `ordinal`.
    device_get = "cuDeviceGet"(device: *mut i32, ordinal: i32);
    /// # Safety
    /// No condition on `attribute`: one that the driver does not know is an error.
    device_attribute = "cuDeviceGetAttribute"(value: *mut i32, attribute: i32, device: i32);
    /// # Safety
    /// The context is released as often as it was retained.
    context_retain = "cuDevicePrimaryCtxRetain"(context: *mut Context, device: i32);
    /// # Safety
    /// Nothing of what was made in the context is used after the last user has released it.
    context_release = "cuDevicePrimaryCtxRelease_v2"(device: i32);
    /// # Safety
    /// Two devices that the driver named. Whether the first can reach the memory of the second.
    peer_possible = "cuDeviceCanAccessPeer"(can: *mut i32, device: i32, peer: i32);
    /// # Safety
    /// The context is retained, or none. Those below, up to the texts of errors, act in the one that was set
    /// last by their thread.
    context_set = "cuCtxSetCurrent"(context: Context);
    /// # Safety
    /// `flags` are [`NON_BLOCKING`].
    stream_create = "cuStreamCreate"(stream: *mut Stream, flags: u32);
    /// # Safety
    /// Nothing is asked of the stream afterwards.
    stream_destroy = "cuStreamDestroy_v2"(stream: Stream);
    /// # Safety
    /// The context is retained, and another one than the current one, which from now on reaches its memory. `flags`
    /// are 0.
    peer_enable = "cuCtxEnablePeerAccess"(peer: Context, flags: u32);
    /// # Safety
    /// `flags` are [`NO_TIMES`].
    event_create = "cuEventCreate"(event: *mut Event, flags: u32);
    /// # Safety
    /// Not used afterwards. One that somebody waits for is kept by the driver until it has come.
    event_destroy = "cuEventDestroy_v2"(event: Event);
    /// # Safety
    /// Event and stream were made in the same context. The stream does not record into a graph.
    event_record = "cuEventRecord"(event: Event, stream: Stream);
    /// # Safety
    /// The event may be of another context; it is waited for as it was recorded last. The stream does not record into
    /// a graph. `flags` are 0.
    stream_wait = "cuStreamWaitEvent"(stream: Stream, event: Event, flags: u32);
    /// # Safety
    /// The stream does not record.
    stream_synchronize = "cuStreamSynchronize"(stream: Stream);
    /// # Safety
    /// The stream does not record yet. `mode` is [`THREAD_LOCAL`].
    capture_begin = "cuStreamBeginCapture_v2"(stream: Stream, mode: u32);
    /// # Safety
    /// By the thread that began. The graph is the caller's to destroy; there is none after a failure.
    capture_end = "cuStreamEndCapture"(stream: Stream, graph: *mut Graph);
    /// # Safety
    /// `flags` are 0. The executable is the caller's to destroy, and does not need the graph any more.
    graph_instantiate = "cuGraphInstantiateWithFlags"(executable: *mut Executable, graph: Graph, flags: u64);
    /// # Safety
    /// All memory that the recorded kernels were given is still allocated, and until the stream has come past
    /// them.
    graph_launch = "cuGraphLaunch"(executable: Executable, stream: Stream);
    /// # Safety
    /// Not used afterwards. One that runs is kept by the driver until it has ended.
    executable_destroy = "cuGraphExecDestroy"(executable: Executable);
    /// # Safety
    /// Not used afterwards.
    graph_destroy = "cuGraphDestroy"(graph: Graph);
    /// # Safety
    /// `bytes` is not 0. What is in the memory is not known.
    memory_allocate = "cuMemAlloc_v2"(address: *mut u64, bytes: usize);
    /// # Safety
    /// Nothing that was asked of the device and is not done yet touches the memory.
    memory_free = "cuMemFree_v2"(address: u64);
    /// # Safety
    /// `bytes` is not 0, `flags` are. What is in the memory is not known.
    pinned_allocate = "cuMemHostAlloc"(address: *mut *mut c_void, bytes: usize, flags: u32);
    /// # Safety
    /// As `memory_free`.
    pinned_free = "cuMemFreeHost"(address: *mut c_void);
    /// # Safety
    /// `from` is pinned. Both ends have so many bytes and stay until the stream has come past the copy, and
    /// `from` is not written to before.
    copy_there = "cuMemcpyHtoDAsync_v2"(to: u64, from: *const c_void, bytes: usize, stream: Stream);
    /// # Safety
    /// `to` is pinned. Both ends have so many bytes and stay until the stream has come past the copy, and
    /// nobody looks at `to` before.
    copy_back = "cuMemcpyDtoHAsync_v2"(to: *mut c_void, from: u64, bytes: usize, stream: Stream);
    /// # Safety
    /// Each address is of its context. Both ends have so many bytes, more than none, and stay until the stream has come past
    /// the copy; `from` is not written to before, nor anybody looks at `to`.
    copy_peer = "cuMemcpyPeerAsync"(
        to: u64,
        to_context: Context,
        from: u64,
        from_context: Context,
        bytes: usize,
        stream: Stream,
    );
    /// # Safety
    /// `image` is PTX, with a zero after it.
    module_load = "cuModuleLoadData"(module: *mut Module, image: *const c_char);
    /// # Safety
    /// `name` ends with a zero. The function is the module's and goes with it.
    module_function = "cuModuleGetFunction"(function: *mut Function, module: Module, name: *const c_char);
    /// # Safety
    /// None of the module's functions runs or is used afterwards.
    module_unload = "cuModuleUnload"(module: Module);
    #[expect(clippy::too_many_arguments, reason = "so the driver declares it")]
    /// # Safety
    /// `arguments` has a pointer for each parameter of the function to as many bytes as it has, which are copied
    /// before the call returns; `extra` is null. What the kernel does with the arguments, it may.
    launch = "cuLaunchKernel"(
        function: Function,
        grid_x: u32,
        grid_y: u32,
        grid_z: u32,
        block_x: u32,
        block_y: u32,
        block_z: u32,
        shared_bytes: u32,
        stream: Stream,
        arguments: *mut *mut c_void,
        extra: *mut *mut c_void,
    );
    /// # Safety
    /// The text is the driver's and stays. No condition on `code`: there is none for one that is not known.
    error_name = "cuGetErrorName"(code: u32, text: *mut *const c_char);
    /// # Safety
    /// As `error_name`.
    error_text = "cuGetErrorString"(code: u32, text: *mut *const c_char);
}

/// A driver that has every function that is called.
#[derive(Debug)]
pub(super) struct Driver {
    functions: Functions,
    /// Keeps the functions where they are.
    _library: Library,
}

impl Driver {
    /// What the driver says of an error.
    pub(super) fn reason(&self, code: Code) -> String {
        let mut texts = [std::ptr::null(); 2];
        // SAFETY: there is no condition but a place for the text.
        let found = unsafe {
            let [name, text] = &mut texts;
            self.error_name(code.0, name).and_then(|()| self.error_text(code.0, text))
        };
        let [name, text] = texts.map(|text| {
            // SAFETY: where the driver has a text, it ends with a zero and stays.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy())
        });
        match (found, name, text) {
            (Ok(()), Some(name), Some(text)) => format!("{text} ({name})"),
            _ if code.0 == STUB => {
                format!("the library is the stub of a toolkit and no driver (error {STUB})")
            }
            _ => format!("error {}, which this driver does not explain", code.0),
        }
    }
}

/// The driver of this host. One that was found stays loaded: unloading it would pull the ground from under what
/// it runs in this process. One that was not is looked for again the next time.
pub(super) fn driver() -> Result<&'static Driver, DeviceError> {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    if let Some(driver) = DRIVER.get() {
        return Ok(driver);
    }
    let found = load_first(NAMES)?;
    Ok(DRIVER.get_or_init(|| found))
}

/// The first of the libraries that can be loaded and is whole.
pub(super) fn load_first(names: &[&str]) -> Result<Driver, DeviceError> {
    let mut why = DeviceError::NoDriver;
    for name in names {
        // SAFETY: loading runs the library's initialisers. Those of a CUDA driver have no conditions, and
        // whoever can place another library of this name on the loader's path owns the process anyway.
        let Ok(library) = (unsafe { Library::new(*name) }) else { continue };
        match Functions::find(&library) {
            Ok(functions) => return Ok(Driver { functions, _library: library }),
            Err(function) if why == DeviceError::NoDriver => {
                why = DeviceError::BrokenDriver { library: (*name).to_owned(), function };
            }
            Err(_) => {}
        }
    }
    Err(why)
}
