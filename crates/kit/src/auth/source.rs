//! Where keys and the meaning of API keys come from: the identity service.

use async_trait::async_trait;
use tonic::{Code, Status};
use weft_proto::weft::identity::v1::{
    GetJsonWebKeySetRequest, IntrospectApiKeyRequest, JsonWebKey, Principal,
    identity_service_client::IdentityServiceClient,
};

use crate::Peer;

/// What the authenticator asks.
#[async_trait]
pub trait IdentitySource: Send + Sync {
    /// The keys that tokens are signed with.
    async fn keys(&self) -> Result<Vec<JsonWebKey>, Status>;

    /// Whom an API key stands for; `None` if it is not good.
    async fn introspect(&self, api_key: &str) -> Result<Option<Principal>, Status>;
}

/// The identity service, here or far away. Its peer must call in the name of the mesh.
#[derive(Clone, Debug)]
pub struct PeerIdentity(pub Peer);

#[async_trait]
impl IdentitySource for PeerIdentity {
    async fn keys(&self) -> Result<Vec<JsonWebKey>, Status> {
        let mut client = IdentityServiceClient::new(self.0.clone());
        Ok(client.get_json_web_key_set(GetJsonWebKeySetRequest {}).await?.into_inner().keys)
    }

    async fn introspect(&self, api_key: &str) -> Result<Option<Principal>, Status> {
        let mut client = IdentityServiceClient::new(self.0.clone());
        let request = IntrospectApiKeyRequest { api_key: api_key.to_owned() };
        match client.introspect_api_key(request).await {
            Ok(response) => Ok(Some(response.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }
}
