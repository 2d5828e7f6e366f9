//! WhoAmI.

use weft_kit::Call;
use weft_proto::weft::identity::v1::{Principal, WhoAmIRequest};

use super::message;

pub(crate) fn handle(call: &Call<WhoAmIRequest>) -> Principal {
    message::principal_of_caller(&call.caller)
}
