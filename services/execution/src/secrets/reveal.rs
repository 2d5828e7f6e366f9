//! A request with its secrets in place.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::try_join_all;
use reqwest::Url;
use serde_json::Value as Json;
use tonic::{Code, Request, Status};
use weft_kit::Peer;
use weft_proto::weft::identity::v1::{OpenSecretRequest, secret_service_client::SecretServiceClient};

use super::{host::Place, mask::Mask};
use crate::domain::{address, fault::StepError, secret};

/// How long a secret may take to be opened.
const PATIENCE: Duration = Duration::from_secs(5);
/// Secrets that a request may name.
const MOST: usize = 32;
/// What they may come to in it, in bytes.
const LARGEST: usize = 4 << 20;

/// Opens secrets for those who send requests.
pub(crate) struct Secrets(SecretServiceClient<Peer>);

/// A request as it is sent.
pub(crate) struct Revealed {
    pub(crate) request: Arc<Json>,
    /// Takes its secrets out of what comes of it.
    pub(crate) mask: Mask,
    /// The secrets in it, and where each may go.
    allowed: Vec<(String, Vec<String>)>,
}

impl Secrets {
    /// Asks the identity service, called in the name of this one.
    pub(crate) fn new(identity: Peer) -> Self {
        Self(SecretServiceClient::new(identity))
    }

    /// A request of a project with the values that its secrets have now.
    pub(crate) async fn reveal(&self, project: &str, request: Arc<Json>) -> Result<Revealed, StepError> {
        let names: Vec<String> = secret::count(&request).into_keys().collect();
        if names.is_empty() {
            return Ok(Revealed { request, mask: Mask::default(), allowed: Vec::new() });
        }
        if names.len() > MOST {
            let message = format!("a request may name {MOST} secrets, and not {}", names.len());
            return Err(StepError::new("TOO_MANY_SECRETS", message));
        }
        // Errors name hosts, and whoever is looked up hears of them.
        if request["url"].as_str().is_some_and(|url| secret::is_in(&address::place(url))) {
            return Err(StepError::new("BAD_URL", "a secret cannot be in the name of a host"));
        }
        let opened = try_join_all(names.iter().map(|name| self.open(project, name))).await?;
        let (mut values, mut allowed) = (HashMap::new(), Vec::new());
        for (name, (value, hosts)) in names.into_iter().zip(opened) {
            values.insert(name.clone(), value);
            allowed.push((name, hosts));
        }
        let size: usize =
            secret::count(&request).iter().map(|(name, count)| count * values[name].len()).sum();
        if size > LARGEST {
            let message = format!("with its secrets in place it has more than {LARGEST} bytes");
            return Err(StepError::new("REQUEST_TOO_LARGE", message));
        }
        let request = Arc::new(secret::filled(&request, &values));
        Ok(Revealed { request, mask: Mask::of(values.values()), allowed })
    }

    async fn open(&self, project: &str, id: &str) -> Result<(String, Vec<String>), StepError> {
        let mut request =
            Request::new(OpenSecretRequest { name: format!("projects/{project}/secrets/{id}") });
        request.set_timeout(PATIENCE);
        let opened =
            self.0.clone().open_secret(request).await.map_err(|status| failed(id, &status))?.into_inner();
        Ok((opened.value, opened.allowed_hosts))
    }
}

fn failed(id: &str, status: &Status) -> StepError {
    match status.code() {
        // A name that no secret can have is refused before it is looked for.
        Code::NotFound | Code::InvalidArgument => {
            StepError::new("SECRET_NOT_FOUND", format!("there is no secret {id}"))
        }
        Code::DataLoss => StepError::new("SECRET_UNREADABLE", status.message()),
        _ => StepError::passing("SECRET_UNAVAILABLE", format!("{id} cannot be read: {}", status.message())),
    }
}

impl Revealed {
    /// A request that names no secret.
    #[cfg(test)]
    pub(crate) fn without_secrets(request: Arc<Json>) -> Self {
        Self { request, mask: Mask::default(), allowed: Vec::new() }
    }

    /// Whether there is a secret in it.
    pub(crate) fn has_secrets(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Fails where one of its secrets may not go there.
    pub(crate) fn may_go_to(&self, url: &Url) -> Result<(), StepError> {
        self.may_go(Place::of(url), &url.origin().ascii_serialization())
    }

    /// Fails where one of its secrets may not go to that database, which is part of a secret itself.
    pub(crate) fn may_go_to_database(
        &self,
        (host, port): (&str, u16),
        is_secure: bool,
    ) -> Result<(), StepError> {
        self.may_go(Place { host, port, own_port: 5432, is_secure }, "this database")
    }

    fn may_go(&self, place: Place<'_>, name_of_place: &str) -> Result<(), StepError> {
        let refused = self.allowed.iter().find(|(_, hosts)| !place.is_allowed(hosts));
        refused.map_or(Ok(()), |(name, _)| {
            let message = format!("the secret {name} may not be sent to {name_of_place}");
            Err(StepError::new("SECRET_NOT_FOR_HOST", message))
        })
    }
}
