//! The keys that sign and check access tokens: made, sealed, loaded.

use weft_kit::{
    Clock, Ids,
    auth::{SigningKey, VerifyingKeys},
    seal::Seal,
};
use weft_proto::weft::identity::v1::JsonWebKey;
use weft_store::{IdentityStore, NewSigningKey, SigningKeyRow};

use crate::Error;

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

/// The key that signs now (made if there is none) and all that are published.
pub(crate) async fn load(
    store: &dyn IdentityStore,
    seal: &Seal,
    clock: &Clock,
    ids: &Ids,
) -> Result<Keys, Error> {
    let signs = store.ensure_signing_key(fresh(seal, clock, ids)).await?;
    let published = store.signing_keys().await?;
    keys_of(&signs, &published, seal)
}

/// A fresh key, sealed.
pub(crate) fn fresh(seal: &Seal, clock: &Clock, ids: &Ids) -> NewSigningKey {
    let seed = ids.bytes::<32>();
    let key = SigningKey::from_seed(&seed);
    NewSigningKey {
        kid: key.kid().to_owned(),
        private: seal.seal(key.kid().as_bytes(), &seed, ids.bytes()),
        public: key.public_bytes().to_vec().into(),
        at: clock.now().into(),
    }
}

fn keys_of(signs: &SigningKeyRow, rows: &[SigningKeyRow], seal: &Seal) -> Result<Keys, Error> {
    let opened = seal.open(signs.kid.as_bytes(), &signs.private);
    let seed = opened.and_then(|seed| <[u8; 32]>::try_from(&seed[..]).ok());
    let seed = seed.ok_or_else(|| Error::Unsealable(signs.kid.clone()))?;
    let signing = SigningKey::from_seed(&seed);
    let mut published: Vec<_> = rows
        .iter()
        .filter_map(|row| <[u8; 32]>::try_from(&row.public[..]).ok())
        .map(|public| weft_kit::auth::json_web_key(&public))
        .collect();
    if !published.iter().any(|key| key.kid == signing.kid()) {
        published.push(signing.public());
    }
    let verifying = VerifyingKeys::default().with_identity(&published);
    Ok(Keys { signing, published, verifying })
}
