//! CreateConstraint: one more thing that a layout keeps to.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Constraint, CreateConstraintRequest};
use weft_store::once;

use crate::{
    Error,
    domain::{
        constraints,
        name::{ConstraintName, LayoutName},
    },
    session::{Layouts, live},
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<CreateConstraintRequest>,
) -> Result<Constraint, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateConstraint", &request_id, &request);
    let layout = LayoutName::parse(&request.parent, "parent")?;
    if let Some(once) = &once
        && let Some(answer) = layouts.store.recall(once).await.map_err(Error::store(&layout))?
    {
        return once::replay(&answer).map_err(Error::Store);
    }
    let id = if request.constraint_id.is_empty() { layouts.ids.short() } else { request.constraint_id };
    let name = ConstraintName { layout: layout.clone(), constraint: id.clone() };
    let given = request.constraint.unwrap_or_default();
    let now = layouts.now().into();
    let new = Constraint {
        name: id,
        uid: layouts.ids.uuid().to_string(),
        node_count: 0,
        create_time: Some(now),
        update_time: Some(now),
        etag: "1".into(),
        ..given
    };
    super::change(layouts, &layout, once, &|row, kept| {
        constraints::check(&new, live::dim(row))?;
        if kept.all().len() >= layouts.options.max_constraints_per_layout {
            return Err(Error::Limit {
                reason: "TOO_MANY_CONSTRAINTS",
                subject: layout.to_string(),
                limit: layouts.options.max_constraints_per_layout as u64,
                what: "constraints",
            });
        }
        kept.add(&name, new.clone())?;
        Ok(constraints::shown(&layout, &new, 0))
    })
    .await
}
