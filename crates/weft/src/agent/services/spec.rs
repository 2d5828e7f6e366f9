//! What a service is: as `agent.toml` has it, as a file keeps it, and as the contract says it.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use weft_proto::weft::agent::v1 as proto;

use super::super::host::refusal;

/// Longest grace: whoever stops a service waits for it.
const LONGEST_GRACE: Duration = Duration::from_secs(20);
/// Longest pause, and the longest of every other span.
const LONGEST: Duration = Duration::from_hours(1);
/// Most services that one may wait for.
const MOST_NEEDED: usize = 32;

/// A service that an agent keeps running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Last part of its name: lower-case letters, digits and hyphens.
    pub(crate) name: String,
    /// Name for people.
    #[serde(default)]
    pub(crate) display_name: String,
    /// Path of the program. No shell is asked, and no path searched.
    pub(crate) program: PathBuf,
    /// Its arguments.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// Its environment, beside `PATH`. It gets nothing of the agent's own.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// Folder that it runs in.
    #[serde(default = "root")]
    pub(crate) folder: PathBuf,
    /// Services that must run before it does, and are stopped after it.
    #[serde(default)]
    pub(crate) depends_on: Vec<String>,
    /// Whether it waits for somebody to start it, and does not start with the agent.
    #[serde(default)]
    pub(crate) manual: bool,
    /// When it is started again.
    #[serde(default)]
    pub(crate) restart: Restart,
    /// How it is known to be well; if there is nothing, by running.
    #[serde(default)]
    pub(crate) probe: Option<Probe>,
    /// How long it may take to end by itself.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    pub(crate) stop_grace: Duration,
}

/// When a service is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Restart {
    /// After which ends.
    pub(crate) when: When,
    /// How often in a row; then it has failed. A run of ten times the longest pause, or of ten minutes, begins the row anew.
    pub(crate) limit: u32,
    /// The first pause; each next one is twice as long.
    #[serde(with = "humantime_serde")]
    pub(crate) first_pause: Duration,
    /// No pause is longer.
    #[serde(with = "humantime_serde")]
    pub(crate) longest_pause: Duration,
}

/// After which ends a service is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    /// After those with an exit code that is not 0, or by a signal.
    #[default]
    OnFailure,
    /// After every one.
    Always,
    /// After none.
    Never,
}

/// How a service is known to be well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// What is tried.
    pub(crate) check: Check,
    /// How often.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub(crate) interval: Duration,
    /// How long an answer may take.
    #[serde(default = "two_seconds", with = "humantime_serde")]
    pub(crate) timeout: Duration,
    /// After how many failures in a row it is unhealthy.
    #[serde(default = "three")]
    pub(crate) failures: u32,
}

/// What is tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Check {
    /// A connection to a port: `127.0.0.1:8080`.
    Tcp(String),
    /// A request that is answered with 200 to 399: `http://127.0.0.1:8080/health`.
    Http(String),
    /// A program that ends with 0: its path and its arguments.
    Program(Vec<String>),
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            when: When::OnFailure,
            limit: 10,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(1),
        }
    }
}

fn root() -> PathBuf {
    "/".into()
}

const fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

const fn three() -> u32 {
    3
}

/// What is wrong with a field.
pub(crate) type Fault = (&'static str, String);

impl Spec {
    /// What is wrong with it by itself, if anything is.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let wrong = |field, problem: &str| Some((field, problem.to_owned()));
        let is_id = |text: &str| {
            let letters =
                text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            letters && !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && !text.ends_with('-')
        };
        if !is_id(&self.name) {
            return wrong("service_id", "has 1 to 63 lower-case letters, digits and hyphens");
        }
        if !self.program.is_absolute() {
            return wrong("service.program", "is the whole path of a program");
        }
        if !self.folder.is_absolute() {
            return wrong("service.folder", "is the whole path of a folder");
        }
        let texts = self.arguments.iter().chain(self.environment.values()).chain(self.environment.keys());
        if texts.into_iter().any(|text| text.contains('\0'))
            || self.environment.keys().any(|name| name.is_empty() || name.contains('='))
        {
            return wrong("service.environment", "no process can be given that");
        }
        if self.depends_on.len() > MOST_NEEDED || self.depends_on.contains(&self.name) {
            return wrong("service.depends_on", "is at most 32 other services");
        }
        if self.stop_grace > LONGEST_GRACE {
            return wrong("service.stop_grace_period", "is 0 to 20 seconds");
        }
        let Restart { first_pause, longest_pause, .. } = self.restart;
        if first_pause.is_zero() || first_pause > longest_pause || longest_pause > LONGEST {
            return wrong("service.restart", "its pauses are above 0, grow, and are an hour at most");
        }
        self.probe.as_ref().and_then(Probe::fault)
    }

    /// Programs that are run for it: its own, and its probe's.
    pub(crate) fn programs(&self) -> Vec<PathBuf> {
        let probe = self.probe.as_ref().and_then(|probe| match &probe.check {
            Check::Program(words) => words.first().map(PathBuf::from),
            Check::Tcp(_) | Check::Http(_) => None,
        });
        std::iter::once(self.program.clone()).chain(probe).collect()
    }
}

