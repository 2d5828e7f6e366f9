//! The end of an analysis that a step has begun: the step waits for it, and ends it where it does not wait any more.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::{Code, Status};
use weft_kit::Peer;
use weft_proto::weft::compute::v1::{
    Analysis as Job, CancelAnalysisRequest, WatchAnalysisRequest,
    analysis_service_client::AnalysisServiceClient,
};

use crate::{
    domain::fault::StepError,
    kinds::{Attempt, outside::of_status},
};

/// How long until a watch that broke off is begun again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long it is tried to end an analysis: less than a step has that is told to stop.
const GRACE: Duration = Duration::from_secs(4);

/// Waits for the end of an analysis. Where the step ends before it, for whatever reason, it is ended with the step; not where
/// the process ends, because whoever has the step next goes on with it.
pub(super) async fn of(
    client: &AnalysisServiceClient<Peer>,
    name: &str,
    attempt: &Attempt,
) -> Result<Job, StepError> {
    let ended = tokio::select! {
        ended = timeout_at(attempt.patience(), watched(client, name)) => match ended {
            Ok(ended) => ended.map_err(|status| of_status(&status)),
            Err(_) => Err(StepError::passing("TIMEOUT", format!("it took longer than {:?}", attempt.limit))),
        },
        () = attempt.stop.cancelled() => Err(StepError::new("CANCELLED", "it was cancelled")),
    };
    if ended.is_err() {
        give_up(client, name).await;
    }
    ended
}

