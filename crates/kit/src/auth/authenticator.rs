//! From a credential to a caller, quickly: what was checked once is remembered.

use std::{
    collections::VecDeque,
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use http::HeaderMap;
use quick_cache::sync::Cache;
use tokio::{sync::Mutex, time::Instant};
use tonic::Status;
use weft_proto::weft::identity::v1::{Principal, Role};

use super::{API_KEY_PREFIX, IdentitySource, TokenError, VerifyingKeys, digest};
use crate::{Caller, CallerKind, Clock, Problem, project_of};

/// How many credentials are remembered.
const REMEMBERED: usize = 16_384;
/// How long an API key is believed before it is asked about again: a revoked one is refused
/// everywhere after this long at most.
const API_KEY_BELIEF: Duration = Duration::from_secs(5);
/// Unknown keys in tokens make the published ones be fetched again, but not more often than
/// [`REFRESHES`] times in this time, however many forged tokens arrive.
const REFRESH_WINDOW: Duration = Duration::from_secs(15);
const REFRESHES: usize = 3;

type Digest = [u8; 32];

/// Turns credentials into callers.
pub struct Authenticator {
    source: Arc<dyn IdentitySource>,
    clock: Clock,
    keys: RwLock<Arc<VerifyingKeys>>,
    refreshes: Mutex<VecDeque<Instant>>,
    tokens: Cache<Digest, Arc<Caller>>,
    api_keys: Cache<Digest, (SystemTime, Arc<Caller>)>,
}

impl Authenticator {
    /// Checks tokens with the mesh's key in `keys` and with what `source` publishes.
    pub fn new(source: Arc<dyn IdentitySource>, keys: VerifyingKeys, clock: Clock) -> Self {
        Self {
            source,
            clock,
            keys: RwLock::new(Arc::new(keys)),
            refreshes: Mutex::default(),
            tokens: Cache::new(REMEMBERED),
            api_keys: Cache::new(REMEMBERED),
        }
    }

    /// Who a request's `authorization` header stands for; nobody without one.
    ///
    /// # Errors
    /// UNAUTHENTICATED with the reason, or UNAVAILABLE where the identity service is needed and
    /// does not answer.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Status> {
        let Some(value) = headers.get(http::header::AUTHORIZATION) else {
            return Ok(Arc::new(Caller::nobody()));
        };
        let credential = value.to_str().ok().and_then(bearer).ok_or_else(|| {
            refusal(
                "CREDENTIAL_MALFORMED",
                "the authorization header must be `Bearer` and a token or an API key",
            )
        })?;
        if credential.starts_with(API_KEY_PREFIX) {
            self.api_key(credential).await
        } else {
            self.token(credential).await
        }
    }

    async fn token(&self, token: &str) -> Result<Arc<Caller>, Status> {
        let digest = digest(token);
        if let Some(caller) = self.tokens.get(&digest) {
            if caller.expires.is_some_and(|expires| self.clock.now() < expires) {
                return Ok(caller);
            }
            self.tokens.remove(&digest);
        }
        let now = self.clock.unix_seconds();
        let mut verified = self.current_keys().verify(token, now);
        if verified == Err(TokenError::UnknownKey) {
            self.refresh().await?;
            verified = self.current_keys().verify(token, now);
        }
        let caller = match verified {
            Ok(claims) => Arc::new(claims.caller()),
            Err(TokenError::Expired) => {
                return Err(refusal("TOKEN_EXPIRED", TokenError::Expired.to_string()));
            }
            Err(error) => return Err(refusal("TOKEN_INVALID", error.to_string())),
        };
        self.tokens.insert(digest, Arc::clone(&caller));
        Ok(caller)
    }

    async fn api_key(&self, secret: &str) -> Result<Arc<Caller>, Status> {
        let digest = digest(secret);
        if let Some((checked, caller)) = self.api_keys.get(&digest) {
            let now = self.clock.now();
            let fresh = now < checked + API_KEY_BELIEF && checked <= now;
            if fresh && caller.expires.is_none_or(|expires| now < expires) {
                return Ok(caller);
            }
            self.api_keys.remove(&digest);
        }
        let principal = self.source.introspect(secret).await.map_err(|status| unavailable(&status))?;
        let Some(principal) = principal else {
            return Err(refusal("API_KEY_INVALID", "the API key is unknown, expired or revoked"));
        };
        let caller = Arc::new(caller_of(principal));
        self.api_keys.insert(digest, (self.clock.now(), Arc::clone(&caller)));
        Ok(caller)
    }

    fn current_keys(&self) -> Arc<VerifyingKeys> {
        Arc::clone(&self.keys.read().expect("nobody panics with it"))
    }

    /// Fetches the published keys, unless that was done several times a moment ago.
    async fn refresh(&self) -> Result<(), Status> {
        let mut refreshes = self.refreshes.lock().await;
        refreshes.retain(|at| at.elapsed() < REFRESH_WINDOW);
        if refreshes.len() >= REFRESHES {
            // Somebody else may have fetched them while this call waited.
            return Ok(());
        }
        let published = self.source.keys().await.map_err(|status| unavailable(&status))?;
        refreshes.push_back(Instant::now());
        let mut keys = self.keys.write().expect("nobody panics with it");
        *keys = Arc::new(keys.with_identity(&published));
        // A key that is gone takes what it vouched for with it.
        self.tokens.clear();
        Ok(())
    }

    /// Fetches the published keys now: when a key was made or withdrawn.
    ///
    /// # Errors
    /// UNAVAILABLE when the identity service does not answer.
    pub async fn reload_keys(&self) -> Result<(), Status> {
        self.refreshes.lock().await.clear();
        self.refresh().await
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

fn caller_of(principal: Principal) -> Caller {
    Caller {
        name: Arc::from(principal.name),
        display_name: Arc::from(principal.display_name),
        kind: CallerKind::Principal,
        grants: principal
            .grants
            .iter()
            .filter_map(|grant| {
                let role = Role::try_from(grant.role).unwrap_or(Role::Unspecified);
                Some((project_of(&grant.project)?.to_owned(), role))
            })
            .collect(),
        scopes: principal.scopes.into(),
        expires: principal.expire_time.and_then(|time| SystemTime::try_from(time).ok()),
        address: None,
    }
}

fn refusal(reason: &'static str, message: impl Into<String>) -> Status {
    Problem::unauthenticated(reason, message).into()
}

fn unavailable(status: &Status) -> Status {
    tracing::warn!(code = ?status.code(), message = status.message(), "the identity service does not answer");
    Problem::unavailable("IDENTITY_UNAVAILABLE", "credentials cannot be checked right now")
        .retry_after(Duration::from_secs(1))
        .into()
}
