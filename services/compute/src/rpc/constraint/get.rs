//! GetConstraint: one thing that a layout keeps to.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Constraint, GetConstraintRequest};

use crate::{
    Error,
    domain::{
        constraints::{self, Constraints},
        name::ConstraintName,
    },
    session::Layouts,
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<GetConstraintRequest>,
) -> Result<Constraint, Error> {
    let name = ConstraintName::parse(&call.message.name, "name")?;
    let row = super::super::row(layouts, &name.layout).await?;
    let all = Constraints::of(&row, &name.layout)?;
    let kept = all.get(&name)?;
    Ok(constraints::shown(&name.layout, kept, super::node_count(layouts, &row, &kept.uid)))
}
