//! Serving: from a socket to a handler.
//!
//! A request walks forward through these files: `accept` (a connection that has a place in `places`, maybe with
//! `tls`, `opened` by its first bytes and then `guarded` against `floods` of `frames`; its bodies
//! `paced` on their way in, and not `stalled` on their way out), `pipeline` (the stages
//! of a call, in their order), and in it `deadline`, `load`, [`Authenticator`](crate::auth),
//! `rate`, `authorise`, then the handler, one of the `services`; `body` watches over the answer until its last byte, and
//! `ending` tells counters and traces how it was.

mod accept;
mod admin;
mod authorise;
mod body;
mod cuts;
mod ending;
mod first_message;
mod floods;
mod frames;
mod guarded;
mod head_timer;
mod health;
mod load;
pub(crate) mod malformed;
mod opened;
mod paced;
mod patience;
mod pipeline;
mod places;
mod proxies;
mod rate;
mod reflection;
mod services;
mod stalled;
mod tls;
mod trace;

pub(crate) use body::deadline_exceeded;

pub use accept::{HttpService, Listener, PeerAddress};
pub use admin::Admin;
pub use authorise::authorise;
pub use body::trailers;
pub use health::Health;
pub use pipeline::{Guards, Pipeline};
pub use rate::RateLimits;
pub use reflection::{Contracts, Reflection};
pub use services::{Server, Services};
pub use trace::{CallContext, TraceParent};
