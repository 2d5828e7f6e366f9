//! The truth about readiness: a service is ready while what it stands on answers.

use std::{convert::Infallible, time::Duration};

use weft_kit::TaskKind;

use super::{Assembly, Role};

/// How often what services stand on is asked.
const ROUND: Duration = Duration::from_secs(2);

/// Starts asking, and says what is ready from now on.
pub(crate) fn start(node: &Assembly, roles: &[&'static Role]) {
    let services: Vec<&'static str> = roles.iter().flat_map(|role| role.services).copied().collect();
    for service in &services {
        node.health.set(service, true);
    }
    let (health, database) = (node.health.clone(), node.storage.stores.database.clone());
    node.lifecycle.spawn("health", TaskKind::Background, move |life| {
        let (health, database, services) = (health.clone(), database.clone(), services.clone());
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(ROUND) => {}
                    () = life.draining() => {
                        health.set_all_not_ready();
                        return Ok::<_, Infallible>(());
                    }
                }
                let ready = match tokio::time::timeout(ROUND, database.ping()).await {
                    Ok(Ok(())) => true,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "the database does not answer");
                        false
                    }
                    Err(_) => {
                        tracing::warn!("the database does not answer in time");
                        false
                    }
                };
                for service in &services {
                    health.set(service, ready);
                }
            }
        }
    });
}
