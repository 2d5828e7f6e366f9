//! Whether a service is well: asked at its port, by its address, or by a program.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use super::spec::{Check, Probe, http_target};

/// As much of an HTTP answer as says how it is: `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;

/// What a series of probes comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It was never well yet, and may still come to it.
    Unknown,
    Well,
    Unhealthy,
}

/// Counts what probes said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    health: Health,
    failures: u32,
}

impl Series {
    pub(super) fn new() -> Self {
        Self { health: Health::Unknown, failures: 0 }
    }

    /// What it comes to with the newest probe.
    pub(super) fn take(&mut self, is_well: bool, most: u32) -> Health {
        if is_well {
            (self.health, self.failures) = (Health::Well, 0);
        } else {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= most {
                self.health = Health::Unhealthy;
            }
        }
        self.health
    }
}

/// Tries once; whether it is well.
pub(super) async fn is_well(probe: &Probe) -> bool {
    timeout(probe.timeout, check(&probe.check)).await.unwrap_or(false)
}

async fn check(check: &Check) -> bool {
    match check {
        Check::Tcp(address) => TcpStream::connect(address).await.is_ok(),
        Check::Http(url) => {
            let Some((host, path)) = http_target(url) else { return false };
            get(&host, &path).await.is_some_and(|status| (200..400).contains(&status))
        }
        Check::Program(words) => {
            let Some((program, arguments)) = words.split_first() else { return false };
            let mut command = Command::new(program);
            command.args(arguments).env_clear().env("PATH", super::PATH).current_dir("/").kill_on_drop(true);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().await.is_ok_and(|status| status.success())
        }
    }
}

/// The status of an answer; its body is not read.
async fn get(host: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(host).await.ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: weft-agent\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line).await.ok()?;
    std::str::from_utf8(&line).ok()?.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()
}

/// How long the first answer of a service that is just starting is waited for between two tries.
pub(super) fn pause(probe: &Probe, health: Health) -> Duration {
    if health == Health::Unknown { probe.interval.min(Duration::from_secs(1)) } else { probe.interval }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn probe(check: Check) -> Probe {
        let interval = Duration::from_secs(1);
        Probe { check, interval, timeout: Duration::from_secs(20), failures: 2 }
    }

    #[test]
    fn some_failures_in_a_row_are_an_illness_and_one_success_its_end() {
        use Health::{Unhealthy, Unknown, Well};

        let mut series = Series::new();
        let said = [false, true, false, false, false, true].map(|is_well| series.take(is_well, 2));
        assert_eq!(said, [Unknown, Well, Well, Unhealthy, Unhealthy, Well]);
    }

    #[tokio::test]
    async fn ports_addresses_and_programs_are_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        assert!(is_well(&probe(Check::Tcp(address.clone()))).await);
        for (answer, expected) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 503 Busy\r\n\r\n", false),
            ("SSH-2.0-x\r\n\r\n", false),
        ] {
            let answering = async {
                loop {
                    let (mut stream, _) = listener.accept().await.expect("somebody comes");
                    let mut request = [0; 1_024];
                    // The probe of the port before has said nothing.
                    if stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                        stream.write_all(answer.as_bytes()).await.expect("it reads");
                        return;
                    }
                }
            };
            let http = probe(Check::Http(format!("http://{address}/health")));
            let (is_well, ()) = tokio::join!(is_well(&http), answering);
            assert_eq!(is_well, expected, "{answer}");
        }
        drop(listener);
        assert!(!is_well(&probe(Check::Tcp(address))).await);
        assert!(is_well(&probe(Check::Program(vec!["/bin/true".into()]))).await);
        assert!(!is_well(&probe(Check::Program(vec!["/bin/false".into()]))).await);
    }
}
