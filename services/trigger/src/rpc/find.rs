//! Deliveries that a filter names, of one trigger or of all of a project: what lists them, and what does something with
//! many of them, finds them here.

use uuid::Uuid;
use weft_kit::paging::List;
use weft_proto::weft::trigger::v1::Delivery;
use weft_store::{DeliveryRow, NamedDelivery, TriggerRow};

use super::{get_delivery, get_trigger};
use crate::{
    Error,
    domain::{kept, list::Wanted, name},
    looks::Page,
    state::State,
};

/// Deliveries that are read at once where a filter may leave many of them out.
const READ: u32 = 500;
/// Deliveries that one page looks at: it may then be short, and not the last.
const LOOKED_AT: usize = 5_000;

/// What is looked for.
pub(super) struct Search {
    pub(super) project: String,
    /// All of the project where there is none.
    pub(super) trigger: Option<TriggerRow>,
    wanted: Wanted,
    /// Whether only dead letters count.
    only_dead: bool,
    list: List,
}

impl Search {
    /// Looks for those at `parent`, a trigger or `projects/{project}/triggers/-`.
    pub(super) async fn open(state: &State, method: &str, parent: &str, filter: &str) -> Result<Self, Error> {
        let wanted = Wanted::parse(filter)?;
        let (project, id) = name::trigger(parent);
        let trigger = if id == "-" { None } else { Some(get_trigger::row(state, parent).await?) };
        Ok(Self {
            project: project.to_owned(),
            trigger,
            only_dead: wanted.only_dead,
            wanted,
            list: List::of(&[method, parent, filter]),
        })
    }

    /// Looks for dead letters only, whatever the filter.
    pub(super) fn only_dead(self) -> Self {
        Self { only_dead: true, ..self }
    }

    /// Where a page begins.
    pub(super) fn before(&self, token: &str) -> Result<Option<Uuid>, Error> {
        match self.list.cursor(token)?.as_str() {
            "" => Ok(None),
            id => Ok(Some(Uuid::try_parse(id).map_err(|_| weft_kit::cursor::CursorError)?)),
        }
    }

    /// The token of the page after one.
    pub(super) fn token(&self, next: Option<Uuid>) -> String {
        next.map(|id| self.list.token(&id.to_string())).unwrap_or_default()
    }

    pub(super) async fn page(&self, state: &State, before: Option<Uuid>, size: u32) -> Result<Page, Error> {
        self.page_without(state, (before, size), &|_, _| false).await
    }

    /// A page that passes over some, as if these were not there.
    pub(super) async fn page_without(
        &self,
        state: &State,
        (mut before, size): (Option<Uuid>, u32),
        is_passed_over: &(dyn Fn(&DeliveryRow, &Delivery) -> bool + Sync),
    ) -> Result<Page, Error> {
        let size = size as usize;
        // One more says whether there is another page.
        let read = if self.wanted.is_all() { u32::try_from(size + 1).unwrap_or(READ) } else { READ };
        let (mut found, mut looked_at) = (Vec::new(), 0);
        loop {
            let rows = self.read(state, before, read).await?;
            let was_last = rows.len() < read as usize;
            for NamedDelivery { trigger_id, row } in rows {
                if found.len() == size || looked_at == LOOKED_AT {
                    return Ok(Page { found, next: before });
                }
                looked_at += 1;
                before = Some(row.id);
                let trigger = name::of_trigger(&self.project, &trigger_id);
                let delivery = get_delivery::shown(&trigger, row.id, kept::head(&row)?);
                if self.wanted.has(&delivery) && !is_passed_over(&row, &delivery) {
                    found.push((row, delivery));
                }
            }
            if was_last {
                return Ok(Page { found, next: None });
            }
        }
    }

    async fn read(
        &self,
        state: &State,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<NamedDelivery>, Error> {
        let store = &state.store;
        let uid = self.trigger.as_ref().map(|trigger| trigger.uid);
        if self.only_dead {
            return Ok(store.dead_deliveries(&self.project, uid, before, limit).await?);
        }
        let Some(trigger) = &self.trigger else {
            return Ok(store.project_deliveries(&self.project, before, limit).await?);
        };
        let rows = store.list_deliveries(trigger.uid, before, limit).await?;
        Ok(rows.into_iter().map(|row| NamedDelivery { trigger_id: trigger.id.clone(), row }).collect())
    }
}
