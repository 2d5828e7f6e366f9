//! One file for each RPC.

pub(crate) mod create_api_key;
pub(crate) mod create_ticket;
pub(crate) mod get_api_key;
pub(crate) mod introspect_api_key;
pub(crate) mod issue_machine_token;
pub(crate) mod issue_token;
pub(crate) mod list_api_keys;
mod message;
mod once;
pub(crate) mod revoke_api_key;
pub(crate) mod rotate_signing_key;
pub(crate) mod who_am_i;
