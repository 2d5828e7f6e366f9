//! Does a second person let a command start?

use weft_proto::weft::command::v1::{Command, CommandApproval, CommandApprovalState, CommandType};
use weft_store::Timestamp;

use crate::Error;

/// What a new command of a type waits for; nothing where the type does not ask.
pub(crate) fn asked(command_type: &CommandType) -> Option<CommandApproval> {
    command_type.requires_approval.then(|| CommandApproval {
        state: CommandApprovalState::Waiting.into(),
        ..CommandApproval::default()
    })
}

/// What somebody says to a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision<'a> {
    /// Whether it goes.
    pub(crate) goes: bool,
    /// Who says so.
    pub(crate) decider: &'a str,
    /// And why.
    pub(crate) comment: &'a str,
}

/// Writes a decision into a command that is kept. False where the same person has said the same before.
///
/// # Errors
/// Its type asks for nobody; it is the decider's own; somebody has decided otherwise.
pub(crate) fn decide(command: &mut Command, decision: Decision<'_>, now: Timestamp) -> Result<bool, Error> {
    let Some(approval) = &mut command.approval else { return Err(Error::ApprovalNotRequired) };
    if command.creator == decision.decider {
        return Err(Error::OwnCommand);
    }
    let wanted = if decision.goes { CommandApprovalState::Approved } else { CommandApprovalState::Rejected };
    if approval.state() != CommandApprovalState::Waiting {
        let is_same = approval.state() == wanted && approval.decider == decision.decider;
        let decider = || Error::AlreadyDecided { decider: approval.decider.clone() };
        return if is_same { Ok(false) } else { Err(decider()) };
    }
    *approval = CommandApproval {
        state: wanted.into(),
        decider: decision.decider.to_owned(),
        decide_time: Some(now.into()),
        comment: decision.comment.to_owned(),
    };
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Command {
        let command_type = CommandType { requires_approval: true, ..CommandType::default() };
        Command { creator: "ann".into(), approval: asked(&command_type), ..Command::default() }
    }

    fn say(command: &mut Command, decider: &str, goes: bool) -> Result<bool, Error> {
        decide(command, Decision { goes, decider, comment: "so" }, Timestamp::from_micros(5_000_000))
    }

    #[test]
    fn a_second_person_decides_once() {
        assert!(asked(&CommandType::default()).is_none());
        let mut command = waiting();
        assert!(matches!(say(&mut command, "ann", true), Err(Error::OwnCommand)));
        assert!(matches!(say(&mut command, "ann", false), Err(Error::OwnCommand)));
        assert!(say(&mut command, "bob", true).expect("it waits"));
        let approval = command.approval.clone().expect("it was asked for");
        assert_eq!(approval.state(), CommandApprovalState::Approved);
        assert_eq!((&approval.decider[..], &approval.comment[..]), ("bob", "so"));
        assert_eq!(approval.decide_time.expect("it was decided").seconds, 5);
        assert!(!say(&mut command, "bob", true).expect("a repeat"));
        for (decider, goes) in [("bob", false), ("eve", true), ("eve", false)] {
            let refused = say(&mut command, decider, goes);
            assert!(matches!(refused, Err(Error::AlreadyDecided { decider }) if decider == "bob"));
        }
        assert_eq!(command.approval, Some(approval));
        let mut refused = waiting();
        assert!(say(&mut refused, "bob", false).expect("it waits"));
        assert_eq!(refused.approval.expect("decided").state(), CommandApprovalState::Rejected);
        assert!(matches!(say(&mut Command::default(), "bob", true), Err(Error::ApprovalNotRequired)));
    }
}
