//! The methods of the contract: load, decide, store, reply. One file each.

pub(crate) mod analysis;
pub(crate) mod attach;
pub(crate) mod constraint;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
mod node;
pub(crate) mod pin;
pub(crate) mod reheat;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod unpin;
pub(crate) mod update;
pub(crate) mod watch;

use std::sync::Arc;

use uuid::Uuid;
use weft_store::{DesiredState, LayoutRow, LayoutUpdate, Written};

use crate::{
    Error,
    domain::name::LayoutName,
    session::{Layouts, Session, layouts::Held},
};

/// The stored layout of a name.
async fn row(layouts: &Layouts, name: &LayoutName) -> Result<LayoutRow, Error> {
    let LayoutName { graph, layout } = name;
    layouts.store.get_layout(&graph.project, &graph.graph, layout).await.map_err(Error::store(name))
}

/// The session of a layout, by the layout's name in the field `name`.
async fn session(layouts: &Arc<Layouts>, name: &str) -> Result<Held, Error> {
    let session = layouts.open(row(layouts, &LayoutName::parse(name, "name")?).await?)?;
    session.held().await?;
    Ok(session)
}

/// The session of a layout, which makes writers take turns and wakes; nothing where there is no room for it: what is stored
/// is then in force as soon as the layout runs.
async fn session_if_room(layouts: &Arc<Layouts>, row: LayoutRow) -> Result<Option<Held>, Error> {
    let session = match layouts.open(row) {
        Ok(session) => session,
        Err(Error::Limit { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    match session.held().await {
        Ok(()) => Ok(Some(session)),
        Err(Error::NoMemory { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores what a layout should be doing, and tells its session.
async fn set_desired(
    layouts: &Layouts,
    name: &LayoutName,
    (uid, session): (Uuid, Option<&Session>),
    desired: DesiredState,
) -> Result<Option<LayoutRow>, Error> {
    let _writing = match session {
        Some(session) => Some(session.writing().await),
        None => None,
    };
    let update = LayoutUpdate {
        uid,
        expected_version: None,
        parameters: None,
        desired_state: Some(desired),
        pins: None,
        constraints: None,
        expected_constraints_version: None,
        held: session.and_then(Session::epoch),
        at: layouts.now(),
    };
    let written = layouts.store.update_layout(update, None).await.map_err(Error::store(name))?;
    let Written::Done(row) = written else { return Ok(None) };
    if let Some(session) = session {
        session.set_row(row.clone());
    }
    Ok(Some(row))
}
