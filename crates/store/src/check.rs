//! Which arguments no database could keep: checked by every backend before it writes, so that both refuse the
//! same ones in the same words.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    Advance, AgentUpdate, AlertSettingUpdate, CommandTypeUpdate, Commit, DeliveryChange, DeliveryRow,
    Dismissal, EnrollmentTokenRow, ExecutionFlush, GraphUpdate, JobFlush, KeptResult, LayoutUpdate, LogEntry,
    LooseContent, MAX_PART_BYTES, NewAgent, NewAlertSetting, NewAnalysis, NewApiKey, NewCommandType,
    NewEnrollmentToken, NewGraph, NewLayout, NewProjectObject, NewRefresh, NewSecret, NewSigningKey,
    NewSource, NewTicket, NewTrigger, Once, Redemption, RefreshState, Remember, Result, SealedSegments,
    SecretUpdate, SourceUpdate, StoreError, Tick, Timestamp, TriggerUpdate,
};

/// A write that can be checked by itself.
pub trait Check {
    /// Fails with [`StoreError::Invalid`], which names the field.
    fn check(&self) -> Result<()>;
}

/// Text for a column. PostgreSQL keeps no U+0000 in text, so no store does.
pub fn text(field: &'static str, value: &str) -> Result<()> {
    if value.contains('\0') {
        return Err(StoreError::Invalid { field, reason: "contains U+0000" });
    }
    Ok(())
}

/// Bytes for a column: bounded, so that one row never fills the memory of whoever reads it.
pub fn bytes(field: &'static str, value: &Bytes) -> Result<()> {
    if value.len() > MAX_PART_BYTES {
        return Err(StoreError::Invalid { field, reason: "is larger than 4 MiB" });
    }
    Ok(())
}

/// Parts of a revision or of a checkpoint: one or more, each bounded.
pub fn parts(field: &'static str, value: &[Bytes]) -> Result<()> {
    if value.is_empty() {
        return Err(StoreError::Invalid { field, reason: "is empty" });
    }
    if i32::try_from(value.len()).is_err() {
        return Err(StoreError::Invalid { field, reason: "are too many" });
    }
    value.iter().try_for_each(|part| bytes(field, part))
}

impl<T: Check> Check for Option<T> {
    fn check(&self) -> Result<()> {
        self.as_ref().map_or(Ok(()), Check::check)
    }
}

impl Check for Once {
    fn check(&self) -> Result<()> {
        text("scope", &self.scope)
    }
}

impl Check for Remember {
    fn check(&self) -> Result<()> {
        self.once.check()?;
        bytes("response", &self.response)
    }
}

impl Check for LogEntry {
    fn check(&self) -> Result<()> {
        bytes("content", &self.content)
    }
}

impl Check for SealedSegments {
    fn check(&self) -> Result<()> {
        for segment in &self.added {
            text("project", &segment.project)?;
            bytes("directory", &segment.directory)?;
        }
        self.reporters.iter().try_for_each(|reporter| {
            text("project", &reporter.project)?;
            text("source", &reporter.source)
        })
    }
}

impl Check for NewGraph {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        text("display_name", &self.display_name)?;
        text("description", &self.description)?;
        text("actor", &self.actor)?;
        parts("parts", &self.parts)
    }
}

impl Check for GraphUpdate {
    fn check(&self) -> Result<()> {
        text("display_name", &self.display_name)?;
        text("description", &self.description)?;
        text("actor", &self.actor)?;
        parts("parts", &self.parts)
    }
}

impl Check for Commit {
    fn check(&self) -> Result<()> {
        text("actor", &self.actor)?;
        parts("parts", &self.parts)
    }
}

impl Check for NewLayout {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("graph", &self.graph)?;
        text("id", &self.id)?;
        bytes("parameters", &self.parameters)
    }
}

