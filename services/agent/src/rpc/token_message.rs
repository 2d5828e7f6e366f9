//! Enrolment tokens as clients see them.

use weft_proto::weft::agent::v1::EnrollmentToken;
use weft_store::EnrollmentTokenRow;

use crate::domain::name;

/// What every enrolment token begins with, so that leaked ones can be found by scanners.
pub(crate) const PREFIX: &str = "weft_enroll_";

/// A token without its secret.
pub(super) fn of(row: &EnrollmentTokenRow) -> EnrollmentToken {
    EnrollmentToken {
        name: name::of_token(&row.project, &row.id),
        uid: row.uid.to_string(),
        display_name: row.display_name.clone(),
        max_uses: row.max_uses,
        use_count: row.use_count,
        expire_time: Some(row.expires.into()),
        labels: row.labels.clone().into_iter().collect(),
        revoke_time: row.revoked.map(Into::into),
        create_time: Some(row.created.into()),
        creator: row.creator.clone(),
        secret: String::new(),
    }
}
