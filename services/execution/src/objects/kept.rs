//! What is kept of an object beside its bytes, and its name.

use prost::Message;
use weft_proto::weft::execution::v1::Object;
use weft_store::{ProjectObjectRow, StoreError};

use super::ObjectError;

/// The settings of a row.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Kept {
    #[prost(string, tag = "1")]
    pub(super) content_type: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) sha256: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(super) writer: String,
}

/// An object as it is saved.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(super) row: ProjectObjectRow,
    pub(super) kept: Kept,
}

impl Saved {
    pub(super) fn of(row: ProjectObjectRow) -> Result<Self, ObjectError> {
        let kept = Kept::decode(&row.settings[..]).map_err(|error| StoreError::Corrupt {
            table: "project_objects",
            column: "settings",
            row: row.uid.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self { row, kept })
    }

    pub(crate) fn name(&self) -> String {
        whole_name(&self.row.project, &self.row.id)
    }

    pub(crate) fn content_type(&self) -> &str {
        &self.kept.content_type
    }

    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.row.size).unwrap_or_default()
    }

    pub(crate) fn sha256(&self) -> &[u8] {
        &self.kept.sha256
    }

    /// As the contract has it.
    pub(super) fn message(&self) -> Object {
        let row = &self.row;
        Object {
            name: self.name(),
            uid: row.uid.to_string(),
            content_type: self.kept.content_type.clone(),
            size_bytes: row.size,
            sha256: hexadecimal(&self.kept.sha256),
            writer: self.kept.writer.clone(),
            create_time: Some(row.created.into()),
            update_time: Some(row.updated.into()),
            etag: row.version.to_string(),
        }
    }
}

/// Project and id in `projects/{project}/objects/{object}`. The contract has checked the form.
pub(crate) fn parts(name: &str) -> (&str, &str) {
    let parts = name.strip_prefix("projects/").and_then(|name| name.split_once("/objects/"));
    parts.unwrap_or_default()
}

/// The name of an object.
pub(crate) fn whole_name(project: &str, id: &str) -> String {
    format!("projects/{project}/objects/{id}")
}

/// The version in an etag; nothing where there is none.
pub(super) fn version(etag: &str) -> Result<Option<i64>, ObjectError> {
    if etag.is_empty() {
        return Ok(None);
    }
    etag.parse().map(Some).map_err(|_| ObjectError::BadEtag)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
