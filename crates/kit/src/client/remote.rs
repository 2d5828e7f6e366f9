//! A service on other machines: several connections to each of its addresses, kept up to date by
//! DNS, the least busy healthy one taken.

use std::ops::Deref;

use weft_proto::Methods;

use super::{client_tls::ClientTls, dial::Dial, health::Circuit, pool::Pool, retry::Retrying};
use crate::{Ids, Lifecycle, Peer, config::ClientOptions};

/// A peer at `address`, for example `http://graph:8080`. Its name is resolved now and then again;
/// every address that it has gets `options.connections` connections. Calls that `methods` says
/// may be repeated are retried, and so is any call that no service has seen (gRFC A6). What comes from
/// below gRPC is UNAVAILABLE, never INTERNAL: a connection that is gone is no fault of a service.
///
/// # Errors
/// An address that cannot be read.
pub fn remote(
    address: &str,
    methods: &'static Methods,
    options: &ClientOptions,
    ids: Ids,
    lifecycle: &Lifecycle,
) -> Result<Peer, String> {
    let tls = ClientTls::default();
    Ok(Remote::open(address, &tls, options, ids, lifecycle, Circuit::Absent)?.peer(methods))
}

/// The connections to a service on other machines. They are given up with the last clone and the last
/// [`peer`](Self::peer). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Remote {
    pool: Pool,
    options: ClientOptions,
    ids: Ids,
}

impl Remote {
    /// Begins to look up `address`, for example `http://graph:8080`; connects when there is a call. With
    /// `https:` it speaks TLS as `tls` says.
    ///
    /// # Errors
    /// An address that cannot be read, or files of `tls` that are no good.
    pub fn open(
        address: &str,
        tls: &ClientTls,
        options: &ClientOptions,
        ids: Ids,
        lifecycle: &Lifecycle,
        circuit: Circuit,
    ) -> Result<Self, String> {
        let pool = Pool::open(Dial::new(address, tls, options)?, options, lifecycle, circuit);
        Ok(Self { pool, options: options.clone(), ids })
    }

    /// As a peer that repeats what `methods` says may be repeated.
    pub fn peer<M>(&self, methods: M) -> Peer
    where
        M: Deref<Target = Methods> + Clone + Send + Sync + 'static,
    {
        Peer::new(Retrying::new(self.pool.clone(), methods, &self.options, self.ids.clone()))
    }

    /// How many connections calls are sent over now, and how many there are in all.
    pub fn connections(&self) -> (usize, usize) {
        self.pool.connections()
    }
}
