//! What the agent services' processes say to each other, over the bus. Losing any of it costs time only.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_bus::Bus;

/// The topic that all of them follow.
pub(crate) const TOPIC: &str = "agent.fleet";

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// The fleet has gone on to this revision.
    Revision(i64),
    /// Whoever holds this agent's session: does its program still answer? `question` names the question.
    Probe {
        #[serde(with = "id")]
        agent: Uuid,
        #[serde(with = "id")]
        question: Uuid,
    },
    /// It does.
    Alive {
        #[serde(with = "id")]
        question: Uuid,
    },
    /// Whoever holds this agent's session here is not the one any more.
    Moved {
        #[serde(with = "id")]
        agent: Uuid,
        process: String,
    },
    /// Who is there?
    Roll {
        #[serde(with = "id")]
        question: Uuid,
    },
    /// This process.
    Here {
        #[serde(with = "id")]
        question: Uuid,
        process: String,
    },
}

impl Notice {
    /// Tells all processes, this one too.
    pub(crate) async fn tell(&self, bus: &dyn Bus) {
        let bytes = serde_json::to_vec(self).expect("a notice is plain JSON");
        if let Err(error) = bus.publish(TOPIC, bytes.into()).await {
            tracing::debug!(%error, "a notice was not sent");
        }
    }
}

/// Identities as text.
mod id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        Uuid::parse_str(&text).map_err(D::Error::custom)
    }
}
