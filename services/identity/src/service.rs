//! The service: one line for each RPC.

use std::sync::{Arc, Mutex, RwLock};

use tonic::{Request, Response, Status};
use weft_kit::{
    Call,
    seal::{Code, Seal},
};
use weft_proto::weft::identity::v1::{
    AccessToken, ApiKey, CreateApiKeyRequest, CreateTicketRequest, GetApiKeyRequest, GetJsonWebKeySetRequest,
    IntrospectApiKeyRequest, IssueMachineTokenRequest, IssueTokenRequest, JsonWebKeySet, ListApiKeysRequest,
    ListApiKeysResponse, Principal, RevokeApiKeyRequest, RotateSigningKeyRequest, RotateSigningKeyResponse,
    Ticket, WhoAmIRequest,
    identity_service_server::{IdentityService as IdentityServiceTrait, IdentityServiceServer},
};

use crate::{Deps, Error, Options, SecretService, keys, rpc, state::State, task};

/// The identity service. Cheap to clone.
#[derive(Clone)]
pub struct IdentityService(pub(crate) Arc<State>);

impl IdentityService {
    /// Opens the service: finds the key that signs, or makes the first one.
    ///
    /// # Errors
    /// The store fails, or its signing keys were sealed with another mesh's secret.
    pub async fn open(options: Options, deps: Deps) -> Result<Self, Error> {
        let seal = Seal::new(&deps.mesh_secret, "weft identity signing keys v1");
        let keys = keys::load(&*deps.store, &seal, &deps.clock, &deps.ids).await?;
        let state = Arc::new(State {
            options,
            store: deps.store,
            seal,
            secrets: deps.secrets,
            secret_seal: Seal::new(&deps.mesh_secret, "weft secrets v1"),
            secret_requests: Code::new(&deps.mesh_secret, "weft secret requests v1"),
            clock: deps.clock,
            ids: deps.ids,
            keys: RwLock::new(keys),
            uses: Mutex::default(),
        });
        task::start(&state, &deps.lifecycle);
        Ok(Self(state))
    }

    /// Keeps the secrets of workflows.
    pub fn secrets(&self) -> SecretService {
        SecretService(Arc::clone(&self.0))
    }

    /// As a gRPC server.
    pub fn into_server(self) -> IdentityServiceServer<Self> {
        IdentityServiceServer::new(self)
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

    async fn issue_machine_token(
        &self,
        request: Request<IssueMachineTokenRequest>,
    ) -> Result<Response<AccessToken>, Status> {
        Ok(Response::new(rpc::issue_machine_token::handle(&self.0, Call::open(request)?)))
    }

    async fn introspect_api_key(
        &self,
        request: Request<IntrospectApiKeyRequest>,
    ) -> Result<Response<Principal>, Status> {
        Ok(Response::new(rpc::introspect_api_key::handle(&self.0, Call::open(request)?).await?))
    }
}
