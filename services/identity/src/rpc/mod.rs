//! One file for each RPC; those about secrets are together.

pub(crate) mod create_api_key;
pub(crate) mod create_ticket;
pub(crate) mod get_api_key;
pub(crate) mod introspect_api_key;
pub(crate) mod issue_machine_token;
pub(crate) mod issue_token;
pub(crate) mod list_api_keys;
mod message;
pub(crate) mod revoke_api_key;
pub(crate) mod rotate_signing_key;
pub(crate) mod secrets;
pub(crate) mod who_am_i;
