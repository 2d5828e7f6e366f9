//! FindTopicMessages: what was published, in the order in which it was written down.

use std::collections::HashSet;

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::execution::v1::{FindTopicMessagesRequest, FindTopicMessagesResponse};

use crate::{Error, domain::topic_message, state::State};

/// Messages that are looked at in one call.
const PAGE: u32 = 200;
/// Bytes of messages in one answer, unless its first has more. As they are sent: a list of small numbers is a few times as
/// large there as in JSON. And not many, because each trigger of a topic has a copy of each message until it is written down.
const MOST: usize = 256 * 1024;

pub(crate) async fn handle(
    state: &State,
    call: Call<FindTopicMessagesRequest>,
) -> Result<FindTopicMessagesResponse, Error> {
    let request = call.message;
    let (shard, shard_count) = (request.shard, state.engines.count());
    if state.engines.get(shard).is_none() {
        return Err(Error::field("shard", format!("must be below {shard_count}")));
    }
    let Some(after) = request.after_number else {
        let newest_number = state.store.execution_messages(shard, i64::MAX, 1).await?.newest;
        let last_number = newest_number;
        return Ok(FindTopicMessagesResponse {
            newest_number,
            last_number,
            shard_count,
            ..FindTopicMessagesResponse::default()
        });
    };
    let found = state.store.execution_messages(shard, after, PAGE).await?;
    // What was forgotten is before the first that there is, or all of it.
    let forgotten_number = match found.messages.first() {
        Some(first) if first.number > after + 1 => first.number - 1,
        None if found.newest > after => found.newest,
        _ => 0,
    };
    let mut last_number = after.max(forgotten_number);
    let wanted: HashSet<&str> =
        request.projects.iter().filter_map(|project| project.strip_prefix("projects/")).collect();
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for row in found.messages {
        let number = row.number;
        if wanted.contains(&*row.message.project) {
            let message = topic_message::shown(row);
            bytes += message.encoded_len();
            if bytes > MOST && !messages.is_empty() {
                break;
            }
            messages.push(message);
        }
        last_number = number;
    }
    Ok(FindTopicMessagesResponse {
        messages,
        last_number,
        newest_number: found.newest,
        forgotten_number,
        shard_count,
    })
}
