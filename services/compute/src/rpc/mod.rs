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
    layouts.open(row(layouts, &LayoutName::parse(name, "name")?).await?)
}

/// Stores what a layout should be doing, and tells its session.
async fn set_desired(
    layouts: &Layouts,
    name: &LayoutName,
    session: &Session,
    desired: DesiredState,
) -> Result<(), Error> {
    let _writing = session.writing().await;
    let update = LayoutUpdate {
        uid: session.live().0.row.uid,
        expected_version: None,
        parameters: None,
        desired_state: Some(desired),
        pins: None,
        constraints: None,
        expected_constraints_version: None,
        at: layouts.now(),
    };
    let written = layouts.store.update_layout(update, None).await.map_err(Error::store(name))?;
    if let Written::Done(row) = written {
        session.set_row(row);
    }
    Ok(())
}
