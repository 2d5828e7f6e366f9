//! GetStatistics: how many commands of which type stand how.

use weft_jobs::State as JobState;
use weft_kit::Call;
use weft_proto::weft::command::v1::{CommandCount, CommandStatistics, GetStatisticsRequest};
use weft_store::Timestamp;

use crate::{
    Error,
    domain::{message, name},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<GetStatisticsRequest>,
) -> Result<CommandStatistics, Error> {
    let request = call.message;
    let since = request.start_time.as_ref().map_or(Timestamp::from_micros(0), Timestamp::from);
    let counted = state.jobs.count(name::project(&request.parent), since).await?;
    let counts = counted.into_iter().map(|count| {
        let stands = JobState::from_number(count.state).map_or(0, |state| message::state(state).into());
        CommandCount {
            command_type: count.kind,
            state: stands,
            command_count: count.batches,
            target_count: count.jobs,
            completed_count: count.completed,
            failed_count: count.failed,
            cancelled_count: count.cancelled,
        }
    });
    Ok(CommandStatistics { counts: counts.collect() })
}
