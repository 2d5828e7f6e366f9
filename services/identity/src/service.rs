//! The service: what it holds, and one line for each RPC.

use std::sync::{Arc, Mutex, RwLock};

use tonic::{Request, Response, Status};
use weft_kit::{
    Call, Clock, Ids, Lifecycle,
    auth::{SigningKey, VerifyingKeys},
};
use weft_proto::weft::identity::v1::{
    AccessToken, ApiKey, CreateApiKeyRequest, CreateTicketRequest, GetApiKeyRequest, GetJsonWebKeySetRequest,
    IntrospectApiKeyRequest, IssueTokenRequest, JsonWebKey, JsonWebKeySet, ListApiKeysRequest,
    ListApiKeysResponse, Principal, RevokeApiKeyRequest, RotateSigningKeyRequest, RotateSigningKeyResponse,
    Ticket, WhoAmIRequest,
    identity_service_server::{IdentityService as IdentityServiceTrait, IdentityServiceServer},
};
use weft_store::{IdentityStore, KeyUse};

use crate::{Error, Options, domain::seal::Seal, rpc, task};

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where credentials are kept.
    pub store: Arc<dyn IdentityStore>,
    /// The mesh's secret; signing keys are sealed with it.
    pub mesh_secret: [u8; 32],
    /// Time.
    pub clock: Clock,
    /// Identities and secrets.
    pub ids: Ids,
    /// Background work.
    pub lifecycle: Lifecycle,
}

/// The identity service. Cheap to clone.
#[derive(Clone)]
pub struct IdentityService(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn IdentityStore>,
    pub(crate) seal: Seal,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) keys: RwLock<Keys>,
    /// Uses of API keys that are not stored yet.
    pub(crate) uses: Mutex<Vec<KeyUse>>,
}

/// The keys of the mesh as this process knows them.
#[derive(Clone)]
pub(crate) struct Keys {
    /// What signs now.
    pub(crate) signing: SigningKey,
    /// What is published.
    pub(crate) published: Vec<JsonWebKey>,
    /// The published ones, to check tokens with.
    pub(crate) verifying: VerifyingKeys,
}

impl IdentityService {
    /// Opens the service: finds the key that signs, or makes the first one.
    ///
    /// # Errors
    /// The store fails, or its signing keys were sealed with another mesh's secret.
    pub async fn open(options: Options, deps: Deps) -> Result<Self, Error> {
        let seal = Seal::new(&deps.mesh_secret);
        let keys = task::load_keys(&*deps.store, &seal, &deps.clock, &deps.ids).await?;
        let service = Self(Arc::new(Inner {
            options,
            store: deps.store,
            seal,
            clock: deps.clock,
            ids: deps.ids,
            keys: RwLock::new(keys),
            uses: Mutex::default(),
        }));
        task::start(&service, &deps.lifecycle);
        Ok(service)
    }

    /// As a gRPC server.
    pub fn into_server(self) -> IdentityServiceServer<Self> {
        IdentityServiceServer::new(self)
    }
}

impl Inner {
    pub(crate) fn keys(&self) -> Keys {
        self.keys.read().expect("nobody panics with it").clone()
    }
}

impl std::fmt::Debug for IdentityService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("IdentityService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl IdentityServiceTrait for IdentityService {
    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<ApiKey>, Status> {
        Ok(Response::new(rpc::create_api_key::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_api_key(&self, request: Request<GetApiKeyRequest>) -> Result<Response<ApiKey>, Status> {
        Ok(Response::new(rpc::get_api_key::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_api_keys(
        &self,
        request: Request<ListApiKeysRequest>,
    ) -> Result<Response<ListApiKeysResponse>, Status> {
        Ok(Response::new(rpc::list_api_keys::handle(&self.0, Call::open(request)?).await?))
    }

    async fn revoke_api_key(
        &self,
        request: Request<RevokeApiKeyRequest>,
    ) -> Result<Response<ApiKey>, Status> {
        Ok(Response::new(rpc::revoke_api_key::handle(&self.0, Call::open(request)?).await?))
    }

    async fn issue_token(
        &self,
        request: Request<IssueTokenRequest>,
    ) -> Result<Response<AccessToken>, Status> {
        Ok(Response::new(rpc::issue_token::handle(&self.0, Call::open(request)?).await?))
    }

    async fn create_ticket(&self, request: Request<CreateTicketRequest>) -> Result<Response<Ticket>, Status> {
        Ok(Response::new(rpc::create_ticket::handle(&self.0, Call::open(request)?).await?))
    }

    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<Principal>, Status> {
        Ok(Response::new(rpc::who_am_i::handle(&Call::open(request)?)))
    }

    async fn get_json_web_key_set(
        &self,
        request: Request<GetJsonWebKeySetRequest>,
    ) -> Result<Response<JsonWebKeySet>, Status> {
        Call::open(request)?;
        Ok(Response::new(JsonWebKeySet { keys: self.0.keys().published }))
    }

    async fn rotate_signing_key(
        &self,
        request: Request<RotateSigningKeyRequest>,
    ) -> Result<Response<RotateSigningKeyResponse>, Status> {
        Ok(Response::new(rpc::rotate_signing_key::handle(&self.0, Call::open(request)?).await?))
    }

    async fn introspect_api_key(
        &self,
        request: Request<IntrospectApiKeyRequest>,
    ) -> Result<Response<Principal>, Status> {
        Ok(Response::new(rpc::introspect_api_key::handle(&self.0, Call::open(request)?).await?))
    }
}
