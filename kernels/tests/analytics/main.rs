//! The analyses against their definitions, computed in the simplest way there is, on small random graphs with
//! everything in them: loops, parallel edges, nodes alone, no edges, no nodes.

mod communities;
mod made;
mod naive;
mod places;
mod promises;
mod renewing;
mod similarity;
mod structure;
mod ways;