impl Probe {
    fn fault(&self) -> Option<Fault> {
        let problem = match &self.check {
            Check::Tcp(address)
                if address
                    .rsplit_once(':')
                    .is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err()) =>
            {
                "a TCP probe has a host and a port"
            }
            Check::Http(url) if http_target(url).is_none() => "an HTTP probe has an address with http://",
            Check::Program(words) if words.first().is_none_or(|program| !program.starts_with('/')) => {
                "a program that probes has its whole path"
            }
            _ if self.interval.is_zero() || self.interval > LONGEST => {
                "its interval is above 0, and an hour at most"
            }
            _ if self.timeout.is_zero() || self.timeout > Duration::from_mins(1) => {
                "its timeout is above 0, and a minute at most"
            }
            _ if self.failures == 0 => "it fails at least once before the service is unhealthy",
            _ => return None,
        };
        Some(("service.probe", problem.to_owned()))
    }
}

/// Host with port, and path, of an address with `http:`.
pub(super) fn http_target(url: &str) -> Option<(String, String)> {
    let url: http::Uri = url.parse().ok()?;
    if url.scheme_str() != Some("http") {
        return None;
    }
    let host = url.host().filter(|host| !host.is_empty())?;
    let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    Some((format!("{host}:{}", url.port_u16().unwrap_or(80)), path.to_owned()))
}

fn span(duration: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(duration).ok()
}

/// A span of the contract; the default where it is not set.
fn time(
    span: Option<prost_types::Duration>,
    default: Duration,
    field: &str,
) -> Result<Duration, proto::HostRefusal> {
    span.map_or(Ok(default), Duration::try_from).map_err(|_| refusal::invalid(field, "is no span of time"))
}

impl Spec {
    /// Out of the contract.
    pub(crate) fn of(name: &str, service: proto::Service) -> Result<Self, proto::HostRefusal> {
        let restart = Restart::of(service.restart.unwrap_or_default())?;
        let probe = service.probe.map(Probe::of).transpose()?;
        let folder = if service.folder.is_empty() { root() } else { service.folder.into() };
        let spec = Self {
            name: name.to_owned(),
            display_name: service.display_name,
            program: service.program.into(),
            arguments: service.arguments,
            environment: service.environment.into_iter().collect(),
            folder,
            depends_on: service.depends_on,
            manual: service.manual,
            restart,
            probe,
            stop_grace: time(service.stop_grace_period, five_seconds(), "service.stop_grace_period")?,
        };
        match spec.fault() {
            None => Ok(spec),
            Some((field, problem)) => Err(refusal::invalid(field, &problem)),
        }
    }

    /// As the contract says it, without what is only known while it lives.
    pub(crate) fn message(&self) -> proto::Service {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        proto::Service {
            display_name: self.display_name.clone(),
            program: text(&self.program),
            arguments: self.arguments.clone(),
            environment: self.environment.clone().into_iter().collect(),
            folder: text(&self.folder),
            depends_on: self.depends_on.clone(),
            manual: self.manual,
            restart: Some(self.restart.message()),
            probe: self.probe.as_ref().map(Probe::message),
            stop_grace_period: span(self.stop_grace),
            ..proto::Service::default()
        }
    }
}

impl Restart {
    fn of(policy: proto::RestartPolicy) -> Result<Self, proto::HostRefusal> {
        let default = Self::default();
        let when = match policy.condition() {
            proto::RestartCondition::Unspecified | proto::RestartCondition::OnFailure => When::OnFailure,
            proto::RestartCondition::Always => When::Always,
            proto::RestartCondition::Never => When::Never,
        };
        let limit = u32::try_from(policy.max_restarts).ok().filter(|limit| *limit > 0);
        Ok(Self {
            when,
            limit: limit.unwrap_or(default.limit),
            first_pause: time(policy.first_pause_duration, default.first_pause, "service.restart")?,
            longest_pause: time(policy.longest_pause_duration, default.longest_pause, "service.restart")?,
        })
    }

