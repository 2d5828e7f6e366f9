//! DeleteConstraint: one thing less that a layout keeps to.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::DeleteConstraintRequest;

use crate::{
    Error,
    domain::{constraints, name::ConstraintName},
    session::Layouts,
};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<DeleteConstraintRequest>) -> Result<(), Error> {
    let DeleteConstraintRequest { name, etag } = call.message;
    let name = ConstraintName::parse(&name, "name")?;
    super::change(layouts, &name.layout, None, &|_, all| {
        let kept = all.get(&name)?.clone();
        constraints::check_etag(&kept, &etag)?;
        all.remove(&name);
        Ok(kept)
    })
    .await?;
    Ok(())
}
