//! UpdateConstraint: another strength, rule or name.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Constraint, UpdateConstraintRequest};

use crate::{
    Error,
    domain::{constraints, name::ConstraintName},
    session::{Layouts, live},
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<UpdateConstraintRequest>,
) -> Result<Constraint, Error> {
    let UpdateConstraintRequest { constraint, update_mask } = call.message;
    let given = constraint.unwrap_or_default();
    let name = ConstraintName::parse(&given.name, "constraint.name")?;
    let now = layouts.now().into();
    super::change(layouts, &name.layout, None, &|row, all| {
        let kept = all.get(&name)?;
        constraints::check_etag(kept, &given.etag)?;
        let mut new = constraints::updated(kept, &given, update_mask.as_ref())?;
        constraints::check(&new, live::dim(row))?;
        if new != *kept {
            new.etag = (kept.etag.parse::<u64>().unwrap_or(0) + 1).to_string();
            new.update_time = Some(now);
            all.replace(new.clone());
        }
        Ok(constraints::shown(&name.layout, &new, super::node_count(layouts, row, &new.uid)))
    })
    .await
}
