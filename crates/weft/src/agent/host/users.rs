//! Names of users, as passwd(5) has them. What the host asks elsewhere for (LDAP) is told of by its number.

use std::{collections::HashMap, fs};

/// The users of this host.
pub(super) struct Users(HashMap<u32, String>);

impl Users {
    pub(super) fn read() -> Self {
        Self::parse(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn parse(passwd: &str) -> Self {
        let mut users = HashMap::new();
        for line in passwd.lines() {
            let mut fields = line.split(':');
            let (name, number) = (fields.next(), fields.nth(1).and_then(|number| number.parse().ok()));
            if let (Some(name), Some(number)) = (name, number) {
                // Of several names of one user the first counts, as it does for everybody else.
                users.entry(number).or_insert_with(|| name.chars().take(255).collect());
            }
        }
        Self(users)
    }

    /// A user's name, or number.
    pub(super) fn name(&self, user: u32) -> String {
        self.0.get(&user).cloned().unwrap_or_else(|| user.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_where_there_are_any() {
        let users =
            Users::parse("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nwww-data:x:33:33::/:\n\nodd\n");
        assert_eq!([0, 33, 7].map(|user| users.name(user)), ["root", "www-data", "7"]);
    }
}
