//! What steps that act outside their run act with.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;
use weft_kit::{Caller, Peer, server::authorise};
use weft_proto::Method;

use super::{Databases, Sandbox, http::Web};
use crate::{domain::fault::StepError, objects::ProjectObjects, secrets::Secrets};

/// The world outside.
pub(crate) struct Outside {
    /// The mesh's services by the full names of their contracts, called in the name of this service.
    pub(crate) services: HashMap<String, Peer>,
    pub(crate) web: Web,
    /// Databases of users.
    pub(crate) databases: Databases,
    pub(crate) secrets: Secrets,
    /// Where code runs.
    pub(crate) sandbox: Sandbox,
    /// The objects of projects.
    pub(crate) objects: Arc<ProjectObjects>,
    /// Most bytes of what a step gives.
    pub(crate) most_bytes: usize,
}

/// One attempt of a step.
pub(crate) struct Attempt {
    pub(crate) project: String,
    /// What the step's outward calls carry.
    pub(crate) key: String,
    /// Attempts that have failed.
    pub(crate) failures: u32,
    /// How many runs led to the run.
    pub(crate) depth: i32,
    /// Whoever started the run, as far as they may do something in its project.
    pub(crate) caller: Caller,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// When that is over: it may have begun before its work did.
    pub(crate) until: Instant,
    /// Somebody wants it to end.
    pub(crate) stop: CancellationToken,
}

impl Outside {
    /// The way to the service of a method.
    pub(crate) fn peer(&self, method: &Method) -> Result<Peer, StepError> {
        let service = method.descriptor.parent_service().full_name().to_owned();
        let peer = self.services.get(&service).cloned();
        peer.ok_or_else(|| StepError::new("UNKNOWN_METHOD", format!("this mesh does not answer {service}")))
    }
}

impl Attempt {
    /// Whether whoever started the run may call a method about a resource, which must be of the run's project.
    pub(crate) fn may_call(&self, method: &Method, resource: Option<&str>) -> Result<(), StepError> {
        if let Some(resource) = resource
            && weft_kit::project_of(resource) != Some(&self.project)
        {
            let problem = format!("{resource:?} is not of the project of the run");
            return Err(StepError::new("OTHER_PROJECT", problem));
        }
        authorise(method, &self.caller, resource).map_err(|status| of_status(&status))
    }

    /// Until when what it asks for may take, so that there is time left to clear it up.
    pub(crate) fn patience(&self) -> Instant {
        let grace = (self.limit / 10).min(Duration::from_secs(1));
        self.until.checked_sub(grace).unwrap_or(self.until)
    }

    /// A request id that is the same for the same attempt, whatever processes end meanwhile.
    pub(crate) fn request_id(&self) -> String {
        let digest = Sha256::digest(format!("{}/{}", self.key, self.failures));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }
}

/// The failure of a call as the failure of a step.
pub(crate) fn of_status(status: &Status) -> StepError {
    use tonic::Code;
    let reason = format!("GRPC_{}", word(status.code()));
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unknown => StepError::passing(reason, status.message()),
        _ => StepError::new(reason, status.message()),
    }
}

fn word(code: tonic::Code) -> String {
    let name = format!("{code:?}");
    let mut word = String::new();
    for (at, c) in name.chars().enumerate() {
        if at > 0 && c.is_ascii_uppercase() {
            word.push('_');
        }
        word.push(c.to_ascii_uppercase());
    }
    word
}

/// The uid of an execution and the number of a step as an idempotency key.
pub(crate) fn key(uid: Uuid, step: u32, generation: u32) -> String {
    if generation == 0 { format!("{uid}-{step}") } else { format!("{uid}-{step}-{generation}") }
}

/// Whoever started a run, as far as they may do something in its project.
pub(crate) fn caller(name: &str, project: &str, role: weft_kit::Role, scopes: &[String]) -> Caller {
    Caller {
        name: Arc::from(name),
        display_name: Arc::from(name),
        kind: weft_kit::CallerKind::Principal,
        grants: Arc::from([(project.to_owned(), role)]),
        scopes: Arc::from(scopes),
        ..Caller::nobody()
    }
}
