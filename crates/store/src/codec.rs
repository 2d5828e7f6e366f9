//! How both databases write down what has no column type of its own, so that a row means the same in each.

use std::{collections::BTreeMap, fmt::Display};

use uuid::Uuid;

use crate::{AnalysisState, DesiredState, JournalEntry, Position, RefreshState, Result, StoreError};

/// Labels as JSON, keys sorted.
pub fn labels_to_json(labels: &BTreeMap<String, String>) -> String {
    serde_json::to_string(labels).expect("a map of strings is always JSON")
}

/// Labels out of JSON.
pub fn labels_from_json(uid: Uuid, json: &str) -> Result<BTreeMap<String, String>> {
    labels_of("graphs", uid, json)
}

/// Labels of a row of some table out of JSON.
pub fn labels_of(table: &'static str, uid: Uuid, json: &str) -> Result<BTreeMap<String, String>> {
    serde_json::from_str(json).map_err(|error| corrupt(table, "labels", uid, error))
}

/// Scopes as JSON.
pub fn scopes_to_json(scopes: &[String]) -> String {
    serde_json::to_string(scopes).expect("a list of strings is always JSON")
}

/// Scopes out of JSON.
pub fn scopes_from_json(uid: Uuid, json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json).map_err(|error| corrupt("api_keys", "scopes", uid, error))
}

/// A digest out of a column of bytes.
pub fn digest(table: &'static str, row: impl Display, bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| corrupt(table, "digest", row, format!("{} bytes, not 32", bytes.len())))
}

/// A layout's desired state as a number.
pub const fn desired_to_number(state: DesiredState) -> i32 {
    match state {
        DesiredState::Running => 1,
        DesiredState::Stopped => 2,
    }
}

/// A layout's desired state out of a number.
pub fn desired_from_number(uid: Uuid, number: i32) -> Result<DesiredState> {
    match number {
        1 => Ok(DesiredState::Running),
        2 => Ok(DesiredState::Stopped),
        other => Err(corrupt("layouts", "desired_state", uid, format!("{other} is not a state"))),
    }
}

/// An analysis' state as a number.
pub const fn analysis_state_to_number(state: AnalysisState) -> i32 {
    match state {
        AnalysisState::Pending => 1,
        AnalysisState::Running => 2,
        AnalysisState::Succeeded => 3,
        AnalysisState::Failed => 4,
        AnalysisState::Cancelled => 5,
    }
}

/// An analysis' state out of a number.
pub fn analysis_state_from_number(uid: Uuid, number: i32) -> Result<AnalysisState> {
    match number {
        1 => Ok(AnalysisState::Pending),
        2 => Ok(AnalysisState::Running),
        3 => Ok(AnalysisState::Succeeded),
        4 => Ok(AnalysisState::Failed),
        5 => Ok(AnalysisState::Cancelled),
        other => Err(corrupt("analyses", "state", uid, format!("{other} is not a state"))),
    }
}

/// A refresh's state as a number.
pub const fn refresh_state_to_number(state: RefreshState) -> i32 {
    match state {
        RefreshState::Running => 1,
        RefreshState::Succeeded => 2,
        RefreshState::Failed => 3,
        RefreshState::Cancelled => 4,
        RefreshState::Interrupted => 5,
    }
}

/// A refresh's state out of a number.
pub fn refresh_state_from_number(source_uid: Uuid, refresh: i64, number: i32) -> Result<RefreshState> {
    match number {
        1 => Ok(RefreshState::Running),
        2 => Ok(RefreshState::Succeeded),
        3 => Ok(RefreshState::Failed),
        4 => Ok(RefreshState::Cancelled),
        5 => Ok(RefreshState::Interrupted),
        other => {
            let row = format!("{source_uid}/{refresh}");
            Err(corrupt("refreshes", "state", row, format!("{other} is not a state")))
        }
    }
}

/// That a page of a journal follows on its beginning without a gap. A store that has lost a row in the middle
/// must say so, because its reader would carry on with a wrong graph.
pub fn verify_journal(uid: Uuid, after: Position, entries: &[JournalEntry]) -> Result<()> {
    let mut at = after;
    for entry in entries {
        let expected = if at.part == i32::MAX { (at.revision + 1, 0) } else { (at.revision, at.part + 1) };
        if (entry.revision, entry.part) != expected {
            let row = format!("{uid}/{}/{}", entry.revision, entry.part);
            let reason = format!("revision {} part {} is missing", expected.0, expected.1);
            return Err(corrupt("journal", "revision", row, reason));
        }
        at = entry.position();
    }
    Ok(())
}

/// [`StoreError::Corrupt`].
pub fn corrupt(
    table: &'static str,
    column: &'static str,
    row: impl Display,
    reason: impl Display,
) -> StoreError {
    StoreError::Corrupt { table, column, row: row.to_string(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Timestamp;

    fn entry(revision: i64, part: i32, last_part: bool) -> JournalEntry {
        let (at, actor, bytes) = (Timestamp::default(), String::new(), Bytes::new());
        JournalEntry { revision, part, last_part, at, actor, bytes }
    }

    #[test]
    fn a_whole_journal_is_accepted_from_any_place() {
        let entries = [entry(1, 0, true), entry(2, 0, false), entry(2, 1, true), entry(3, 0, true)];
        for start in 0..entries.len() {
            let after =
                start.checked_sub(1).map_or(Position::after_revision(0), |before| entries[before].position());
            verify_journal(Uuid::nil(), after, &entries[start..]).unwrap();
        }
        verify_journal(Uuid::nil(), Position::after_revision(2), &entries[3..]).unwrap();
    }

    #[test]
    fn a_gap_is_corruption() {
        let gaps: [&[JournalEntry]; 4] = [
            &[entry(2, 0, true)],
            &[entry(1, 1, true)],
            &[entry(1, 0, false), entry(2, 0, true)],
            &[entry(1, 0, true), entry(1, 1, true)],
        ];
        for entries in gaps {
            let error = verify_journal(Uuid::nil(), Position::after_revision(0), entries).unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { table: "journal", .. }), "{error:?}");
        }
    }
}
