//! What runs in the background: keys are read again, uses of API keys are stored, and what has
//! expired is removed.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use weft_kit::{
    Clock, Ids, Lifecycle, TaskKind,
    auth::{SigningKey, VerifyingKeys},
};
use weft_store::{IdentityStore, KeyUse, NewSigningKey, SigningKeyRow, Timestamp};

use crate::{
    Error, IdentityService,
    domain::seal::Seal,
    service::{Inner, Keys},
};

/// How often another process's rotation is looked for. The other processes of the mesh fetch keys
/// when they meet a token with one that they do not know.
const ROUND: Duration = Duration::from_secs(10);
/// Requests are remembered for this long.
const REMEMBERED: Duration = Duration::from_hours(48);
/// Rows removed in one statement.
const BATCH: u32 = 1_000;

/// Starts the rounds.
pub(crate) fn start(service: &IdentityService, lifecycle: &Lifecycle) {
    let service = service.clone();
    lifecycle.spawn("identity-rounds", TaskKind::Background, move |life| {
        let inner = std::sync::Arc::clone(&service.0);
        async move {
            loop {
                let ending = tokio::select! {
                    () = tokio::time::sleep(ROUND) => false,
                    () = life.draining() => true,
                };
                if let Err(error) = round(&inner).await {
                    tracing::warn!(%error, "identity's round failed; the next one tries again");
                }
                if ending {
                    return Ok::<_, Infallible>(());
                }
            }
        }
    });
}

async fn round(inner: &Inner) -> Result<(), Error> {
    store_uses(inner).await?;
    let now = Timestamp::from(inner.clock.now());
    inner.store.purge_tickets(now, BATCH).await?;
    inner.store.forget_requests(now.before(REMEMBERED), BATCH).await?;
    // A token of a retired key can live until the last one that it signed expires.
    inner
        .store
        .forget_signing_keys(now.before(inner.options.token_lifetime + Duration::from_mins(5)))
        .await?;
    let keys = load_keys(&*inner.store, &inner.seal, &inner.clock, &inner.ids).await?;
    *inner.keys.write().expect("nobody panics with it") = keys;
    Ok(())
}

/// Stores when keys were used last: only the latest use of each.
async fn store_uses(inner: &Inner) -> Result<(), Error> {
    let uses = std::mem::take(&mut *inner.uses.lock().expect("nobody panics with it"));
    let mut latest: HashMap<uuid::Uuid, KeyUse> = HashMap::new();
    for one in uses {
        latest.entry(one.uid).and_modify(|kept| kept.at = kept.at.max(one.at)).or_insert(one);
    }
    if !latest.is_empty() {
        inner.store.touch_api_keys(&latest.into_values().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// The key that signs now (made if there is none) and all that are published.
pub(crate) async fn load_keys(
    store: &dyn IdentityStore,
    seal: &Seal,
    clock: &Clock,
    ids: &Ids,
) -> Result<Keys, Error> {
    let signs = store.ensure_signing_key(new_signing_key(seal, clock, ids)).await?;
    let published = store.signing_keys().await?;
    keys_of(&signs, &published, seal)
}

/// A fresh key, sealed.
pub(crate) fn new_signing_key(seal: &Seal, clock: &Clock, ids: &Ids) -> NewSigningKey {
    let seed = ids.bytes::<32>();
    let key = SigningKey::from_seed(&seed);
    NewSigningKey {
        kid: key.kid().to_owned(),
        private: seal.seal(key.kid(), &seed, ids.bytes()),
        public: key.public_bytes().to_vec().into(),
        at: clock.now().into(),
    }
}

fn keys_of(signs: &SigningKeyRow, rows: &[SigningKeyRow], seal: &Seal) -> Result<Keys, Error> {
    let seed = seal.open(&signs.kid, &signs.private).ok_or_else(|| Error::Unsealable(signs.kid.clone()))?;
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
