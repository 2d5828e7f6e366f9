//! The rows of enrolment tokens.

use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{EnrollmentTokenRow, NewEnrollmentToken, Result, StoreError, Timestamp, codec};

use crate::fault::OrFault;

const NOT_FOUND: StoreError = StoreError::NotFound { what: "enrollment token" };

/// A row as SQLite gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    display_name: String,
    digest: Vec<u8>,
    max_uses: i32,
    use_count: i32,
    labels: String,
    created: i64,
    expires: i64,
    revoked: Option<i64>,
    creator: String,
}

impl TryFrom<Record> for EnrollmentTokenRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        Ok(Self {
            labels: codec::labels_of("enrollment_tokens", record.uid, &record.labels)?,
            digest: codec::digest("enrollment_tokens", record.uid, &record.digest)?,
            project: record.project,
            id: record.id,
            uid: record.uid,
            display_name: record.display_name,
            max_uses: record.max_uses,
            use_count: record.use_count,
            created: Timestamp::from_micros(record.created),
            expires: Timestamp::from_micros(record.expires),
            revoked: record.revoked.map(Timestamp::from_micros),
            creator: record.creator,
        })
    }
}

pub(crate) async fn create(
    connection: &mut SqliteConnection,
    token: &NewEnrollmentToken,
) -> Result<EnrollmentTokenRow> {
    let labels = codec::labels_to_json(&token.labels);
    let digest = &token.digest[..];
    let (at, expires) = (token.at.as_micros(), token.expires.as_micros());
    sqlx::query_as!(
        Record,
        "INSERT INTO enrollment_tokens (uid, project, id, display_name, digest, max_uses, use_count, labels, \
         created, expires, creator) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10) ON CONFLICT DO NOTHING \
         RETURNING uid, project, id, display_name, digest, max_uses, use_count, labels, created, expires, revoked, \
         creator",
        token.uid,
        token.project,
        token.id,
        token.display_name,
        digest,
        token.max_uses,
        labels,
        at,
        expires,
        token.creator,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(StoreError::AlreadyExists { what: "enrollment token" })?
    .try_into()
}

pub(crate) async fn by_digest(
    executor: impl SqliteExecutor<'_>,
    digest: &[u8; 32],
) -> Result<EnrollmentTokenRow> {
    let digest = &digest[..];
    sqlx::query_as!(
        Record,
        "SELECT uid, project, id, display_name, digest, max_uses, use_count, labels, created, expires, revoked, \
         creator FROM enrollment_tokens WHERE digest = $1",
        digest,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

pub(crate) async fn list(
    executor: impl SqliteExecutor<'_>,
    project: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<EnrollmentTokenRow>> {
    sqlx::query_as!(
        Record,
        "SELECT uid, project, id, display_name, digest, max_uses, use_count, labels, created, expires, revoked, \
         creator FROM enrollment_tokens WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
        project,
        after,
        limit,
    )
    .fetch_all(executor)
    .await
    .or_fault()?
    .into_iter()
    .map(EnrollmentTokenRow::try_from)
    .collect()
}

pub(crate) async fn revoke(
    connection: &mut SqliteConnection,
    project: &str,
    id: &str,
    at: Timestamp,
) -> Result<EnrollmentTokenRow> {
    let at = at.as_micros();
    sqlx::query_as!(
        Record,
        "UPDATE enrollment_tokens SET revoked = COALESCE(revoked, $1) WHERE project = $2 AND id = $3 \
         RETURNING uid, project, id, display_name, digest, max_uses, use_count, labels, created, expires, revoked, \
         creator",
        at,
        project,
        id,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

/// Counts a use, where the token is good, and gives the token's identity.
pub(crate) async fn count_use(
    connection: &mut SqliteConnection,
    project: &str,
    digest: &[u8; 32],
    at: Timestamp,
) -> Result<Option<Uuid>> {
    let (digest, at) = (&digest[..], at.as_micros());
    let counted = sqlx::query!(
        "UPDATE enrollment_tokens SET use_count = use_count + 1 WHERE digest = $1 AND project = $2 \
         AND revoked IS NULL AND expires > $3 AND use_count < max_uses RETURNING uid",
        digest,
        project,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?;
    Ok(counted.map(|row| row.uid))
}

pub(crate) async fn purge(
    connection: &mut SqliteConnection,
    expired_before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let before = expired_before.as_micros();
    let done = sqlx::query!(
        "DELETE FROM enrollment_tokens WHERE uid IN \
         (SELECT uid FROM enrollment_tokens WHERE expires < $1 ORDER BY expires LIMIT $2)",
        before,
        limit,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(done.rows_affected())
}
