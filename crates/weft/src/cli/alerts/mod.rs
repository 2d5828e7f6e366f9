//! `weft alerts`: what fires, the rules that say so, and what is to be kept quiet.

mod rules;
mod show;
mod silences;

use anyhow::{Result, bail};
use weft_proto::weft::telemetry::v1::{
    AlertMatcher, ListAlertsRequest, ListAlertsResponse, WatchAlertsRequest,
};

use super::output::{self, OutputFormat};
use crate::client::Connection;

/// Alerts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AlertsCommand {
    /// List what fires, what is about to, and what was resolved just now.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Tell how it is, and again whenever something changes.
    Watch {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// When there is an alert, and who is told.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// What nobody is to be told of for a while.
    #[command(subcommand)]
    Silences(silences::SilencesCommand),
}

impl AlertsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.alerts();
        match self {
            Self::List { project } => {
                let mut request = ListAlertsRequest {
                    parent: format!("projects/{project}"),
                    ..ListAlertsRequest::default()
                };
                let mut all = ListAlertsResponse::default();
                loop {
                    let page = client.list_alerts(request.clone()).await?.into_inner();
                    all.alerts.extend(page.alerts);
                    if page.next_page_token.is_empty() {
                        break;
                    }
                    request.page_token = page.next_page_token;
                }
                if format == OutputFormat::Json {
                    return output::json(&all, "weft.telemetry.v1.ListAlertsResponse");
                }
                show::alerts(&all.alerts);
                Ok(())
            }
            Self::Watch { project } => {
                let request = WatchAlertsRequest { parent: format!("projects/{project}") };
                let mut told = client.watch_alerts(request).await?.into_inner();
                while let Some(now) = told.message().await? {
                    if format == OutputFormat::Json {
                        output::json(&now, "weft.telemetry.v1.WatchAlertsResponse")?;
                        continue;
                    }
                    output::line(&format!(
                        "{}  {} alerts",
                        output::time(now.evaluation_time.as_ref()),
                        now.alerts.len()
                    ));
                    show::alerts(&now.alerts);
                }
                Ok(())
            }
            Self::Rules(command) => command.run(&mut client, format).await,
            Self::Silences(command) => command.run(&mut client, format).await,
        }
    }
}

/// `name=text`.
fn pair(text: &str) -> Result<(String, String)> {
    let Some((name, value)) = text.split_once('=') else { bail!("must be NAME=VALUE") };
    Ok((name.to_owned(), value.to_owned()))
}

/// `label=value`, `label!=value`, `label=~pattern` or `label!~pattern`.
fn matcher(text: &str) -> Result<AlertMatcher> {
    let end =
        text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    let (label, rest) = text.split_at(end);
    for (sign, regex, negated) in
        [("=~", true, false), ("!~", true, true), ("!=", false, true), ("=", false, false)]
    {
        if let Some(value) = rest.strip_prefix(sign) {
            return Ok(AlertMatcher { label: label.to_owned(), value: value.to_owned(), regex, negated });
        }
    }
    bail!("must be LABEL=VALUE, LABEL!=VALUE, LABEL=~PATTERN or LABEL!~PATTERN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_as_promql_writes_them() {
        let read = |text: &str| {
            matcher(text).map(|matcher| (matcher.label, matcher.value, matcher.regex, matcher.negated)).ok()
        };
        let of = |label: &str, value: &str, regex, negated| {
            Some((label.to_owned(), value.to_owned(), regex, negated))
        };
        assert_eq!(read("host=a=b"), of("host", "a=b", false, false));
        assert_eq!(read("host!=a"), of("host", "a", false, true));
        assert_eq!(read("host=~n.*"), of("host", "n.*", true, false));
        assert_eq!(read("host!~n.*"), of("host", "n.*", true, true));
        assert_eq!(read("host"), None);
    }
}
