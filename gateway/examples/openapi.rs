//! Prints the OpenAPI document of the mesh, for validators and generators of clients.

use std::io::{self, Write};

use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let nobody = tower::service_fn(|_: http::Request<tonic::body::Body>| async {
        Err::<http::Response<tonic::body::Body>, _>(io::Error::other("this only prints"))
    });
    let pool = weft_proto::pool().clone();
    let upstreams = pool
        .services()
        .fold(Upstreams::new(), |upstreams, service| upstreams.with(service.full_name(), Peer::new(nobody)));
    let gateway = Gateway::new(upstreams, GatewayOptions::default(), pool, Lifecycle::new())?;
    io::stdout().write_all(&gateway.openapi())?;
    Ok(())
}