/// The analysis, once it has ended. It goes on while its service is away, and so does the wait.
async fn watched(client: &AnalysisServiceClient<Peer>, name: &str) -> Result<Job, Status> {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        match watched_once(client, name).await {
            Ok(Some(job)) => return Ok(job),
            Ok(None) => {}
            Err(status) if status.code() == Code::Unavailable => {
                tracing::debug!(name, %status, "the watch of an analysis broke off");
            }
            Err(status) => return Err(status),
        }
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One that has ended is told as the first state; nothing where the watch ends before that.
async fn watched_once(client: &AnalysisServiceClient<Peer>, name: &str) -> Result<Option<Job>, Status> {
    let request = WatchAnalysisRequest { name: name.to_owned() };
    let mut states = client.clone().watch_analysis(request).await?.into_inner();
    while let Some(job) = states.message().await? {
        if job.end_time.is_some() {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Ends an analysis that nobody waits for any more. Why the step ends says more than that this did not go well: then the
/// analysis ends by its own time limit.
async fn give_up(client: &AnalysisServiceClient<Peer>, name: &str) {
    let cancelled = async {
        loop {
            let request = CancelAnalysisRequest { name: name.to_owned() };
            match client.clone().cancel_analysis(request).await {
                Err(status) if status.code() == Code::Unavailable => sleep(FIRST_PAUSE).await,
                cancelled => return cancelled.map(drop),
            }
        }
    };
    match timeout(GRACE, cancelled).await {
        Ok(Ok(())) => {}
        // There is nothing to end.
        Ok(Err(status)) if status.code() == Code::NotFound => {}
        Ok(Err(status)) => tracing::warn!(name, %status, "an analysis that no step waits for goes on"),
        Err(_) => tracing::warn!(name, "an analysis that no step waits for goes on: its service is away"),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use futures::stream::{self, BoxStream, StreamExt};
    use tokio_util::sync::CancellationToken;
    use tonic::{Request, Response};
    use weft_kit::Role;
    use weft_proto::weft::compute::v1::{
        CreateAnalysisRequest, DeleteAnalysisRequest, GetAnalysisRequest, ListAnalysesRequest,
        ListAnalysesResponse, ListAnalysisValuesRequest, ListAnalysisValuesResponse,
        StreamAnalysisValuesRequest, StreamAnalysisValuesResponse, WatchCommunitiesRequest,
        WatchCommunitiesResponse,
        analysis_service_server::{AnalysisService, AnalysisServiceServer},
    };

    use super::*;
    use crate::kinds::caller;

    /// What a watch tells; or why there is none.
    type Watch = Result<Vec<Result<Job, Status>>, Status>;

    /// A service that has one analysis. Once it has told all its watches, the last goes on for ever.
    #[derive(Default)]
    struct Told {
        watches: Mutex<VecDeque<Watch>>,
        /// So many times it cannot be cancelled.
        away: AtomicUsize,
        cancelled: AtomicUsize,
    }

    #[derive(Clone)]
    struct Fake(Arc<Told>);

    #[tonic::async_trait]
    impl AnalysisService for Fake {
        type WatchAnalysisStream = BoxStream<'static, Result<Job, Status>>;
        type StreamAnalysisValuesStream = BoxStream<'static, Result<StreamAnalysisValuesResponse, Status>>;
        type WatchCommunitiesStream = BoxStream<'static, Result<WatchCommunitiesResponse, Status>>;

        async fn watch_analysis(
            &self,
            _: Request<WatchAnalysisRequest>,
        ) -> Result<Response<Self::WatchAnalysisStream>, Status> {
            let next = self.0.watches.lock().unwrap().pop_front();
            Ok(Response::new(match next {
                Some(states) => stream::iter(states?).boxed(),
                None => stream::pending().boxed(),
            }))
        }

        async fn cancel_analysis(&self, _: Request<CancelAnalysisRequest>) -> Result<Response<Job>, Status> {
            let is_away = |away: usize| away.checked_sub(1);
            if self.0.away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_away).is_ok() {
                return Err(Status::unavailable("away"));
            }
            self.0.cancelled.fetch_add(1, Ordering::SeqCst);
            Ok(Response::new(Job::default()))
        }

        async fn create_analysis(&self, _: Request<CreateAnalysisRequest>) -> Result<Response<Job>, Status> {
            unreachable!()
        }

        async fn get_analysis(&self, _: Request<GetAnalysisRequest>) -> Result<Response<Job>, Status> {
            unreachable!()
        }

        async fn list_analyses(
            &self,
            _: Request<ListAnalysesRequest>,
        ) -> Result<Response<ListAnalysesResponse>, Status> {
            unreachable!()
        }

        async fn delete_analysis(&self, _: Request<DeleteAnalysisRequest>) -> Result<Response<()>, Status> {
            unreachable!()
        }

        async fn list_analysis_values(
            &self,
            _: Request<ListAnalysisValuesRequest>,
        ) -> Result<Response<ListAnalysisValuesResponse>, Status> {
            unreachable!()
        }

        async fn stream_analysis_values(
            &self,
            _: Request<StreamAnalysisValuesRequest>,
        ) -> Result<Response<Self::StreamAnalysisValuesStream>, Status> {
            unreachable!()
        }

        async fn watch_communities(
            &self,
            _: Request<WatchCommunitiesRequest>,
        ) -> Result<Response<Self::WatchCommunitiesStream>, Status> {
            unreachable!()
        }
    }

    fn succeeded() -> Job {
        Job { end_time: Some(prost_types::Timestamp::default()), ..Job::default() }
    }

    fn away() -> Status {
        Status::unavailable("away")
    }

    /// How a step ends that waits for an analysis with these watches, and how often the analysis was cancelled.
    async fn waited(
        watches: impl IntoIterator<Item = Watch>,
        stop: &CancellationToken,
    ) -> (Result<Job, (String, bool)>, usize) {
        let told = Arc::new(Told { watches: Mutex::new(watches.into_iter().collect()), ..Told::default() });
        told.away.store(1, Ordering::SeqCst);
        let client =
            AnalysisServiceClient::new(Peer::new(AnalysisServiceServer::new(Fake(Arc::clone(&told)))));
        let attempt = Attempt {
            project: "p".into(),
            key: "0192-7".into(),
            failures: 0,
            depth: 0,
            caller: caller("projects/p/apiKeys/k", "p", Role::Operator, &[]),
            limit: Duration::from_mins(10),
            until: Instant::now() + Duration::from_mins(10),
            stop: stop.clone(),
        };
        let ended = of(&client, "projects/p/graphs/g/analyses/a", &attempt).await;
        (ended.map_err(|error| (error.reason, error.again)), told.cancelled.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn an_analysis_is_waited_for_while_its_service_is_away() {
        let watches = [
            Err(away()),
            Ok(vec![Err(away())]),
            Ok(vec![Ok(Job::default()), Err(away())]),
            Ok(vec![Ok(Job::default())]),
            Ok(vec![Ok(Job::default()), Ok(succeeded())]),
        ];
        let (ended, cancelled) = waited(watches, &CancellationToken::new()).await;
        assert!(ended.is_ok_and(|job| job.end_time.is_some()) && cancelled == 0);
        // As long as the step may take, and not longer.
        let begun = Instant::now();
        let ever = std::iter::repeat_with(|| Err(away())).take(1_000);
        let (ended, cancelled) = waited(ever, &CancellationToken::new()).await;
        assert_eq!((ended.unwrap_err(), cancelled), (("TIMEOUT".to_owned(), true), 1));
        assert!((Duration::from_mins(9)..=Duration::from_mins(10)).contains(&begun.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_analysis_that_no_step_waits_for_is_ended() {
        for (watch, reason) in [
            (Err(Status::not_found("gone")), "GRPC_NOT_FOUND"),
            (Ok(vec![Ok(Job::default()), Err(Status::internal("odd"))]), "GRPC_INTERNAL"),
            (Err(Status::permission_denied("no")), "GRPC_PERMISSION_DENIED"),
        ] {
            let (ended, cancelled) = waited([watch], &CancellationToken::new()).await;
            assert_eq!((ended.unwrap_err().0.as_str(), cancelled), (reason, 1));
        }
        let stop = CancellationToken::new();
        let (waited, ()) = tokio::join!(waited([Ok(vec![Ok(Job::default())])], &stop), async {
            sleep(Duration::from_mins(1)).await;
            stop.cancel();
        });
        assert_eq!((waited.0.unwrap_err(), waited.1), (("CANCELLED".to_owned(), false), 1));
    }
}
