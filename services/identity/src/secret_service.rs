//! The service of secrets: one line for each RPC.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::identity::v1::{
    CreateSecretRequest, DeleteSecretRequest, GetSecretRequest, ListSecretsRequest, ListSecretsResponse,
    OpenSecretRequest, OpenSecretResponse, Secret, UpdateSecretRequest,
    secret_service_server::{SecretService as SecretServiceTrait, SecretServiceServer},
};

use crate::{rpc::secrets as rpc, state::State};

/// Keeps the secrets that workflows use. Cheap to clone.
#[derive(Clone)]
pub struct SecretService(pub(crate) Arc<State>);

impl SecretService {
    /// As a gRPC server.
    pub fn into_server(self) -> SecretServiceServer<Self> {
        SecretServiceServer::new(self)
    }
}

impl std::fmt::Debug for SecretService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SecretService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl SecretServiceTrait for SecretService {
    async fn create_secret(&self, request: Request<CreateSecretRequest>) -> Result<Response<Secret>, Status> {
        Ok(Response::new(rpc::create(&self.0, Call::open(request)?).await?))
    }

    async fn get_secret(&self, request: Request<GetSecretRequest>) -> Result<Response<Secret>, Status> {
        Ok(Response::new(rpc::get(&self.0, Call::open(request)?).await?))
    }

    async fn list_secrets(
        &self,
        request: Request<ListSecretsRequest>,
    ) -> Result<Response<ListSecretsResponse>, Status> {
        Ok(Response::new(rpc::list(&self.0, Call::open(request)?).await?))
    }

    async fn update_secret(&self, request: Request<UpdateSecretRequest>) -> Result<Response<Secret>, Status> {
        Ok(Response::new(rpc::update(&self.0, Call::open(request)?).await?))
    }

    async fn delete_secret(&self, request: Request<DeleteSecretRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete(&self.0, Call::open(request)?).await?))
    }

    async fn open_secret(
        &self,
        request: Request<OpenSecretRequest>,
    ) -> Result<Response<OpenSecretResponse>, Status> {
        Ok(Response::new(rpc::open(&self.0, Call::open(request)?).await?))
    }
}
