//! Command types, compiled: those that ship with the mesh, and those of projects, remembered for a moment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use prost::Message;
use quick_cache::sync::Cache;
use tokio::time::Instant;
use weft_proto::weft::command::v1::CommandType;
use weft_store::{CommandStore, CommandTypeRow, StoreError};

use crate::{
    Error,
    domain::{built_in, name, schema::Schema},
};

/// How many types are remembered.
const REMEMBERED: usize = 1_000;

/// A command type, ready to be used.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its last name.
    pub(crate) id: String,
    /// What it is; of one that ships with the mesh without a project in its name.
    pub(crate) settings: CommandType,
    /// What arguments must follow.
    pub(crate) arguments: Option<Schema>,
}

impl Kind {
    fn of(id: &str, settings: CommandType) -> Result<Self, String> {
        let arguments = settings.arguments_schema.as_ref().map(Schema::compile).transpose()?;
        Ok(Self { id: id.to_owned(), settings, arguments })
    }
}

/// All types.
pub(crate) struct Types {
    store: Arc<dyn CommandStore>,
    built_in: BTreeMap<&'static str, Arc<Kind>>,
    remembered: Cache<String, (Instant, Arc<Kind>)>,
    patience: Duration,
}

impl Types {
    pub(crate) fn new(store: Arc<dyn CommandStore>, patience: Duration) -> Self {
        let kind = |(id, settings)| (id, Arc::new(Kind::of(id, settings).expect("its schema is one")));
        Self {
            store,
            built_in: built_in::all().into_iter().map(kind).collect(),
            remembered: Cache::new(REMEMBERED),
            patience,
        }
    }

    /// The type of that name, to be used.
    pub(crate) async fn get(&self, full: &str) -> Result<Arc<Kind>, Error> {
        let (project, id) = split(full)?;
        if let Some(kind) = self.built_in.get(id) {
            return Ok(Arc::clone(kind));
        }
        if let Some((since, kind)) = self.remembered.get(full)
            && since.elapsed() < self.patience
        {
            return Ok(kind);
        }
        let row = self.store.get_command_type(project, id).await.map_err(not_found(full))?;
        let kind = Kind::of(id, read(&row)?).map_err(|problem| StoreError::Corrupt {
            table: "command_types",
            column: "settings",
            row: row.uid.to_string(),
            reason: problem,
        })?;
        let kind = Arc::new(kind);
        self.remembered.insert(full.to_owned(), (Instant::now(), Arc::clone(&kind)));
        Ok(kind)
    }

    /// A type that ships with the mesh, as a project sees it.
    pub(crate) fn built_in(&self, project: &str, id: &str) -> Option<CommandType> {
        let kind = self.built_in.get(id)?;
        Some(CommandType {
            name: name::of_type(project, id),
            uid: format!("built-in-{id}"),
            ..kind.settings.clone()
        })
    }

    /// Ids of types that ship with the mesh, after one.
    pub(crate) fn built_in_after(&self, after: &str) -> impl Iterator<Item = &'static str> {
        let after = after.to_owned();
        self.built_in.keys().copied().filter(move |id| *id > after.as_str())
    }

    /// Forgets what is remembered of a type: it has changed here.
    pub(crate) fn forget(&self, full: &str) {
        self.remembered.remove(full);
    }
}

/// Project and id of a type.
pub(crate) fn split(full: &str) -> Result<(&str, &str), Error> {
    name::command_type(full).ok_or_else(|| Error::TypeNotFound(full.to_owned()))
}

/// A type of the store as clients see it.
pub(crate) fn read(row: &CommandTypeRow) -> Result<CommandType, Error> {
    let settings = CommandType::decode(row.settings.clone()).map_err(|error| StoreError::Corrupt {
        table: "command_types",
        column: "settings",
        row: row.uid.to_string(),
        reason: error.to_string(),
    })?;
    Ok(CommandType {
        name: name::of_type(&row.project, &row.id),
        uid: row.uid.to_string(),
        create_time: Some(row.created.into()),
        update_time: Some(row.updated.into()),
        etag: row.version.to_string(),
        ..settings
    })
}

/// That there is no such type, in the client's words.
pub(crate) fn not_found(full: &str) -> impl Fn(StoreError) -> Error {
    move |error| match error {
        StoreError::NotFound { .. } => Error::TypeNotFound(full.to_owned()),
        StoreError::Stale { .. } => Error::EtagMismatch(full.to_owned()),
        error => error.into(),
    }
}
