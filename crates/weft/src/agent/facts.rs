//! What an agent tells of its host: what the kernel says to everybody. Where it says nothing, nothing is told.

use std::{fs, thread};

use weft_proto::weft::agent::v1::{AgentFacts, HostFacts};

/// Everything. `capabilities`: what its configuration has opened.
pub(super) fn read(capabilities: Vec<String>) -> AgentFacts {
    let (cpu_count, memory_bytes) = size();
    let host = HostFacts {
        hostname: line("/proc/sys/kernel/hostname"),
        os: std::env::consts::OS.to_owned(),
        os_version: os_version(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        kernel: line("/proc/sys/kernel/osrelease"),
        architecture: std::env::consts::ARCH.to_owned(),
        cpu_count,
        memory_bytes,
        boot_id: line("/proc/sys/kernel/random/boot_id"),
    };
    AgentFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities,
        host: Some(host),
        process_id: std::process::id().into(),
    }
}

/// How many processors there are, and how many bytes of memory.
pub(super) fn size() -> (i32, i64) {
    let count = thread::available_parallelism().map_or(0, |count| i32::try_from(count.get()).unwrap_or(0));
    (count, memory_bytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default()))
}

fn line(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().chars().take(64).collect()).unwrap_or_default()
}

/// The pretty name in os-release(5).
fn os_version(os_release: &str) -> String {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    value.trim_matches('"').chars().take(200).collect()
}

/// The total in proc_meminfo(5), which counts in KiB.
fn memory_bytes(meminfo: &str) -> i64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    total.trim().trim_end_matches("kB").trim().parse::<i64>().map_or(0, |kib| kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let release = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(os_version(release), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(memory_bytes("MemTotal:       24604312 kB\nMemFree: 1 kB\n"), 24_604_312 * 1024);
        assert_eq!((os_version(""), memory_bytes("")), (String::new(), 0));
    }
}
