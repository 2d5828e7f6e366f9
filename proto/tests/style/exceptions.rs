//! Where a contract leaves a rule on purpose, and why. An entry that is not needed fails the test.

/// One place where one rule does not hold.
pub(crate) struct Exception {
    /// Name of the rule.
    pub(crate) rule: &'static str,
    /// Full name of what leaves it.
    pub(crate) at: &'static str,
    /// Why that is right. Read by people only.
    #[expect(dead_code, reason = "written for the reader of this file")]
    pub(crate) why: &'static str,
}

/// All of them.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: "resource-pattern",
        at: "weft.agent.v1.CollectorConfiguration",
        why: "each agent has one and no more (AIP-156), so it needs no id of its own",
    },
    Exception {
        rule: "resource-fields",
        at: "weft.agent.v1.CollectorConfiguration",
        why: "it is there for as long as its agent: nobody creates it, and its name is all its identity",
    },
    Exception {
        rule: "resource-fields",
        at: "weft.graph.v1.Folder",
        why: "it is a line of the configuration: nobody creates it, and its name is all its identity",
    },
    Exception {
        rule: "http-body",
        at: "weft.execution.v1.ObjectService.WriteObject",
        why: "the body is the object's bytes, as a client of HTTP has them; all else is in the path and the query",
    },
    Exception {
        rule: "http-body",
        at: "weft.identity.v1.IdentityService.CreateTicket",
        why: "a ticket has no fields that a client could set; the body is the request",
    },
    Exception {
        rule: "http-path",
        at: "weft.identity.v1.IdentityService.GetJsonWebKeySet",
        why: "RFC 8615 and every JWT library fix where a key set is found: under /.well-known/",
    },
];
