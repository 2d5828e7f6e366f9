//! Triggers over SQLite, with the real graph and execution services, and a clock of their own.

mod changes;
mod events;
mod messages;
mod schedules;
mod starting;
mod world;
