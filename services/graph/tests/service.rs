//! Does the service keep its promises, called as a client calls it, over a real store?

#[path = "service/changes.rs"]
mod changes;
#[path = "service/graphs.rs"]
mod graphs;
#[path = "service/history.rs"]
mod history;
#[path = "service/import.rs"]
mod import;
#[path = "service/pages.rs"]
mod pages;
#[path = "service/questions.rs"]
mod questions;
#[path = "service/several.rs"]
mod several;
#[path = "service/sources.rs"]
mod sources;
#[path = "service/support.rs"]
mod support;
#[path = "service/watch.rs"]
mod watch;
