//! What is asked of services, and answered.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use weft_proto::weft::agent::v1 as proto;
use weft_store::Timestamp;

use super::{Inner, Kept, Services, log, log::Wanted, now, order, spec::Spec, store::Record, unit::Want};
use crate::agent::host::{list, refusal};

/// How long the first sign of what was asked for is waited for.
const SIGN: Duration = Duration::from_secs(2);
/// Services that there may be.
const MOST: usize = 256;
/// Restarts whose repeats are known.
const RESTARTS: usize = 256;
/// Lines of a log in one answer.
const LINES: usize = 500;
/// How long a reader may wait for a line.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

type Answer<T> = Result<T, proto::HostRefusal>;

impl Services {
    fn inner(&self) -> Answer<&Arc<Inner>> {
        self.0.as_ref().ok_or_else(|| refusal::failed("another program works from the agent's folder"))
    }

    fn find(&self, name: &str) -> Answer<(&Arc<Inner>, String, Arc<Kept>)> {
        let inner = self.inner()?;
        let id = name.rsplit('/').next().unwrap_or_default();
        let kept = inner.find(id).ok_or_else(|| refusal::not_found("there is no such service", name))?;
        Ok((inner, id.to_owned(), kept))
    }

    pub(crate) fn list(&self, request: &proto::ListServicesRequest) -> Answer<proto::ListServicesResponse> {
        let all = self.inner()?.all();
        let services = all.iter().map(|kept| kept.message(&request.parent)).collect();
        let (services, next_page_token) = list::page(services, &request.page_token, request.page_size)?;
        Ok(proto::ListServicesResponse { services, next_page_token })
    }

    pub(crate) fn get(&self, name: &str) -> Answer<proto::Service> {
        let (_, _, kept) = self.find(name)?;
        Ok(kept.message(parent(name)))
    }

    pub(crate) async fn create(&self, request: proto::CreateServiceRequest) -> Answer<proto::Service> {
        let inner = self.inner()?;
        let _one_at_a_time = inner.changing.lock().await;
        let spec = Spec::of(&request.service_id, request.service.unwrap_or_default())?;
        let same_request = inner
            .all()
            .into_iter()
            .find(|kept| !request.request_id.is_empty() && kept.record().request_id == request.request_id);
        if let Some(kept) = same_request {
            if *kept.record().spec.name != *spec.name {
                return Err(refusal::invalid("request_id", "was used for another request"));
            }
            return Ok(kept.message(&request.parent));
        }
        inner.check(&spec)?;
        let name = format!("{}/services/{}", request.parent, spec.name);
        if inner.find(&spec.name).is_some() {
            return Err(refusal::exists(&name));
        }
        if inner.lock().len() >= MOST {
            return Err(refusal::denied("there are as many services as there may be"));
        }
        let time = now();
        let record = Record {
            uid: inner.ids.uuid().to_string(),
            created: time,
            updated: time,
            request_id: request.request_id,
            is_configured: false,
            spec,
        };
        inner.write(&record.spec.name, Some(&record)).map_err(|error| refusal::failed(&error.to_string()))?;
        let manual = record.spec.manual;
        inner.keep(record).map_err(|error| refusal::failed(&error.to_string()))?;
        let (_, _, kept) = self.find(&name)?;
        if !manual {
            kept.up(false);
            kept.sign().await;
        }
        Ok(kept.message(&request.parent))
    }

    pub(crate) async fn update(&self, request: proto::UpdateServiceRequest) -> Answer<proto::Service> {
        let asked = request.service.unwrap_or_default();
        let name = asked.name.clone();
        let (inner, id, kept) = self.find(&name)?;
        let _one_at_a_time = inner.changing.lock().await;
        let before = kept.record();
        before.may_change(&asked.etag)?;
        let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
        let spec = Spec::of(&id, merged(before.spec.message(), asked, &paths)?)?;
        inner.check(&spec)?;
        let record = Record { spec, updated: now(), ..before };
        inner.write(&id, Some(&record)).map_err(|error| refusal::failed(&error.to_string()))?;
        kept.spec.send_replace(Arc::new(record.spec.clone()));
        *kept.record.lock().expect("nobody panics with it") = record;
        Ok(kept.message(parent(&name)))
    }

