//! Access tokens of an agent, for each of its streams.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;
use weft_kit::config::Secret;
use weft_proto::weft::agent::v1::{GetAgentChallengeRequest, IssueAgentTokenRequest};

use super::{home::Key, way::Way};

/// What gets tokens, and the one that is used now.
pub(super) struct Tokens {
    name: String,
    key: Key,
    way: Way,
    /// And until when it is used: well before it ends, by this host's running clock and not by its time of day.
    token: Option<(Secret, Instant)>,
}

impl Tokens {
    pub(super) fn new(name: &str, key: Key, way: Way) -> Self {
        Self { name: name.to_owned(), key, way, token: None }
    }

    /// The one that is used now is none any more.
    pub(super) fn forget(&mut self) {
        self.token = None;
    }

    /// An access token, for which the key signs a challenge where the last one is old.
    pub(super) async fn get(&mut self) -> Result<Secret, Status> {
        if let Some((token, until)) = &self.token
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let name = self.name.clone();
        let request = GetAgentChallengeRequest { name: name.clone() };
        let challenge = self.way.challenge(request).await?.challenge;
        let signature = self.key.sign("weft agent token v1", &challenge).to_vec().into();
        let request = IssueAgentTokenRequest { name, challenge, signature };
        let token = self.way.token(request).await?;
        let lifetime = token.lifetime.and_then(|time| Duration::try_from(time).ok()).unwrap_or_default();
        let secret = Secret::new(token.token);
        self.token = Some((secret.clone(), Instant::now() + lifetime.mul_f64(0.75)));
        Ok(secret)
    }
}
