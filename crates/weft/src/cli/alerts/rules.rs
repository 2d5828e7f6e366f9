//! `weft alerts rules`.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use weft_kit::Ids;
use weft_proto::weft::telemetry::v1::{
    AlertRule, AlertSeverity, AlertWebhook, CreateAlertRuleRequest, DeleteAlertRuleRequest,
    GetAlertRuleRequest, ListAlertRulesRequest, ListAlertRulesResponse, UpdateAlertRuleRequest,
};

use super::{pair, show};
use crate::{
    cli::{
        identity::new_request_id,
        output::{self, OutputFormat},
        telemetry::duration,
    },
    client::AlertClient,
};

/// When there is an alert, and who is told.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RulesCommand {
    /// List rules.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Show one rule.
    Get {
        /// Name of the rule, `projects/{project}/alertRules/{rule}`.
        name: String,
    },
    /// Create a rule: an alert for each series of an expression. With --webhook, the secret that signs is shown once.
    Create(Box<Create>),
    /// Leave a rule alone, or not any more.
    Disable {
        /// Name of the rule.
        name: String,
        /// Evaluate it again.
        #[arg(long)]
        end: bool,
    },
    /// Delete a rule, and its alerts.
    Delete {
        /// Name of the rule.
        name: String,
    },
}

/// A rule to create.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Last part of its name.
    id: String,
    /// PromQL, for example `host_disk_available_bytes / host_disk_total_bytes < 0.1`.
    expression: String,
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
    /// How long it must be so before somebody is told, for example `5m`.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    hold: Option<Duration>,
    /// How bad it is.
    #[arg(long, value_enum, default_value_t = Severity::Warning)]
    severity: Severity,
    /// Label of its alerts, `team=storage`; may be given several times.
    #[arg(long, value_parser = pair)]
    label: Vec<(String, String)>,
    /// What people are told, `summary=Disk of {{ $labels.host }} is full`; may be given several times.
    #[arg(long, value_parser = pair)]
    annotation: Vec<(String, String)>,
    /// Alerts with equal values of this label are told of together; may be given several times.
    #[arg(long)]
    group_by: Vec<String>,
    /// Who is told, by a signed POST; may be given several times.
    #[arg(long, value_name = "URL")]
    webhook: Vec<String>,
    /// File with the secret that signs (`whsec_…`); one is made up and shown if not given.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How often it is said again what still fires, for example `4h`.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    repeat: Option<Duration>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it soon.
    Warning,
    /// Somebody must look at it now.
    Critical,
}

impl RulesCommand {
    pub(super) async fn run(self, client: &mut AlertClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::List { project } => list(client, &project, format).await,
            Self::Get { name } => {
                let rule = client.get_alert_rule(GetAlertRuleRequest { name }).await?.into_inner();
                shown(&rule, format)
            }
            Self::Create(create) => create.run(client, format).await,
            Self::Disable { name, end } => {
                let rule = AlertRule { name, disabled: !end, ..AlertRule::default() };
                let mask = prost_types::FieldMask { paths: vec!["disabled".to_owned()] };
                let request = UpdateAlertRuleRequest { alert_rule: Some(rule), update_mask: Some(mask) };
                shown(&client.update_alert_rule(request).await?.into_inner(), format)
            }
            Self::Delete { name } => {
                let request = DeleteAlertRuleRequest { name: name.clone(), etag: String::new() };
                client.delete_alert_rule(request).await?;
                output::deleted(&name, format);
                Ok(())
            }
        }
    }
}

impl Create {
    async fn run(self, client: &mut AlertClient, format: OutputFormat) -> Result<()> {
        let secret = match &self.secret_file {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
                text.trim().to_owned()
            }
            None => format!("whsec_{}", STANDARD.encode(Ids::system().bytes::<32>())),
        };
        let webhooks: Vec<_> =
            self.webhook.into_iter().map(|url| AlertWebhook { url, secret: secret.clone() }).collect();
        let shows_secret = !webhooks.is_empty() && self.secret_file.is_none();
        let span = |span: Duration| prost_types::Duration::try_from(span).context("a duration is too long");
        let severity = match self.severity {
            Severity::Info => AlertSeverity::Info,
            Severity::Warning => AlertSeverity::Warning,
            Severity::Critical => AlertSeverity::Critical,
        };
        let rule = AlertRule {
            expression: self.expression,
            hold_duration: self.hold.map(span).transpose()?,
            severity: severity.into(),
            labels: self.label.into_iter().collect(),
            annotations: self.annotation.into_iter().collect(),
            group_labels: self.group_by,
            webhooks,
            repeat_interval: self.repeat.map(span).transpose()?,
            ..AlertRule::default()
        };
        let request = CreateAlertRuleRequest {
            parent: format!("projects/{}", self.project),
            alert_rule_id: self.id,
            alert_rule: Some(rule),
            request_id: new_request_id(),
        };
        let made = client.create_alert_rule(request).await?.into_inner();
        if format == OutputFormat::Table && shows_secret {
            output::line(&format!("{} tells with the secret {secret}", made.name));
            return Ok(());
        }
        // Who reads JSON brings a secret, or has none to know.
        shown(&made, format)
    }
}

async fn list(client: &mut AlertClient, project: &str, format: OutputFormat) -> Result<()> {
    let parent = format!("projects/{project}");
    let mut request = ListAlertRulesRequest { parent, page_size: 1_000, page_token: String::new() };
    let mut all = ListAlertRulesResponse::default();
    loop {
        let page = client.list_alert_rules(request.clone()).await?.into_inner();
        all.alert_rules.extend(page.alert_rules);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.telemetry.v1.ListAlertRulesResponse");
    }
    show::rules(&all.alert_rules);
    Ok(())
}

fn shown(rule: &AlertRule, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(rule, "weft.telemetry.v1.AlertRule");
    }
    show::rules(std::slice::from_ref(rule));
    Ok(())
}
