//! WatchServiceLog: what a service writes, asked of its agent again and again, which answers when there is a line.

use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use weft_kit::{Call, span};
use weft_proto::weft::agent::v1::{
    ServiceLogQuestion, WatchServiceLogRequest, WatchServiceLogResponse, host_answer::Outcome,
    host_question::Ask,
};

use super::services::OPENED;
use crate::{
    Error,
    domain::name,
    host::{self, PATIENCE, Question},
    state::State,
};

/// How many of the newest lines a reader begins with, if nothing is said, and at most.
const TAIL: i32 = 100;
const LONGEST_TAIL: i32 = 500;

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<WatchServiceLogRequest>,
) -> Result<impl Stream<Item = Result<WatchServiceLogResponse, Error>> + Send + use<>, Error> {
    let request = call.message;
    let is_first = request.after_cursor.is_empty();
    let tail = if request.tail_lines == 0 { TAIL } else { request.tail_lines.min(LONGEST_TAIL) };
    let mut reader = Reader {
        state: Arc::clone(state),
        agent: name::agent_of(&request.name),
        question: ServiceLogQuestion {
            name: request.name,
            after_cursor: request.after_cursor,
            tail_lines: if is_first { tail } else { 0 },
            search: request.search,
            wait: None,
        },
        once: request.once,
        is_over: false,
    };
    // What is refused is refused before the stream begins.
    let first = reader.read().await?;
    let rest = stream::unfold(reader, |mut reader| async move {
        if reader.is_over {
            return None;
        }
        let lifecycle = reader.state.lifecycle.clone();
        let read = tokio::select! {
            read = reader.read() => read,
            () = lifecycle.draining() => Err(Error::Draining),
        };
        reader.is_over |= read.is_err();
        Some((read, reader))
    });
    Ok(stream::iter([Ok(first)]).chain(rest))
}

struct Reader {
    state: Arc<State>,
    agent: String,
    question: ServiceLogQuestion,
    once: bool,
    is_over: bool,
}

impl Reader {
    async fn read(&mut self) -> Result<WatchServiceLogResponse, Error> {
        let question = Question {
            agent: self.agent.clone(),
            opened: OPENED,
            patience: PATIENCE * 2,
            ask: Ask::ReadServiceLog(self.question.clone()),
        };
        let Outcome::Log(page) = host::ask(&self.state, question).await? else {
            return Err(Error::unexpected_answer());
        };
        // Whoever reads once has all when the agent's place does not move any more.
        self.is_over =
            self.once && (self.question.tail_lines > 0 || page.cursor == self.question.after_cursor);
        self.question.after_cursor.clone_from(&page.cursor);
        self.question.tail_lines = 0;
        self.question.wait = (!self.once).then(|| span::of(PATIENCE));
        Ok(WatchServiceLogResponse { lines: page.lines, cursor: page.cursor })
    }
}
