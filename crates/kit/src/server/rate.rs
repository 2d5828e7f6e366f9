//! How often: a token bucket for each caller and rate class.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};
use tonic::Status;
use weft_proto::weft::options::v1::{MethodPolicy, RateClass};

use crate::{
    Caller, CallerKind, Problem,
    config::{RateOptions, Rates},
};

/// Whose bucket: a caller's, or an address's for those who are not signed in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Bucket {
    Caller(Arc<str>),
    Address(Option<IpAddr>),
}

type Buckets = DefaultKeyedRateLimiter<Bucket>;

/// The buckets of all callers, shared by all services of a process.
#[derive(Clone)]
pub struct RateLimits(Arc<Classes>);

struct Classes {
    read: Buckets,
    write: Buckets,
    bulk: Buckets,
    stream: Buckets,
    sign_in: Buckets,
    clock: governor::clock::DefaultClock,
}

impl RateLimits {
    /// Buckets with these rates.
    pub fn new(options: &RateOptions) -> Self {
        Self(Arc::new(Classes {
            read: buckets(options.read),
            write: buckets(options.write),
            bulk: buckets(options.bulk),
            stream: buckets(options.stream),
            sign_in: buckets(options.sign_in),
            clock: governor::clock::DefaultClock::default(),
        }))
    }

    /// Takes what a call costs from its caller's bucket. Processes of the mesh are not limited.
    pub(crate) fn charge(&self, policy: &MethodPolicy, caller: &Caller) -> Result<(), Status> {
        let class = policy.rate_class();
        let (buckets, name) = match class {
            RateClass::Unspecified => return Ok(()),
            RateClass::Read => (&self.0.read, "read"),
            RateClass::Write => (&self.0.write, "write"),
            RateClass::Bulk => (&self.0.bulk, "bulk"),
            RateClass::Stream => (&self.0.stream, "stream"),
            RateClass::SignIn => (&self.0.sign_in, "sign_in"),
        };
        let bucket = match caller.kind {
            CallerKind::Mesh => return Ok(()),
            CallerKind::Principal if class != RateClass::SignIn => Bucket::Caller(Arc::clone(&caller.name)),
            _ => Bucket::Address(caller.address),
        };
        let cost = NonZeroU32::new(policy.cost).unwrap_or(NonZeroU32::MIN);
        match buckets.check_key_n(&bucket, cost) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(early)) => {
                let wait = early.wait_time_from(self.0.clock.now());
                Err(Problem::resource_exhausted(
                    "RATE_LIMITED",
                    format!("too many calls of the class {name}"),
                )
                .quota(subject(&bucket), format!("calls of the class {name}"))
                .with("rate_class", name)
                .retry_after(wait)
                .into())
            }
            Err(_) => Err(Problem::resource_exhausted(
                "RATE_LIMITED",
                format!("one call of the class {name} costs more than a full bucket holds"),
            )
            .quota(subject(&bucket), format!("calls of the class {name}"))
            .with("rate_class", name)
            .into()),
        }
    }

    /// Takes one attempt to sign in from an address's bucket: for whoever shows a credential in a protocol of other
    /// people's, which no policy speaks of.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, with when to come back.
    pub fn charge_sign_in(&self, address: Option<IpAddr>) -> Result<(), Status> {
        let policy = MethodPolicy { rate_class: RateClass::SignIn.into(), ..MethodPolicy::default() };
        self.charge(&policy, &Caller { address, ..Caller::nobody() })
    }

    /// Forgets buckets that are full again. To be called now and then.
    pub fn forget_idle(&self) {
        for buckets in [&self.0.read, &self.0.write, &self.0.bulk, &self.0.stream, &self.0.sign_in] {
            buckets.retain_recent();
        }
    }
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RateLimits").finish_non_exhaustive()
    }
}

fn buckets(rates: Rates) -> Buckets {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Buckets::keyed(Quota::per_second(at_least_one(rates.per_second)).allow_burst(at_least_one(rates.burst)))
}

fn subject(bucket: &Bucket) -> String {
    match bucket {
        Bucket::Caller(name) => name.to_string(),
        Bucket::Address(Some(address)) => format!("address:{address}"),
        Bucket::Address(None) => "address:unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn policy(class: RateClass, cost: u32) -> MethodPolicy {
        MethodPolicy { rate_class: class.into(), cost, ..MethodPolicy::default() }
    }

    fn caller(name: &str) -> Caller {
        Caller { name: Arc::from(name), kind: CallerKind::Principal, ..Caller::nobody() }
    }

    #[test]
    fn each_caller_and_class_has_its_own_bucket() {
        let limits = RateLimits::new(&RateOptions {
            write: Rates { per_second: 1, burst: 3 },
            ..RateOptions::default()
        });
        let write = policy(RateClass::Write, 0);
        for _ in 0..3 {
            limits.charge(&write, &caller("a")).expect("the bucket is not empty");
        }
        let status = limits.charge(&write, &caller("a")).expect_err("the bucket is empty");
        let wait =
            status.get_error_details().retry_info().expect("it says when").retry_delay.expect("it says when");
        assert!(wait.as_millis() > 500 && wait.as_millis() <= 1_000, "{wait:?}");
        limits.charge(&write, &caller("b")).expect("another caller");
        limits.charge(&policy(RateClass::Read, 0), &caller("a")).expect("another class");
        limits.charge(&write, &Caller::mesh("graph")).expect("the mesh is not limited");
    }

    #[test]
    fn cost_counts_and_sign_in_goes_by_address() {
        let limits = RateLimits::new(&RateOptions {
            sign_in: Rates { per_second: 1, burst: 4 },
            ..RateOptions::default()
        });
        let costly = policy(RateClass::SignIn, 4);
        limits.charge(&costly, &caller("a")).expect("a full bucket");
        assert!(limits.charge(&costly, &caller("b")).is_err(), "the same address");
        assert!(
            limits.charge(&policy(RateClass::SignIn, 5), &caller("a")).is_err(),
            "more than a bucket holds"
        );
    }

    #[test]
    fn who_signs_in_in_another_protocol_has_the_same_bucket() {
        let limits = RateLimits::new(&RateOptions {
            sign_in: Rates { per_second: 1, burst: 2 },
            ..RateOptions::default()
        });
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        limits.charge_sign_in(Some(one)).expect("a full bucket");
        let there = Caller { address: Some(one), ..Caller::nobody() };
        limits.charge(&policy(RateClass::SignIn, 1), &there).expect("one is left");
        limits.charge_sign_in(Some(one)).expect_err("the bucket is empty");
        limits.charge_sign_in(Some(other)).expect("another address");
    }
}
