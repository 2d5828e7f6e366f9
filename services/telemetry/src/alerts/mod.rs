//! Alerts: rules are evaluated by the process that has the log, which also tells who is to be told.
//!
//! What a rule's alerts have come to, and what has been said to whom and not yet heard, is one value, kept by one write
//! (`kept`): a transition and the notice of it are on disk together, or neither is. `step` makes the next value of the
//! last one and of what the expression says now; `notices` says who is to be told what; `evaluator` does both again and
//! again; `deliver` makes the POST. `rule`, `silence`, `template` and `signature` are what their names say, and `board` is what
//! clients are shown.

pub(crate) mod board;
pub(crate) mod deliver;
pub(crate) mod evaluator;
pub(crate) mod kept;
pub(crate) mod notices;
pub(crate) mod rule;
pub(crate) mod signature;
pub(crate) mod silence;
pub(crate) mod step;
pub(crate) mod template;
