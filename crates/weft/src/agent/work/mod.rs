//! Commands: what this agent was handed, what it makes of it, and what it has not been told the end of.
//!
//! One task owns it all (`Desk`), over all connections. A target that it begins is written to the journal before
//! its first effect, and how it ended before anybody hears of it; both stay until the mesh says that the end is on its
//! disk. So after a lost connection work goes on, after a death it is known what was begun, and the same attempt is
//! never made twice by one program.
//!
//! `journal` is the file; `entry` what is known of one target; `event` what running work tells; `execute` what can be done; `script` a program of
//! the allow-list; `tree` its processes; `launch` how it begins.

mod desk;
mod entry;
mod event;
mod execute;
mod journal;
pub(crate) mod launch;
mod script;
pub(crate) mod settings;
pub(super) mod tree;

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use weft_kit::Lifecycle;
use weft_proto::weft::{agent::v1::AttachAgentRequest, command::v1::WorkOrder};

use super::home::Home;

use self::settings::CommandSettings;

/// How long the end of what runs is waited for when the program ends.
const LONGEST_STOP: Duration = Duration::from_secs(10);

/// What the desk is told by the connection.
enum Message {
    /// There is a connection: what is to be said goes there.
    Connected(mpsc::Sender<AttachAgentRequest>),
    /// The mesh says something.
    Order(WorkOrder),
    /// The program ends: nothing is left running.
    Stop(oneshot::Sender<()>),
}

/// The way to the desk.
pub(crate) struct Work {
    desk: mpsc::UnboundedSender<Message>,
    settings: Arc<CommandSettings>,
}

impl Work {
    /// Opens the journal, ends what an earlier life has left running, and begins.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub(crate) fn start(home: &Home, settings: CommandSettings) -> Result<Self> {
        let settings = Arc::new(settings);
        let (desk, messages) = mpsc::unbounded_channel();
        let life = Lifecycle::new();
        let task = desk::Desk::open(home, Arc::clone(&settings), life.clone())?;
        life.spawn_future(task.run(messages));
        Ok(Self { desk, settings })
    }

    /// What this agent can do, for its facts.
    pub(crate) fn capabilities(&self) -> Vec<String> {
        self.settings.capabilities()
    }

    pub(crate) fn connected(&self, say: mpsc::Sender<AttachAgentRequest>) {
        self.tell(Message::Connected(say));
    }

    pub(crate) fn order(&self, order: WorkOrder) {
        self.tell(Message::Order(order));
    }

    /// Ends everything that runs, with all of its processes.
    pub(crate) async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        self.tell(Message::Stop(done));
        // Fails where the desk has ended already; where it waits for a mesh that does not read, nobody waits for it.
        drop(timeout(LONGEST_STOP, ended).await);
    }

    /// The desk ends with the program.
    fn tell(&self, message: Message) {
        let _ = self.desk.send(message);
    }
}
