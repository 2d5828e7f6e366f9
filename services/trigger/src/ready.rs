//! Triggers that are ready to work: read, compiled, their secrets open. Kept for a second, so that many requests of one
//! trigger cost one read, and a change made at any process counts within that.

use std::{sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use tokio::time::Instant;
use uuid::Uuid;
use weft_expression::{Expression, Template};
use weft_proto::weft::trigger::v1::{Trigger, WebhookSource, trigger::Source};
use weft_store::{StoreError, TriggerRow, TriggerStore};

use crate::{
    Error,
    domain::{
        kept::{KeptTrigger, Rights},
        name, trigger,
    },
    seal::{Seal, digest_of_token},
};

/// For how long one is used without asking again.
const FRESH: Duration = Duration::from_secs(1);
/// How many are kept.
const KEPT: usize = 4_096;

/// A trigger that is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) uid: Uuid,
    pub(crate) project: String,
    /// `projects/{project}/triggers/{trigger}`
    pub(crate) name: String,
    pub(crate) trigger: Trigger,
    /// What requests are signed with.
    pub(crate) secrets: Vec<Vec<u8>>,
    pub(crate) rights: Rights,
    pub(crate) input: Option<Template>,
    pub(crate) condition: Option<Expression>,
}

impl Ready {
    pub(crate) fn new(row: &TriggerRow, seal: &Seal) -> Result<Self, Error> {
        let kept = KeptTrigger::read(row)?;
        let trigger = kept.trigger.unwrap_or_default();
        let (input, condition) = trigger::compile(&trigger)?;
        let open = |sealed: &Vec<u8>| {
            seal.open(sealed).ok_or_else(|| StoreError::Corrupt {
                table: "triggers",
                column: "settings",
                row: row.uid.to_string(),
                reason: "its secrets were sealed in another mesh".to_owned(),
            })
        };
        Ok(Self {
            uid: row.uid,
            project: row.project.clone(),
            name: name::of_trigger(&row.project, &row.id),
            secrets: kept.secrets.iter().map(open).collect::<Result<_, _>>()?,
            rights: kept.rights.unwrap_or_default(),
            input,
            condition,
            trigger,
        })
    }

    /// What requests are to be like, if it takes any.
    pub(crate) fn webhook(&self) -> Option<&WebhookSource> {
        match &self.trigger.source {
            Some(Source::Webhook(webhook)) => Some(webhook),
            _ => None,
        }
    }
}

/// One that was asked for, and when.
#[derive(Clone)]
struct Asked(Instant, Arc<Ready>);

/// Those that were asked for just now.
pub(crate) struct Readies {
    by_token: Cache<[u8; 32], Asked>,
    by_uid: Cache<Uuid, Asked>,
    turns: Cache<[u8; 32], Turn>,
}

/// The turn of whoever names a token.
type Turn = Arc<tokio::sync::Mutex<()>>;

impl Readies {
    pub(crate) fn new() -> Self {
        Self { by_token: Cache::new(KEPT), by_uid: Cache::new(KEPT), turns: Cache::new(KEPT) }
    }

    /// Whether somebody has named one so not long ago.
    pub(crate) fn knows_token(&self, token: &str) -> bool {
        self.by_token.get(&digest_of_token(token)).is_some()
    }

    /// The turn of those that name a token which is not known: what the first one finds, the others know.
    pub(crate) fn turn(&self, token: &str) -> Turn {
        let new = || Ok::<_, std::convert::Infallible>(Turn::default());
        let Ok(turn) = self.turns.get_or_insert_with(&digest_of_token(token), new);
        turn
    }

    /// The one that strangers name so.
    pub(crate) async fn by_token(
        &self,
        store: &dyn TriggerStore,
        seal: &Seal,
        token: &str,
    ) -> Result<Arc<Ready>, Error> {
        let digest = digest_of_token(token);
        if let Some(Asked(at, ready)) = self.by_token.get(&digest)
            && at.elapsed() < FRESH
        {
            return Ok(ready);
        }
        let row = store.trigger_by_token(&digest).await.map_err(|error| match error {
            StoreError::NotFound { .. } => {
                // It was one: whoever goes on to name it guesses.
                self.by_token.remove(&digest);
                Error::UnknownToken
            }
            error => error.into(),
        })?;
        let ready = Arc::new(Ready::new(&row, seal)?);
        self.by_token.insert(digest, Asked(Instant::now(), Arc::clone(&ready)));
        Ok(ready)
    }

    /// The one of that identity; nothing where there is none any more.
    pub(crate) async fn by_uid(
        &self,
        store: &dyn TriggerStore,
        seal: &Seal,
        uid: Uuid,
    ) -> Result<Option<Arc<Ready>>, Error> {
        if let Some(Asked(at, ready)) = self.by_uid.get(&uid)
            && at.elapsed() < FRESH
        {
            return Ok(Some(ready));
        }
        let row = match store.find_trigger(uid).await {
            Ok(row) => row,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let ready = Arc::new(Ready::new(&row, seal)?);
        self.by_uid.insert(uid, Asked(Instant::now(), Arc::clone(&ready)));
        Ok(Some(ready))
    }

    /// Forgets one that was changed here.
    pub(crate) fn forget(&self, row: &TriggerRow) {
        self.by_uid.remove(&row.uid);
        if let Some(token) = &row.token {
            self.by_token.remove(token);
        }
    }
}
