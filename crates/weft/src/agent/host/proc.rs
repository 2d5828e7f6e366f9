//! One process as the kernel tells of it: proc_pid_stat(5), proc_pid_status(5), proc_pid_cmdline(5).

use std::{fs, path::Path};

use weft_proto::weft::agent::v1::ProcessState;

/// Ticks of the clock in a second that the kernel counts for programs (`USER_HZ`): the same on every architecture
/// that this program is built for, whatever the kernel's own clock is.
pub(super) const TICKS: u64 = 100;
/// Longest name that the kernel itself keeps, in bytes; what is as long may have been cut.
const KEPT_NAME: usize = 15;

/// What `stat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) state: ProcessState,
    pub(super) parent: i64,
    /// Processor time in ticks, its own and the kernel's for it.
    pub(super) used: u64,
    pub(super) threads: i32,
    /// Start in ticks since the host did.
    pub(super) start: u64,
}

impl Stat {
    /// Of a process that is there.
    pub(super) fn read(process: i64) -> Option<Self> {
        Self::parse(&text(Path::new(&format!("/proc/{process}/stat")))?)
    }

    /// Fields are numbered in the manual from 1; a name may hold anything, so it ends at the last bracket.
    fn parse(line: &str) -> Option<Self> {
        let (begin, rest) = line.rsplit_once(')')?;
        let name = begin.split_once('(')?.1;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The first of these is the manual's third.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let state = match *fields.first()? {
            "R" => ProcessState::Running,
            "S" | "I" => ProcessState::Sleeping,
            "D" => ProcessState::Blocked,
            "T" | "t" => ProcessState::Stopped,
            "Z" | "X" | "x" => ProcessState::Zombie,
            _ => ProcessState::Unspecified,
        };
        Some(Self {
            name: name.to_owned(),
            state,
            parent: i64::try_from(number(4)?).ok()?,
            used: number(14)? + number(15)?,
            threads: i32::try_from(number(20)?).unwrap_or(i32::MAX),
            start: number(22)?,
        })
    }
}

/// What `status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// The user that it acts as.
    pub(super) user: u32,
    /// Memory in use; 0 for threads of the kernel.
    pub(super) resident_bytes: i64,
}

impl Status {
    pub(super) fn read(process: i64) -> Option<Self> {
        Some(Self::parse(&text(Path::new(&format!("/proc/{process}/status")))?))
    }

    fn parse(lines: &str) -> Self {
        let value = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        // Real, effective, saved, of the file system.
        let user = value("Uid:").split_ascii_whitespace().nth(1).and_then(|user| user.parse().ok());
        let resident =
            value("VmRSS:").split_ascii_whitespace().next().and_then(|kib| kib.parse::<i64>().ok());
        Self {
            user: user.unwrap_or_default(),
            resident_bytes: resident.map_or(0, |kib| kib.saturating_mul(1024)),
        }
    }
}

/// Its program and arguments, if it says any.
pub(super) fn arguments(process: i64) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The name of what it runs: the kernel's, or, where that was cut, that of its program.
pub(super) fn name(kept: &str, arguments: &[String]) -> String {
    let program = arguments.first().map(String::as_str).unwrap_or_default();
    let program = program.split(' ').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let is_cut = kept.len() >= KEPT_NAME && program.len() > kept.len() && program.starts_with(kept);
    if is_cut { program.to_owned() } else { kept.to_owned() }
}

/// The numbers of all processes that are there.
pub(super) fn all() -> std::io::Result<Vec<i64>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        all.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i64>().ok()));
    }
    Ok(all)
}

/// When the host started, in seconds since 1970 (proc_stat(5)).
pub(super) fn boot() -> Option<i64> {
    let stat = text(Path::new("/proc/stat"))?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// When a process began that started so many ticks after the host.
pub(super) fn start_time(boot: i64, start: u64) -> prost_types::Timestamp {
    let nanos = (start % TICKS) * (1_000_000_000 / TICKS);
    prost_types::Timestamp {
        seconds: boot.saturating_add_unsigned(start / TICKS),
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
}

/// A file of the kernel's; names of processes in it may be no text.
fn text(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let line =
            "842 (a ) (b) S 1 842 842 0 -1 4194560 1837 0 3 0 12 30 0 0 20 0 7 0 1234 231 9 18446 1 1 0\n";
        let stat = Stat::parse(line).expect("it is one");
        assert_eq!(
            stat,
            Stat {
                name: "a ) (b".into(),
                state: ProcessState::Sleeping,
                parent: 1,
                used: 42,
                threads: 7,
                start: 1234,
            }
        );
        assert_eq!(Stat::parse("842 (cut) S 1"), None);
        assert_eq!(Stat::parse(""), None);
        let status = "Name:\tx\nUid:\t1000\t33\t33\t33\nVmRSS:\t    2048 kB\nThreads:\t1\n";
        assert_eq!(Status::parse(status), Status { user: 33, resident_bytes: 2 << 20 });
        assert_eq!(Status::parse("Name:\tkthreadd\nUid:\t0\t0\t0\t0\n"), Status::default());
        assert_eq!(
            start_time(1_800_000_000, 1234),
            prost_types::Timestamp { seconds: 1_800_000_012, nanos: 340_000_000 }
        );
    }

    #[test]
    fn a_name_that_was_cut_is_made_whole() {
        let ran = |program: &str| vec![program.to_owned()];
        assert_eq!(name("systemd-journal", &ran("/lib/systemd/systemd-journald")), "systemd-journald");
        assert_eq!(name("nginx", &ran("nginx: worker process")), "nginx");
        assert_eq!(name("a-name-of-its-ow", &ran("/usr/bin/python3")), "a-name-of-its-ow");
        assert_eq!(name("kthreadd", &[]), "kthreadd");
    }

    #[test]
    fn this_very_process_is_there() {
        let own = i64::from(std::process::id());
        assert!(all().expect("the kernel tells").contains(&own));
        let stat = Stat::read(own).expect("it runs");
        assert!(stat.threads >= 1 && stat.parent > 0);
        assert!(Status::read(own).expect("it runs").resident_bytes > 0);
        assert!(!arguments(own).is_empty());
    }
}
