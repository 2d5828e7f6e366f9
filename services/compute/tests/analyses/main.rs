//! Analyses over SQLite, a folder of objects, and the real graph service.

mod communities;
mod life;
mod refusals;
mod similarity;
mod values;
mod world;
mod writing;
