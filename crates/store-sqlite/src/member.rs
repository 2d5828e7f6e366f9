//! The rows of members.

use async_trait::async_trait;
use uuid::Uuid;
use weft_store::{MemberRow, MemberStore, Result, Timestamp, check};

use crate::{Sqlite, fault::OrFault};

#[async_trait]
impl MemberStore for Sqlite {
    async fn keep_member(
        &self,
        service: &str,
        member: MemberRow,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MemberRow>> {
        check::text("service", service)?;
        check::text("address", &member.address)?;
        let service = service.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let (at, until) = (at.as_micros(), until.as_micros());
                sqlx::query!(
                    "INSERT INTO members (uid, service, address, draining, lease_until) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (uid) DO UPDATE SET address = $3, draining = $4, lease_until = $5",
                    member.uid,
                    service,
                    member.address,
                    member.draining,
                    until,
                )
                .execute(&mut *connection)
                .await
                .or_fault()?;
                sqlx::query!("DELETE FROM members WHERE service = $1 AND lease_until <= $2", service, at)
                    .execute(&mut *connection)
                    .await
                    .or_fault()?;
                sqlx::query_as!(
                    MemberRow,
                    "SELECT uid, address, draining FROM members WHERE service = $1 AND lease_until > $2 ORDER BY uid",
                    service,
                    at,
                )
                .fetch_all(connection)
                .await
                .or_fault()
            })
        })
        .await
    }

    async fn remove_member(&self, uid: Uuid) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query!("DELETE FROM members WHERE uid = $1", uid)
                    .execute(connection)
                    .await
                    .or_fault()?;
                Ok(())
            })
        })
        .await
    }
}
