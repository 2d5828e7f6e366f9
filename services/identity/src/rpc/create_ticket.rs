//! CreateTicket: a credential that is good once.

use prost::Message;
use weft_kit::{Call, auth};
use weft_proto::weft::identity::v1::{CreateTicketRequest, Ticket};
use weft_store::{NewTicket, StoreError, Timestamp, Written, once};

use super::message;
use crate::{Error, state::State};

/// What every ticket begins with.
pub(crate) const PREFIX: &str = "ticket_";

pub(crate) async fn handle(state: &State, call: Call<CreateTicketRequest>) -> Result<Ticket, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateTicket", &request_id, &request);
    let now = Timestamp::from(state.clock.now());
    let secret = format!("{PREFIX}{}", state.ids.secret());
    let expires = now.after(state.options.ticket_lifetime);
    let ticket = Ticket { ticket: secret, expire_time: Some(expires.into()) };
    let new = NewTicket {
        digest: auth::digest(&ticket.ticket),
        principal: message::principal_of_caller(&caller).encode_to_vec().into(),
        expires,
        at: now,
    };
    // The remembered answer holds the ticket itself: it lives for minutes and is good once.
    match state.store.add_ticket(new, once::remember(once, &ticket)).await {
        Ok(Written::Done(())) => Ok(ticket),
        Ok(Written::Replayed(answer)) => once::replay(&answer),
        Err(StoreError::Conflict { .. }) => Err(Error::RequestIdReused),
        Err(error) => Err(error.into()),
    }
}
