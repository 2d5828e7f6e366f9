//! RPCs of the source service.

pub(crate) mod cancel_refresh;
pub(crate) mod create_source;
pub(crate) mod delete_source;
pub(crate) mod get_refresh;
pub(crate) mod get_source;
pub(crate) mod list_folders;
pub(crate) mod list_refreshes;
pub(crate) mod list_sources;
pub(crate) mod refresh_source;
pub(crate) mod update_source;
pub(crate) mod watch_refresh;
