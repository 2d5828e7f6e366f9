//! Where alerts are kept: the rules and silences that people set, and how far each rule's alerts are.
//!
//! Rules and silences are rows of one kind: what they say is the telemetry service's affair. The state of a rule is
//! written by the process that has the log ([`crate::TelemetryStore`]), and by no other.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// What a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertSettingKind {
    /// When there is an alert, and who is told.
    Rule,
    /// Which alerts nobody is told of, for a while.
    Silence,
}

impl AlertSettingKind {
    /// As it is stored.
    pub const fn number(self) -> i32 {
        match self {
            Self::Rule => 1,
            Self::Silence => 2,
        }
    }

    /// As it was stored.
    pub const fn from_number(number: i32) -> Self {
        if number == 2 { Self::Silence } else { Self::Rule }
    }

    /// As errors name it.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Rule => "alert rule",
            Self::Silence => "silence",
        }
    }
}

/// A rule or a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSettingRow {
    /// What it is.
    pub kind: AlertSettingKind,
    /// Id of its project.
    pub project: String,
    /// Id in the project, among those of its kind.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// The telemetry service's encoding of what it says.
    pub settings: Bytes,
    /// Counts its changes, from 1: the number behind its etag.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// A rule or a silence to be created.
#[derive(Clone, Debug)]
pub struct NewAlertSetting {
    /// What it is.
    pub kind: AlertSettingKind,
    /// Id of its project.
    pub project: String,
    /// Id in the project.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// What it says. At most [`crate::MAX_PART_BYTES`].
    pub settings: Bytes,
    /// When.
    pub at: Timestamp,
}

/// A rule or a silence as it should be.
#[derive(Clone, Debug)]
pub struct AlertSettingUpdate {
    /// Its identity.
    pub uid: Uuid,
    /// The version that the change is based on.
    pub expected_version: i64,
    /// What it says from now on.
    pub settings: Bytes,
    /// When.
    pub at: Timestamp,
}

/// How far the alerts of a rule are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertStateRow {
    /// Identity of the rule.
    pub rule: Uuid,
    /// The telemetry service's encoding. At most [`crate::MAX_PART_BYTES`].
    pub content: Bytes,
}

/// Keeps alerts. See the promises in the crate's documentation.
#[async_trait]
pub trait AlertStore: Requests {
    /// Creates a rule or a silence. `AlreadyExists` if the id is taken in the project.
    async fn create_alert_setting(
        &self,
        setting: NewAlertSetting,
        remember: Option<Remember>,
    ) -> Result<Written<AlertSettingRow>>;

    /// The one of that name.
    async fn get_alert_setting(
        &self,
        kind: AlertSettingKind,
        project: &str,
        id: &str,
    ) -> Result<AlertSettingRow>;

    /// Those of a project by id: after `after` (all when empty), at most `limit`.
    async fn list_alert_settings(
        &self,
        kind: AlertSettingKind,
        project: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AlertSettingRow>>;

    /// Those of all projects by uid: after `after` (all when nil), at most `limit`.
    async fn every_alert_setting(&self, after: Uuid, limit: u32) -> Result<Vec<AlertSettingRow>>;

    /// Changes one. `Stale` if `expected_version` is not its version.
    async fn update_alert_setting(&self, update: AlertSettingUpdate) -> Result<AlertSettingRow>;

    /// Deletes one, and its state with it. `Stale` if `expected_version` is given and not its version.
    async fn delete_alert_setting(
        &self,
        kind: AlertSettingKind,
        project: &str,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<()>;

    /// Keeps the state of a rule in place of the one before. `Stale` if the epoch is not the log's, `NotFound` if there
    /// is no such rule any more.
    async fn keep_alert_state(&self, epoch: i64, state: AlertStateRow) -> Result<()>;

    /// States of all rules by the rules' uids: after `after` (all when nil), at most `limit`.
    async fn alert_states(&self, after: Uuid, limit: u32) -> Result<Vec<AlertStateRow>>;
}