    pub(crate) async fn delete(&self, request: &proto::DeleteServiceRequest) -> Answer<()> {
        let (inner, id, kept) = self.find(&request.name)?;
        let _one_at_a_time = inner.changing.lock().await;
        kept.record().may_change(&request.etag)?;
        let dependents = order::with_dependents(&inner.needs(), &id);
        if dependents.len() > 1 {
            return Err(refusal::denied(&format!("{} needs it", dependents[0])));
        }
        inner.write(&id, None).map_err(|error| refusal::failed(&error.to_string()))?;
        kept.down().await;
        inner.lock().remove(&id);
        if let Err(error) = std::fs::remove_dir_all(inner.folder.join(&id)) {
            tracing::warn!(%error, service = id, "its log is left");
        }
        Ok(())
    }

    /// Starts a service, and what it needs before it.
    pub(crate) async fn start(&self, name: &str) -> Answer<proto::Service> {
        let (inner, id, kept) = self.find(name)?;
        let _one_at_a_time = inner.changing.lock().await;
        for needed in order::with_needed(&inner.needs(), &id) {
            if let Some(needed) = inner.find(&needed) {
                needed.up(false);
            }
        }
        kept.sign().await;
        Ok(kept.message(parent(name)))
    }

    /// Stops a service, and what needs it before it.
    pub(crate) async fn halt(&self, name: &str) -> Answer<proto::Service> {
        let (inner, id, kept) = self.find(name)?;
        let _one_at_a_time = inner.changing.lock().await;
        for dependent in order::with_dependents(&inner.needs(), &id) {
            if let Some(dependent) = inner.find(&dependent) {
                dependent.down().await;
            }
        }
        Ok(kept.message(parent(name)))
    }

    pub(crate) async fn restart(&self, request: &proto::RestartServiceRequest) -> Answer<proto::Service> {
        let (inner, _, kept) = self.find(&request.name)?;
        let _one_at_a_time = inner.changing.lock().await;
        let is_new = request.request_id.is_empty() || {
            let key = format!("{} {}", request.name, request.request_id);
            let mut restarts = inner.restarts.lock().expect("nobody panics with it");
            let is_new = !restarts.contains(&key);
            if is_new {
                restarts.push_back(key);
                let too_many = restarts.len().saturating_sub(RESTARTS);
                restarts.drain(..too_many);
            }
            is_new
        };
        if is_new {
            let mut status = kept.status.clone();
            status.mark_unchanged();
            kept.up(true);
            drop(timeout(SIGN, status.changed()).await);
        }
        Ok(kept.message(parent(&request.name)))
    }

    /// Lines of a service's log; waits for one where there is none.
    pub(crate) async fn read_log(
        &self,
        question: proto::ServiceLogQuestion,
    ) -> Answer<proto::ServiceLogPage> {
        let (inner, id, kept) = self.find(&question.name)?;
        let mut newest = kept.newest.clone();
        let after = match question.after_cursor.as_str() {
            "" => 0,
            cursor => cursor
                .parse()
                .map_err(|_| refusal::invalid("after_cursor", "is not one that this log gave"))?,
        };
        let wait = question.wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default();
        drop(timeout(wait.min(LONGEST_WAIT), newest.wait_for(|newest| *newest > after)).await);
        let wanted = Wanted {
            // A service that was deleted and made anew begins with 1.
            after: if after > *newest.borrow() { 0 } else { after },
            tail: usize::try_from(question.tail_lines).unwrap_or(0),
            text: question.search,
            most: LINES,
        };
        let folder = inner.folder.join(id);
        let (lines, newest) = tokio::task::spawn_blocking(move || log::read(&folder, &wanted))
            .await
            .map_err(|error| refusal::failed(&error.to_string()))?;
        Ok(proto::ServiceLogPage { lines, cursor: newest.to_string() })
    }
}

impl Inner {
    /// Whether a service may be as somebody wants it.
    fn check(&self, spec: &Spec) -> Answer<()> {
        if let Some(program) = spec.programs().iter().find(|program| !self.programs.contains(program)) {
            return Err(refusal::not_allowed(&format!("service_programs: {}", program.display())));
        }
        let mut needs = self.needs();
        if let Some(missing) = spec.depends_on.iter().find(|needed| !needs.contains_key(*needed)) {
            return Err(refusal::invalid("service.depends_on", &format!("there is no service {missing}")));
        }
        needs.insert(spec.name.clone(), spec.depends_on.clone());
        order::order(&needs).map(drop).map_err(|circle| {
            refusal::invalid("service.depends_on", &format!("these need each other: {}", circle.join(", ")))
        })
    }
}

