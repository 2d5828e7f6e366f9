//! Triggers over SQLite, with the real graph and execution services, and a clock of their own.

mod changes;
mod events;
mod limits;
mod messages;
mod redelivery;
mod schedules;
mod starting;
mod watching;
mod world;