impl Check for LayoutUpdate {
    fn check(&self) -> Result<()> {
        if let Some(parameters) = &self.parameters {
            bytes("parameters", parameters)?;
        }
        if let Some(pins) = &self.pins {
            bytes("pins", pins)?;
        }
        if let Some(constraints) = &self.constraints {
            bytes("constraints", constraints)?;
        }
        Ok(())
    }
}

impl Check for NewAnalysis {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("graph", &self.graph)?;
        text("id", &self.id)?;
        text("creator", &self.creator)?;
        bytes("settings", &self.settings)
    }
}

impl Check for LooseContent {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        size(self.size)
    }
}

/// The size of an object.
fn size(size: i64) -> Result<()> {
    if size < 0 {
        return Err(StoreError::Invalid { field: "size", reason: "is negative" });
    }
    Ok(())
}

impl Check for KeptResult {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("area", &self.area)?;
        text("maker", &self.maker)?;
        bytes("bytes", &self.bytes)
    }
}

impl Check for NewProjectObject {
    fn check(&self) -> Result<()> {
        size(self.size)?;
        text("project", &self.project)?;
        text("id", &self.id)?;
        bytes("settings", &self.settings)
    }
}

impl Check for NewSecret {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        bytes("settings", &self.settings)?;
        bytes("sealed", &self.sealed)
    }
}

impl Check for SecretUpdate {
    fn check(&self) -> Result<()> {
        bytes("settings", &self.settings)?;
        self.sealed.as_ref().map_or(Ok(()), |sealed| bytes("sealed", sealed))
    }
}

impl Check for NewAlertSetting {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        bytes("settings", &self.settings)
    }
}

impl Check for AlertSettingUpdate {
    fn check(&self) -> Result<()> {
        bytes("settings", &self.settings)
    }
}

impl Check for NewCommandType {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        bytes("settings", &self.settings)
    }
}

impl Check for CommandTypeUpdate {
    fn check(&self) -> Result<()> {
        bytes("settings", &self.settings)
    }
}

impl Check for JobFlush {
    fn check(&self) -> Result<()> {
        for batch in &self.batches {
            text("project", &batch.project)?;
            text("name", &batch.name)?;
            text("kind", &batch.kind)?;
            bytes("terms", &batch.terms)?;
            bytes("note", &batch.note)?;
            bytes("payload", &batch.payload)?;
        }
        for change in &self.changes {
            bytes("terms", &change.terms)?;
            change.note.as_ref().map_or(Ok(()), |note| bytes("note", note))?;
        }
        for job in &self.jobs {
            text("queue", &job.queue)?;
            bytes("hot", &job.hot)?;
            job.outcome.as_ref().map_or(Ok(()), |outcome| bytes("outcome", outcome))?;
        }
        self.outputs.iter().try_for_each(|output| bytes("bytes", &output.bytes))
    }
}

impl Check for ExecutionFlush {
    fn check(&self) -> Result<()> {
        for execution in &self.executions {
            text("project", &execution.project)?;
            text("graph", &execution.graph)?;
            execution.name.as_ref().map_or(Ok(()), |name| text("name", name))?;
            bytes("head", &execution.head)?;
        }
        self.changes.iter().try_for_each(|change| text("reason", &change.reason))?;
        self.events.iter().try_for_each(|events| bytes("bytes", &events.bytes))?;
        for limit in &self.limits {
            text("project", &limit.project)?;
            text("id", &limit.id)?;
            bytes("settings", &limit.settings)?;
        }
        self.turns.iter().filter_map(|(_, turn)| turn.as_ref()).try_for_each(|turn| bytes("turn", turn))?;
        self.rates.iter().try_for_each(|rate| text("key", &rate.key))?;
        self.messages.iter().try_for_each(|message| {
            text("project", &message.project)?;
            text("topic", &message.topic)?;
            bytes("bytes", &message.bytes)
        })
    }
}

impl Check for NewTrigger {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        bytes("settings", &self.settings)
    }
}

