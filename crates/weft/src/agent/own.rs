//! The agent of the host that the mesh runs on: it joins by itself, and lives in the mesh's process without a socket.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use weft_kit::{Clock, client::Peers, config::Secret};
use weft_proto::weft::agent::v1::{CreateEnrollmentTokenRequest, EnrollmentToken, GetAgentRequest};

use super::{Home, enroll_by, run::run_by, way::Way};
use crate::client::Connection;

/// How long the token lives with which it joins: it is used at once, and told to nobody.
const TOKEN_LIFETIME: Duration = Duration::from_mins(5);

/// This host, as the mesh of this process watches it.
#[derive(Clone)]
pub(crate) struct OwnHost {
    /// Folder of the agent.
    pub(crate) home: PathBuf,
    /// Id of the project whose fleet it joins.
    pub(crate) project: String,
    /// Where the mesh listens, for people who ask where this agent belongs.
    pub(crate) url: String,
    /// The services of this process.
    pub(crate) peers: Peers,
    /// Who lets it in.
    pub(crate) admin: Secret,
}

impl OwnHost {
    /// Joins where it has not, and runs until `stop`. An agent that somebody has removed from the fleet stays away
    /// until the mesh starts again.
    ///
    /// # Errors
    /// The folder cannot be written, or the mesh does not let it in (yet).
    pub(crate) async fn run(&self, stop: CancellationToken) -> Result<()> {
        let home = Home(self.home.clone());
        let way = Way::within_process(&self.peers);
        if !self.has_joined(&home).await? {
            let token = self.token().await?;
            enroll_by(&way, &home, self.url.clone(), None, token.reveal(), String::new()).await?;
        }
        match run_by(&home, way, true, stop).await {
            Err(error) if error.downcast_ref::<Status>().is_some() => {
                tracing::warn!(error = format!("{error:#}"), "this host is not watched any more");
                Ok(())
            }
            ended => ended,
        }
    }

    /// Whether the fleet knows this folder's key.
    async fn has_joined(&self, home: &Home) -> Result<bool> {
        let (Ok(settings), Ok(key)) = (home.settings(), home.key()) else { return Ok(false) };
        let mut agents = self.agents()?;
        match agents.get_agent(GetAgentRequest { name: settings.name }).await {
            Ok(agent) => Ok(agent.get_ref().key_id == key.id()),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(false),
            Err(status) => Err(status).context("the fleet cannot be asked for this host"),
        }
    }

    async fn token(&self) -> Result<Secret> {
        let expires = Clock::system().now() + TOKEN_LIFETIME;
        let request = CreateEnrollmentTokenRequest {
            parent: format!("projects/{}", self.project),
            enrollment_token: Some(EnrollmentToken {
                display_name: "the mesh's own host".to_owned(),
                max_uses: 1,
                expire_time: Some(expires.into()),
                ..EnrollmentToken::default()
            }),
            ..CreateEnrollmentTokenRequest::default()
        };
        let made = self.agents()?.create_enrollment_token(request).await;
        Ok(Secret::new(made.context("this host gets no enrolment token")?.into_inner().secret))
    }

    fn agents(&self) -> Result<crate::client::AgentClient> {
        Ok(Connection::to_peer(self.peers.lazy("agent"), &self.admin)?.agents())
    }
}