impl Kept {
    /// The first sign that it is no longer down.
    async fn sign(&self) {
        let mut status = self.status.clone();
        drop(timeout(SIGN, status.wait_for(|status| !status.is_down())).await);
    }

    fn message(&self, parent: &str) -> proto::Service {
        let (record, status) = (self.record(), self.status.borrow().clone());
        let is_wanted = *self.want.borrow() != Want::Down;
        let time = |micros| Some(Timestamp::from_micros(micros).into());
        proto::Service {
            name: format!("{parent}/services/{}", record.spec.name),
            uid: record.uid.clone(),
            configured: record.is_configured,
            wanted: is_wanted,
            state: status.state.into(),
            state_time: Some(status.since),
            process_id: status.process_id,
            exit_code: status.exit_code,
            state_message: status.message,
            restart_count: i32::try_from(status.restarts).unwrap_or(i32::MAX),
            next_start_time: status.next_start,
            create_time: time(record.created),
            update_time: time(record.updated),
            etag: record.etag(),
            ..record.spec.message()
        }
    }
}

impl Record {
    fn may_change(&self, etag: &str) -> Answer<()> {
        if self.is_configured {
            return Err(refusal::denied("it is in agent.toml, and changed there"));
        }
        if !etag.is_empty() && etag != self.etag() {
            return Err(refusal::stale(&self.spec.name));
        }
        Ok(())
    }

    /// Changes when what it is changes.
    fn etag(&self) -> String {
        let text = serde_json::to_string(&self.spec).unwrap_or_default();
        let digest = weft_kit::auth::digest(&text);
        let first = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
        format!("{first:016x}")
    }
}

/// `projects/p/agents/a` of `projects/p/agents/a/services/s`.
fn parent(name: &str) -> &str {
    name.split_once("/services/").map_or(name, |(parent, _)| parent)
}

/// What there was, with those fields of what is asked for that the mask names.
fn merged(mut there: proto::Service, asked: proto::Service, paths: &[String]) -> Answer<proto::Service> {
    const ALL: [&str; 10] = [
        "display_name",
        "program",
        "arguments",
        "environment",
        "folder",
        "depends_on",
        "manual",
        "restart",
        "probe",
        "stop_grace_period",
    ];
    let empty = proto::Service::default();
    let paths: Vec<&str> = match paths {
        // Every field that is set.
        [] => ALL.into_iter().filter(|path| !is_same(path, &asked, &empty)).collect(),
        [star] if star == "*" => ALL.to_vec(),
        paths => paths.iter().map(String::as_str).collect(),
    };
    let proto::Service {
        display_name,
        program,
        arguments,
        environment,
        folder,
        depends_on,
        manual,
        restart,
        probe,
        stop_grace_period,
        ..
    } = asked;
    let has = |path: &str| paths.contains(&path);
    if let Some(other) = paths.iter().find(|path| !ALL.contains(path)) {
        return Err(refusal::invalid("update_mask", &format!("{other:?} cannot be changed")));
    }
    if has("display_name") {
        there.display_name = display_name;
    }
    if has("program") {
        there.program = program;
    }
    if has("arguments") {
        there.arguments = arguments;
    }
    if has("environment") {
        there.environment = environment;
    }
    if has("folder") {
        there.folder = folder;
    }
    if has("depends_on") {
        there.depends_on = depends_on;
    }
    if has("manual") {
        there.manual = manual;
    }
    if has("restart") {
        there.restart = restart;
    }
    if has("probe") {
        there.probe = probe;
    }
    if has("stop_grace_period") {
        there.stop_grace_period = stop_grace_period;
    }
    Ok(there)
}

fn is_same(path: &str, one: &proto::Service, other: &proto::Service) -> bool {
    match path {
        "display_name" => one.display_name == other.display_name,
        "program" => one.program == other.program,
        "arguments" => one.arguments == other.arguments,
        "environment" => one.environment == other.environment,
        "folder" => one.folder == other.folder,
        "depends_on" => one.depends_on == other.depends_on,
        "manual" => one.manual == other.manual,
        "restart" => one.restart == other.restart,
        "probe" => one.probe == other.probe,
        _ => one.stop_grace_period == other.stop_grace_period,
    }
}
