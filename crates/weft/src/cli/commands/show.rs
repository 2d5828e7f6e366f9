//! Commands and targets for people.

use anyhow::Result;
use weft_kit::json;
use weft_proto::weft::command::v1::{
    Command, CommandApproval, CommandApprovalState, CommandState, ListCommandsRequest, ListCommandsResponse,
    ListTargetsRequest, Target,
};

use crate::{
    cli::output::{self, OutputFormat},
    client::CommandClient,
};

/// Rows of a page.
const PAGE: i32 = 1_000;

pub(super) fn state_word(state: CommandState) -> &'static str {
    match state {
        CommandState::Unspecified => "",
        CommandState::Pending => "pending",
        CommandState::Executing => "executing",
        CommandState::Completed => "completed",
        CommandState::Failed => "failed",
        CommandState::Cancelled => "cancelled",
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// How many of its targets stand how.
fn counts(command: &Command) -> String {
    let counts = [
        (command.pending_count, "pending"),
        (command.executing_count, "executing"),
        (command.completed_count, "completed"),
        (command.failed_count, "failed"),
        (command.cancelled_count, "cancelled"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    some.collect::<Vec<_>>().join(", ")
}

/// Where an approval stands, who has decided, and why.
fn approval(approval: &CommandApproval) -> String {
    let word = match approval.state() {
        CommandApprovalState::Unspecified => "nobody decided",
        CommandApprovalState::Waiting => "waits for a second person",
        CommandApprovalState::Approved => "approved",
        CommandApprovalState::Rejected => "rejected",
    };
    let words = [word, &approval.decider, &approval.comment];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

pub(super) fn command(command: &Command, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(command, "weft.command.v1.Command");
    }
    let arguments = command.arguments.as_ref().map(|arguments| json::of_struct(arguments).to_string());
    let lines = [
        ("name", command.name.clone()),
        ("for", command.display_name.clone()),
        ("type", last_part(&command.command_type).to_owned()),
        ("arguments", arguments.unwrap_or_default()),
        ("state", state_word(command.state()).to_owned()),
        ("targets", format!("{}: {}", command.target_count, counts(command))),
        ("agents", command.agent_filter.clone()),
        ("by", command.creator.clone()),
        ("approval", command.approval.as_ref().map(approval).unwrap_or_default()),
        ("retry of", command.retry_of.clone()),
        ("accepted", output::time(command.create_time.as_ref())),
        ("ended", output::time(command.end_time.as_ref())),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:>10}  {value}"));
    }
    Ok(())
}

pub(super) async fn list(
    client: &mut CommandClient,
    mut request: ListCommandsRequest,
    limit: usize,
    format: OutputFormat,
) -> Result<()> {
    let mut all = ListCommandsResponse::default();
    loop {
        request.page_size = PAGE.min(i32::try_from(limit - all.commands.len()).unwrap_or(PAGE));
        let page = client.list_commands(request.clone()).await?.into_inner();
        all.commands.extend(page.commands);
        if page.next_page_token.is_empty() || all.commands.len() >= limit {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.command.v1.ListCommandsResponse");
    }
    let rows = all.commands.iter().map(|command| {
        vec![
            command.name.clone(),
            last_part(&command.command_type).to_owned(),
            state_word(command.state()).to_owned(),
            counts(command),
            output::time(command.create_time.as_ref()),
            command.display_name.clone(),
        ]
    });
    output::table(&["name", "type", "state", "targets", "accepted", "for"], &[], rows);
    Ok(())
}

/// A target in one line.
pub(super) fn target_line(target: &Target) -> String {
    let words = [last_part(&target.agent), state_word(target.state()), &target.reason, &target.message];
    let mut line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ");
    if let Some(result) = &target.result {
        line.push_str("  ");
        line.push_str(&json::of_struct(result).to_string());
    }
    line
}

pub(super) fn target(target: &Target, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(target, "weft.command.v1.Target");
    }
    output::line(&target_line(target));
    Ok(())
}

pub(super) async fn targets(client: &mut CommandClient, mut request: ListTargetsRequest) -> Result<()> {
    request.page_size = PAGE;
    loop {
        let page = client.list_targets(request.clone()).await?.into_inner();
        for target in &page.targets {
            output::line(&format!("{:>12}{}", "", target_line(target)));
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}
