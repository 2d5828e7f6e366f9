//! REST: JSON over HTTP as `google.api.http` maps it.
//!
//! A request walks through: [`router`] (which method, by [`template`]s), [`request`] (body,
//! [`query`] and path become a message), the call, and [`reply`] or [`stream`] (the way back),
//! in the media type that [`crate::accept`] chose; [`cursor`] says how far a client has come.

mod binding;
mod cursor;
mod handler;
mod query;
mod reply;
mod request;
mod router;
mod stream;
mod template;

pub(crate) use binding::{BodyRule, Route};
pub(crate) use handler::handle;
pub(crate) use router::{Found, Router};
pub(crate) use template::Segment;
