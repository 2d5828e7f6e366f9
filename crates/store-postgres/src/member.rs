//! The rows of members.

use async_trait::async_trait;
use uuid::Uuid;
use weft_store::{MemberRow, MemberStore, Result, Timestamp, check};

use crate::{Postgres, fault::OrFault, instant};

#[async_trait]
impl MemberStore for Postgres {
    async fn keep_member(
        &self,
        service: &str,
        member: MemberRow,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MemberRow>> {
        check::text("service", service)?;
        check::text("address", &member.address)?;
        // One statement, because each process of each service asks this all the time. It does not see its own row.
        let others = sqlx::query!(
            "WITH kept AS (INSERT INTO members (uid, service, address, draining, lease_until) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (uid) DO UPDATE SET address = $3, draining = $4, lease_until = $5) \
             SELECT uid, address, draining, lease_until > $6 AS \"is_there!\" FROM members \
             WHERE service = $2 AND uid <> $1",
            member.uid,
            service,
            member.address,
            member.draining,
            instant::to_sql(until),
            instant::to_sql(at),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?;
        if others.iter().any(|other| !other.is_there) {
            sqlx::query!(
                "DELETE FROM members WHERE uid IN \
                 (SELECT uid FROM members WHERE service = $1 AND lease_until <= $2 FOR UPDATE SKIP LOCKED)",
                service,
                instant::to_sql(at),
            )
            .execute(&self.pool)
            .await
            .or_fault()?;
        }
        let others = others.into_iter().filter(|other| other.is_there);
        let others = others.map(|other| MemberRow {
            uid: other.uid,
            address: other.address,
            draining: other.draining,
        });
        let mut all: Vec<MemberRow> = others.chain([member]).collect();
        all.sort_unstable_by_key(|member| member.uid);
        Ok(all)
    }

    async fn remove_member(&self, uid: Uuid) -> Result<()> {
        sqlx::query!("DELETE FROM members WHERE uid = $1", uid).execute(&self.pool).await.or_fault()?;
        Ok(())
    }
}