    fn message(self) -> proto::RestartPolicy {
        let condition = match self.when {
            When::OnFailure => proto::RestartCondition::OnFailure,
            When::Always => proto::RestartCondition::Always,
            When::Never => proto::RestartCondition::Never,
        };
        proto::RestartPolicy {
            condition: condition.into(),
            max_restarts: i32::try_from(self.limit).unwrap_or(i32::MAX),
            first_pause_duration: span(self.first_pause),
            longest_pause_duration: span(self.longest_pause),
        }
    }
}

impl Probe {
    fn of(probe: proto::HealthProbe) -> Result<Self, proto::HostRefusal> {
        use proto::health_probe::Check as Asked;
        let check = match probe.check {
            Some(Asked::TcpAddress(address)) => Check::Tcp(address),
            Some(Asked::HttpUrl(url)) => Check::Http(url),
            Some(Asked::Program(program)) => {
                Check::Program(std::iter::once(program.program).chain(program.arguments).collect())
            }
            None => return Err(refusal::invalid("service.probe", "says what to try")),
        };
        let failures = u32::try_from(probe.failure_threshold).ok().filter(|failures| *failures > 0);
        Ok(Self {
            check,
            interval: time(probe.interval, ten_seconds(), "service.probe")?,
            timeout: time(probe.timeout, two_seconds(), "service.probe")?,
            failures: failures.unwrap_or(three()),
        })
    }

    fn message(&self) -> proto::HealthProbe {
        use proto::health_probe::Check as Told;
        let check = match &self.check {
            Check::Tcp(address) => Told::TcpAddress(address.clone()),
            Check::Http(url) => Told::HttpUrl(url.clone()),
            Check::Program(words) => Told::Program(proto::ProbeProgram {
                program: words.first().cloned().unwrap_or_default(),
                arguments: words.iter().skip(1).cloned().collect(),
            }),
        };
        proto::HealthProbe {
            check: Some(check),
            interval: span(self.interval),
            timeout: span(self.timeout),
            failure_threshold: i32::try_from(self.failures).unwrap_or(i32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Spec {
        toml::from_str(toml).expect("it can be read")
    }

    #[test]
    fn what_toml_says_comes_back_from_the_contract() {
        let spec = read(
            r#"
            name = "web"
            program = "/usr/bin/python3"
            arguments = ["-m", "http.server", "8000"]
            environment = { LANG = "C.UTF-8" }
            depends_on = ["db"]
            stop_grace = "2s"
            [restart]
            when = "always"
            limit = 3
            [probe]
            check = { http = "http://127.0.0.1:8000/" }
            interval = "1s"
            "#,
        );
        assert_eq!(spec.fault(), None);
        assert_eq!(Spec::of("web", spec.message()), Ok(spec));
        let least = read("name = \"x\"\nprogram = \"/bin/true\"");
        assert_eq!(
            Spec::of("x", proto::Service { program: "/bin/true".into(), ..Default::default() }),
            Ok(least)
        );
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (toml, field) in [
            ("name = \"Web\"\nprogram = \"/bin/true\"", "service_id"),
            ("name = \"x\"\nprogram = \"true\"", "service.program"),
            ("name = \"x\"\nprogram = \"/bin/true\"\nfolder = \"here\"", "service.folder"),
            ("name = \"x\"\nprogram = \"/bin/true\"\ndepends_on = [\"x\"]", "service.depends_on"),
            ("name = \"x\"\nprogram = \"/bin/true\"\nstop_grace = \"1h\"", "service.stop_grace_period"),
            ("name = \"x\"\nprogram = \"/bin/true\"\nrestart = { first_pause = \"2m\" }", "service.restart"),
            (
                "name = \"x\"\nprogram = \"/bin/true\"\nprobe = { check = { tcp = \"8080\" } }",
                "service.probe",
            ),
            (
                "name = \"x\"\nprogram = \"/bin/true\"\nprobe = { check = { http = \"ftp://x/\" } }",
                "service.probe",
            ),
            (
                "name = \"x\"\nprogram = \"/bin/true\"\nprobe = { check = { program = [\"true\"] } }",
                "service.probe",
            ),
        ] {
            assert_eq!(read(toml).fault().map(|fault| fault.0), Some(field), "{toml}");
        }
        assert_eq!(http_target("http://[::1]:8080/a?b=c"), Some(("[::1]:8080".into(), "/a?b=c".into())));
    }
}