impl Check for TriggerUpdate {
    fn check(&self) -> Result<()> {
        bytes("settings", &self.settings)
    }
}

impl Check for DeliveryRow {
    fn check(&self) -> Result<()> {
        bytes("head", &self.head)?;
        bytes("event", &self.event)
    }
}

impl Check for DeliveryChange {
    fn check(&self) -> Result<()> {
        bytes("head", &self.head)
    }
}

impl Check for Dismissal {
    fn check(&self) -> Result<()> {
        bytes("head", &self.head)
    }
}

impl Check for Tick {
    fn check(&self) -> Result<()> {
        self.deliveries.check()
    }
}

impl Check for Advance {
    fn check(&self) -> Result<()> {
        bytes("to", &self.to)?;
        self.deliveries.check()
    }
}

impl<T: Check> Check for Vec<T> {
    fn check(&self) -> Result<()> {
        self.iter().try_for_each(Check::check)
    }
}

impl Check for NewSource {
    fn check(&self) -> Result<()> {
        text("id", &self.id)?;
        bytes("settings", &self.settings)
    }
}

impl Check for SourceUpdate {
    fn check(&self) -> Result<()> {
        bytes("settings", &self.settings)
    }
}

impl Check for NewRefresh {
    fn check(&self) -> Result<()> {
        text("actor", &self.actor)
    }
}

/// The state that a refresh ends in.
pub fn end(state: RefreshState) -> Result<()> {
    if state == RefreshState::Running {
        return Err(StoreError::Invalid { field: "state", reason: "is not an end" });
    }
    Ok(())
}

impl Check for NewApiKey {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        text("display_name", &self.display_name)?;
        text("creator", &self.creator)
    }
}

impl Check for NewSigningKey {
    fn check(&self) -> Result<()> {
        text("kid", &self.kid)?;
        bytes("private", &self.private)?;
        bytes("public", &self.public)
    }
}

impl Check for NewTicket {
    fn check(&self) -> Result<()> {
        bytes("principal", &self.principal)
    }
}

impl Check for NewEnrollmentToken {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        text("display_name", &self.display_name)?;
        text("creator", &self.creator)
    }
}

impl Check for NewAgent {
    fn check(&self) -> Result<()> {
        text("project", &self.project)?;
        text("id", &self.id)?;
        bytes("record", &self.record)
    }
}

impl Check for AgentUpdate {
    fn check(&self) -> Result<()> {
        if let Some(document) = &self.document {
            bytes("document", &document.content)?;
        }
        bytes("record", &self.record)
    }
}

/// Whether an agent may join with a token now: not one that is revoked or expired, or used up.
pub fn enroll(token: &EnrollmentTokenRow, at: Timestamp) -> Result<()> {
    if token.revoked.is_some() || at >= token.expires {
        return Err(StoreError::NotFound { what: "enrollment token" });
    }
    if token.use_count >= token.max_uses {
        return Err(StoreError::Conflict { reason: "enrollment token is used up" });
    }
    Ok(())
}

/// Whether a ticket can be used, given when it expires, and when and by which request it was used if it was:
/// `true` if this is its first use, `false` if this is a repeat of that one.
pub fn redeem(
    redemption: Redemption,
    expires: Timestamp,
    used: Option<(Timestamp, Option<Uuid>)>,
) -> Result<bool> {
    // Long enough for a client to try again after a lost answer, too short for a thief to find the ticket in
    // some log together with the request id.
    const REPEAT: Duration = Duration::from_mins(1);
    match used {
        None if redemption.at >= expires => Err(StoreError::NotFound { what: "ticket" }),
        None => Ok(true),
        Some((at, Some(request_id)))
            if redemption.request_id == Some(request_id) && redemption.at < at.after(REPEAT) =>
        {
            Ok(false)
        }
        Some(_) => Err(StoreError::Conflict { reason: "ticket was used" }),
    }
}
