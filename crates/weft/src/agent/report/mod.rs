//! Numbers of this host, reported as they are: read by `host`, sent by `line`, and kept by `spool` while the mesh is
//! away.

mod host;
mod line;
pub(crate) mod settings;
mod spool;

use tokio::sync::mpsc;
use weft_kit::Clock;

use self::{host::Host, settings::TelemetrySettings};

pub(super) use line::Line;

/// Readings that wait while what was kept is sent: half an hour of them.
const WAITING: usize = 1_024;

/// One number of the host.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    metric: &'static str,
    /// Only grows.
    is_counter: bool,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

/// All numbers of one time.
struct Readings {
    /// Milliseconds since 1970.
    time: i64,
    readings: Vec<Reading>,
}

/// Reads the host again and again, on a thread of its own: a disk that does not answer holds up nothing else.
fn read(settings: &TelemetrySettings) -> mpsc::Receiver<Readings> {
    let (told, readings) = mpsc::channel(WAITING);
    let interval = settings.interval;
    let reader = move || {
        let mut host = match Host::new() {
            Ok(host) => host,
            Err(error) => return tracing::error!(%error, "this host is not read"),
        };
        loop {
            std::thread::sleep(interval);
            let time = weft_store::Timestamp::from(Clock::system().now()).as_micros() / 1_000;
            match told.try_send(Readings { time, readings: host.read() }) {
                Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    tracing::warn!("a reading of this host is dropped");
                }
                Ok(()) => {}
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("host-readings".into()).spawn(reader) {
        tracing::error!(%error, "this host is not read");
    }
    readings
}
