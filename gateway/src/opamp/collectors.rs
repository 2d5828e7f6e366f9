//! Who comes as a collector, and how the service is called for it.

use http::{HeaderMap, StatusCode, header};
use tonic::{Code, Status};
use weft_kit::{
    Peer, Problem,
    server::{PeerAddress, RateLimits},
};
use weft_proto::weft::agent::v1::{CollectorOpen, collector_service_client::CollectorServiceClient};

use crate::refusal::Refusal;

/// Largest message, packed and unpacked: what the service takes.
pub(super) const LARGEST: usize = 2 << 20;
/// Longest token that the service looks at.
const LONGEST_TOKEN: usize = 200;

/// What answers collectors. Clones share everything.
#[derive(Clone)]
pub(crate) struct Collectors {
    agents: CollectorServiceClient<Peer>,
    rates: RateLimits,
}

impl Collectors {
    /// Hands messages to the agent service at `agents`, which is called in this gateway's name.
    pub(crate) fn new(agents: Peer, rates: RateLimits) -> Self {
        Self { agents: CollectorServiceClient::new(agents), rates }
    }

    /// The agent service, to be called.
    pub(super) fn agents(&self) -> CollectorServiceClient<Peer> {
        self.agents.clone()
    }

    /// Who asks, who is charged for an attempt to sign in: the mesh, in whose name the service is called, would be for
    /// nothing.
    ///
    /// # Errors
    /// 401 for who shows no token, 429 for whose address has come too often.
    pub(super) fn open(
        &self,
        headers: &HeaderMap,
        extensions: &http::Extensions,
    ) -> Result<CollectorOpen, Refusal> {
        let open = open(headers, extensions)?;
        self.rates.charge_sign_in(extensions.get::<PeerAddress>().map(|address| address.0.ip()))?;
        Ok(open)
    }
}

fn open(headers: &HeaderMap, extensions: &http::Extensions) -> Result<CollectorOpen, Refusal> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty() && token.len() <= LONGEST_TOKEN)
        .ok_or_else(|| {
            let text = "show an enrollment token in the header `Authorization: Bearer weft_enroll_…`";
            Refusal::from(Problem::unauthenticated("CREDENTIALS_REQUIRED", text))
        })?;
    let address = extensions.get::<PeerAddress>().map(|address| address.0.ip().to_string());
    Ok(CollectorOpen { token: token.to_owned(), address: address.unwrap_or_default() })
}

/// What the service refused, in the words of HTTP.
pub(super) fn refused(status: Status) -> Refusal {
    match status.code() {
        Code::FailedPrecondition => Refusal::http(StatusCode::FORBIDDEN, status),
        _ => status.into(),
    }
}
