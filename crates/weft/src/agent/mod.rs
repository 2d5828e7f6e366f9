//! The agent of a host: it joins a fleet once, and then keeps a stream to the mesh open for as long as it runs.
//!
//! `own` is the one that a mesh runs for its own host. `home` is its folder with its key and where it belongs; `facts` what it tells of its host; `files` how it writes; `run` its life; `way`
//! how it gets there, by gRPC or by the agents' `door`, with one of its `tokens`; `work` the commands that it is handed;
//! `report` the numbers of its host; `host` what is asked about it, live; `knowledge` the notes and documents there;
//! `services` what it keeps running there.

mod door;
mod facts;
mod files;
mod home;
mod host;
mod knowledge;
mod own;
mod report;
mod run;
mod services;
mod tokens;
mod way;
mod work;

use anyhow::Result;
use weft_proto::weft::agent::v1::EnrollAgentRequest;

use way::Way;

pub(crate) use home::{Home, Settings};
pub(crate) use own::OwnHost;
pub(crate) use run::run;
pub(crate) use work::launch::Launch;

/// Joins, at the mesh at `url`, the fleet of whoever gave the token. A key that is there is used, so that it can be tried again.
///
/// # Errors
/// The folder cannot be written, or the mesh refuses.
pub(crate) async fn enroll(
    home: &Home,
    url: String,
    ca_file: Option<std::path::PathBuf>,
    token: &str,
    agent_id: String,
) -> Result<Settings> {
    let way = Way::to(&url, ca_file.as_deref())?;
    enroll_by(&way, home, url, ca_file, token, agent_id).await
}

/// The same, in this way.
async fn enroll_by(
    way: &Way,
    home: &Home,
    url: String,
    ca_file: Option<std::path::PathBuf>,
    token: &str,
    agent_id: String,
) -> Result<Settings> {
    let key = home.key_or_new()?;
    // A host that joins anew keeps what its owner has allowed.
    let before = home.settings().ok();
    let before = before.map(|Settings { commands, telemetry, host, knowledge, services, .. }| {
        (commands, telemetry, host, knowledge, services)
    });
    let (commands, telemetry, host, knowledge, services) = before.unwrap_or_default();
    let request = EnrollAgentRequest {
        token: token.to_owned(),
        public_key: key.public().to_vec().into(),
        signature: key.sign("weft agent enroll v1", token.as_bytes()).to_vec().into(),
        agent_id,
        display_name: String::new(),
        facts: Some(facts::read(Vec::new())),
    };
    let agent = way.enroll(request).await?;
    let settings =
        Settings { url, name: agent.name, ca_file, commands, telemetry, host, knowledge, services };
    home.write(&settings)?;
    Ok(settings)
}
