//! `weft commands watch`, and `submit --wait`: how a command goes, and what it writes.

use std::{collections::HashSet, io::Write};

use anyhow::{Result, bail};
use tokio::task::JoinSet;
use weft_proto::weft::command::v1::{
    Command, CommandState, OutputStream, StreamOutputRequest, WatchCommandRequest,
    stream_output_response::Event as Wrote, watch_command_response::Event,
};

use super::show;
use crate::{
    cli::output::{self, OutputFormat},
    client::CommandClient,
};

/// Of a command with more targets than this the output is not shown.
const SHOWN: i32 = 32;

/// Until it has ended.
pub(super) async fn follow(client: &mut CommandClient, name: String, format: OutputFormat) -> Result<()> {
    let mut ended = None;
    let mut after_cursor = String::new();
    let mut outputs = JoinSet::new();
    let mut followed = HashSet::new();
    // A stream that breaks off is gone on with.
    while ended.is_none() {
        let request = WatchCommandRequest { name: name.clone(), after_cursor: after_cursor.clone() };
        let mut events = client.watch_command(request).await?.into_inner();
        loop {
            let told = match events.message().await {
                Ok(Some(told)) => told,
                Ok(None) => break,
                Err(status) if status.code() == tonic::Code::Unavailable => break,
                Err(status) => return Err(status.into()),
            };
            if format == OutputFormat::Json {
                output::json(&told, "weft.command.v1.WatchCommandResponse")?;
            }
            let Some(Event::Changes(changes)) = told.event else { continue };
            after_cursor = changes.cursor;
            let Some(command) = changes.command else { continue };
            for target in changes.targets {
                let has_begun = target.delivery_count > 0 && command.target_count <= SHOWN;
                if format == OutputFormat::Table && has_begun && followed.insert(target.name.clone()) {
                    let prefix = (command.target_count > 1).then(|| target.agent.clone());
                    outputs.spawn(write(client.clone(), target.name.clone(), prefix));
                }
                if format == OutputFormat::Table && is_terminal(target.state()) {
                    note(&show::target_line(&target));
                }
            }
            if is_terminal(command.state()) {
                ended = Some(command);
            }
        }
    }
    while outputs.join_next().await.is_some() {}
    let ended = ended.unwrap_or_default();
    if format == OutputFormat::Table {
        note(&format!("{}  {}", ended.name, show::state_word(ended.state())));
    }
    verdict(&ended)
}

fn verdict(ended: &Command) -> Result<()> {
    match ended.state() {
        CommandState::Completed => Ok(()),
        CommandState::Cancelled => bail!("the command was cancelled"),
        _ => bail!("{} of {} targets failed", ended.failed_count, ended.target_count),
    }
}

fn is_terminal(state: CommandState) -> bool {
    matches!(state, CommandState::Completed | CommandState::Failed | CommandState::Cancelled)
}

/// What is told about the command, beside what it writes.
#[expect(clippy::print_stderr, reason = "standard output is the command's")]
fn note(line: &str) {
    eprintln!("{line}");
}

/// Writes what a target writes, each stream to its own; with the agent before each line where there are several.
async fn write(mut client: CommandClient, name: String, prefix: Option<String>) {
    let mut after_cursor = String::new();
    let mut delivery = 0;
    loop {
        let request = StreamOutputRequest { name: name.clone(), after_cursor: after_cursor.clone() };
        let Ok(pieces) = client.stream_output(request).await else { return };
        let mut pieces = pieces.into_inner();
        loop {
            match pieces.message().await {
                Ok(Some(told)) => {
                    let Some(Wrote::Piece(piece)) = told.event else { continue };
                    if delivery > 0 && piece.delivery != delivery {
                        note(&format!("{name}: what follows was written by delivery {}", piece.delivery));
                    }
                    delivery = piece.delivery;
                    print(piece.stream(), &piece.data, prefix.as_deref());
                    after_cursor = piece.cursor;
                }
                Err(status) if status.code() == tonic::Code::Unavailable => break,
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// A reader that went away is no failure.
fn print(stream: OutputStream, data: &[u8], prefix: Option<&str>) {
    let mut text = Vec::new();
    match prefix {
        None => text.extend_from_slice(data),
        Some(agent) => {
            let agent = agent.rsplit('/').next().unwrap_or_default();
            for line in data.split_inclusive(|byte| *byte == b'\n') {
                text.extend_from_slice(agent.as_bytes());
                text.extend_from_slice(b"  ");
                text.extend_from_slice(line);
            }
        }
    }
    let _ = if stream == OutputStream::Stderr {
        std::io::stderr().write_all(&text)
    } else {
        std::io::stdout().write_all(&text).and_then(|()| std::io::stdout().flush())
    };
}
