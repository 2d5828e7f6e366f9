//! Statements in a real PostgreSQL (`WEFT_TEST_POSTGRES`; `tools/with-servers` starts one).

use std::{sync::Arc, time::Duration};

use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use weft_kit::{Lifecycle, Role, config::Network};

use super::{Databases, query};
use crate::{
    domain::fault::StepError,
    kinds::{Attempt, caller},
    secrets::Revealed,
};

const MOST_BYTES: usize = 64 << 10;

fn server() -> String {
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where servers are")]
    let told = std::env::var("WEFT_TEST_POSTGRES");
    let url = told.unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".into());
    format!("{url}?sslmode=disable")
}

fn databases() -> Databases {
    let loopback: Network = "127.0.0.0/8".parse().expect("a network");
    Databases::new(&[loopback], MOST_BYTES, Lifecycle::new())
}

fn attempt(limit: Duration, stop: &CancellationToken) -> Attempt {
    Attempt {
        project: "p".into(),
        key: "0192-7".into(),
        failures: 0,
        depth: 0,
        caller: caller("projects/p/apiKeys/k", "p", Role::Operator, &[]),
        limit,
        until: tokio::time::Instant::now() + limit,
        stop: stop.clone(),
    }
}

/// What a step asks, with what is not said as its kind has it.
fn request(settings: &Json) -> Revealed {
    let mut request = json!({
        "connection": server(), "parameters": [], "writes": false, "max_rows": super::ROWS, "ca": null,
    });
    request.as_object_mut().expect("an object").extend(settings.as_object().cloned().expect("an object"));
    Revealed::without_secrets(Arc::new(request))
}

async fn ask(databases: &Databases, settings: Json) -> Result<Json, StepError> {
    let attempt = attempt(Duration::from_secs(60), &CancellationToken::new());
    query::ask(databases, &attempt, request(&settings)).await
}

/// Waits until so many connections are open that nobody uses: they are cleaned after a step has its answer.
async fn idle(databases: &Databases, count: usize) {
    let idle = async {
        while databases.idle() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), idle).await.expect("they are put aside");
}

async fn fails(databases: &Databases, settings: Json) -> (String, bool, String) {
    let error = ask(databases, settings.clone()).await.expect_err(&settings.to_string());
    (error.reason, error.again, error.message)
}

/// The one row that a statement gives.
async fn row(statement: &str, parameters: Json) -> Json {
    let given = ask(&databases(), json!({"statement": statement, "parameters": parameters})).await;
    let mut given = given.expect(statement);
    assert_eq!(given["row_count"], 1);
    given["rows"][0].take()
}

#[tokio::test]
async fn values_come_as_they_are() {
    let statement = r#"SELECT true AS b, 7::int2 AS i2, -7 AS i4, 9007199254740992 AS i8, 9007199254740993 AS large,
        12.50::numeric AS n, 'NaN'::numeric AS nan, 0.1::float4 AS f4, 'Infinity'::float8 AS f8, 'té"x' AS t,
        'c'::"char" AS c, 'ab'::bpchar(4) AS bp, '{"a": [1, null]}'::json AS j, '{"b": 1.5}'::jsonb AS jb,
        '6c1f8e0a-1111-4222-8333-444455556666'::uuid AS u, '\x00ff'::bytea AS by,
        '2024-02-29 12:34:56.789+02'::timestamptz AS tz, '2024-02-29 12:34:56'::timestamp AS ts,
        'infinity'::timestamptz AS ever, '1999-12-31'::date AS d, '23:59:59.5'::time AS ti, '01:02:03+05:30'::timetz AS tt,
        '1 year 2 mons -3 days 04:05:06.7'::interval AS iv, '10.1.2.3'::inet AS ip, '10.0.0.0/8'::cidr AS net,
        '08:00:2b:01:02:03'::macaddr AS mac, ARRAY[1, NULL, 3] AS a, '{{a,b},{c,NULL}}'::text[] AS aa, '{}'::int[] AS none,
        NULL::int AS nothing, ARRAY[1.5, 2]::numeric[] AS na"#;
    let expected = json!({
        "b": true, "i2": 7, "i4": -7, "i8": 9_007_199_254_740_992_i64, "large": "9007199254740993",
        "n": "12.50", "nan": "NaN", "f4": 0.1, "f8": "Infinity", "t": "té\"x",
        "c": "c", "bp": "ab  ", "j": {"a": [1, null]}, "jb": {"b": 1.5},
        "u": "6c1f8e0a-1111-4222-8333-444455556666", "by": "AP8=",
        "tz": "2024-02-29T10:34:56.789Z", "ts": "2024-02-29T12:34:56",
        "ever": "infinity", "d": "1999-12-31", "ti": "23:59:59.5", "tt": "01:02:03+05:30",
        "iv": "P1Y2M-3DT4H5M6.7S", "ip": "10.1.2.3", "net": "10.0.0.0/8",
        "mac": "08:00:2b:01:02:03", "a": [1, null, 3], "aa": [["a", "b"], ["c", null]], "none": [],
        "nothing": null, "na": ["1.5", "2"],
    });
    assert_eq!(row(statement, json!([])).await, expected);
}

#[tokio::test]
async fn numerics_are_told_as_postgresql_tells_them() {
    // Its own words are beside each.
    let statement = "SELECT n::text AS told, n AS given FROM unnest($1::numeric[]) n";
    let numbers = json!([
        "0",
        "-0.000",
        "1e20",
        "1e-20",
        "10000",
        "0.0001",
        "123456789.987654321",
        "-99999999999999999999.9999",
        "1e100",
        "5e-100",
        "0.10",
        "1000000000000",
        "-Infinity",
    ]);
    let given =
        ask(&databases(), json!({"statement": statement, "parameters": [numbers]})).await.expect("numbers");
    let rows = given["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 13);
    for row in rows {
        assert_eq!(row["told"], row["given"]);
    }
}

#[tokio::test]
async fn parameters_are_values_and_nothing_else() {
    let hostile = "'; DROP TABLE x; --";
    let statement = "SELECT $1::text AS t, $2::int + 1 AS i, $3::jsonb AS j, $4::text[] AS a, $5::bytea AS b,
        $6::timestamptz AS at, $7::bool AS yes, $8::numeric AS n, $9::uuid AS u";
    let parameters = json!([
        hostile, 41, {"a": hostile}, [hostile, "NULL", null, "{\"}"], "AP8=", "2024-01-01T00:00:00+01:00", true, "0.1",
        "6c1f8e0a-1111-4222-8333-444455556666",
    ]);
    let expected = json!({
        "t": hostile, "i": 42, "j": {"a": hostile}, "a": [hostile, "NULL", null, "{\"}"], "b": "AP8=",
        "at": "2023-12-31T23:00:00Z", "yes": true, "n": "0.1", "u": "6c1f8e0a-1111-4222-8333-444455556666",
    });
    assert_eq!(row(statement, parameters).await, expected);
    let databases = databases();
    let one = json!({"statement": "SELECT $1::int AS n"});
    assert_eq!(fails(&databases, one.clone()).await.0, "SQL_PARAMETERS");
    let not = json!({"statement": "SELECT $1::int AS n", "parameters": ["x"]});
    assert_eq!(fails(&databases, not).await.0, "SQL_DATA");
}

/// A table that only one test has.
async fn table(databases: &Databases, name: &str, columns: &str) {
    for statement in [format!("DROP TABLE IF EXISTS {name}"), format!("CREATE TABLE {name} ({columns})")] {
        ask(databases, json!({"statement": statement, "writes": true})).await.expect("it is allowed");
    }
}

#[tokio::test]
async fn only_what_may_write_writes_and_errors_are_told_apart() {
    let databases = databases();
    table(
        &databases,
        "weft_sql_errors",
        "id int PRIMARY KEY, of int REFERENCES weft_sql_errors, key text UNIQUE",
    )
    .await;
    let insert = |id: i64, of: Json| {
        json!({
            "statement": "INSERT INTO weft_sql_errors VALUES ($1, $2, current_setting('weft.idempotency_key'))
                ON CONFLICT (key) DO NOTHING RETURNING id, key",
            "parameters": [id, of], "writes": true,
        })
    };
    let mut reads = insert(1, Json::Null);
    reads["writes"] = false.into();
    assert_eq!(fails(&databases, reads).await.0, "SQL_READ_ONLY");
    let written = ask(&databases, insert(1, Json::Null)).await.expect("it may write");
    assert_eq!(written, json!({"rows": [{"id": 1, "key": "0192-7"}], "row_count": 1}));
    // The step's own key makes a repeat harmless.
    let again = ask(&databases, insert(2, Json::Null)).await.expect("nothing happens");
    assert_eq!(again["row_count"], 0);
    let update = json!({"statement": "UPDATE weft_sql_errors SET of = 1", "writes": true});
    assert_eq!(ask(&databases, update).await.expect("it may write"), json!({"rows": [], "row_count": 1}));
    for (statement, reason, again) in [
        ("INSERT INTO weft_sql_errors VALUES (1)", "SQL_CONSTRAINT", false),
        ("INSERT INTO weft_sql_errors VALUES (5, 99)", "SQL_CONSTRAINT", false),
        ("SELECT nothing FROM weft_sql_errors", "SQL_STATEMENT", false),
        ("SELECT 1 / 0", "SQL_DATA", false),
        ("SELECT 1; SELECT 2", "SQL_STATEMENT", false),
        ("SELECT 1 AS a, 2 AS a", "SQL_STATEMENT", false),
        ("SELECT int4range(1, 2) AS r", "SQL_TYPE", false),
        ("SELECT 'infinity'::date AS a, '20000-01-01'::date AS b", "SQL_TYPE", false),
        ("DO $$BEGIN RAISE 'x' USING ERRCODE = '40001'; END$$", "SQL_CONFLICT", true),
        ("DO $$BEGIN RAISE 'x' USING ERRCODE = '40P01'; END$$", "SQL_CONFLICT", true),
        ("DO $$BEGIN RAISE 'x' USING ERRCODE = '53300'; END$$", "SQL_UNAVAILABLE", true),
        ("DO $$BEGIN RAISE 'x' USING ERRCODE = 'P0001'; END$$", "SQL_FAILED", false),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "SQL_UNAVAILABLE", true),
    ] {
        let (told, may_pass, message) =
            fails(&databases, json!({"statement": statement, "writes": true})).await;
        assert_eq!((&*told, may_pass), (reason, again), "{statement}: {message}");
    }
    let left = ask(&databases, json!({"statement": "SELECT count(*) AS n FROM weft_sql_errors"})).await;
    assert_eq!(left.expect("it may read")["rows"], json!([{"n": 1}]));
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_read_no_further() {
    let databases = databases();
    let many = json!({"statement": "SELECT generate_series(1, 1000000) AS n", "max_rows": 10});
    assert_eq!(fails(&databases, many).await.0, "SQL_TOO_MANY_ROWS");
    for statement in [
        "SELECT repeat('x', 500) AS t FROM generate_series(1, 1000)",
        "SELECT repeat('x', 100000000) AS t",
        "SELECT 1e131000::numeric AS n",
        "SELECT array_agg(1e100000::numeric) AS n FROM generate_series(1, 100)",
    ] {
        let (reason, again, _) = fails(&databases, json!({"statement": statement})).await;
        assert_eq!((&*reason, again), ("VALUE_TOO_LARGE", false), "{statement}");
    }
    let fits = json!({"statement": "SELECT n FROM generate_series(1, 1000) AS n"});
    assert_eq!(ask(&databases, fits).await.expect("it fits")["row_count"], 1000);
}

/// Statements of others that have this in them and are at work.
async fn at_work(mark: &str) -> i64 {
    let statement = "SELECT count(*) AS n FROM pg_stat_activity
        WHERE state = 'active' AND position($1 in query) > 0 AND pid <> pg_backend_pid()";
    row(statement, json!([mark])).await["n"].as_i64().expect("a number")
}

#[tokio::test]
async fn a_statement_that_is_cancelled_or_too_slow_ends_at_the_server() {
    let databases = databases();
    let stop = CancellationToken::new();
    let step = attempt(Duration::from_secs(60), &stop);
    let asked = request(&json!({"statement": "SELECT pg_sleep(50), 'weft-cancelled' AS mark"}));
    let (ended, ()) = tokio::join!(query::ask(&databases, &step, asked), async {
        while at_work("weft-cancelled").await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    });
    assert_eq!(ended.expect_err("it was cancelled").reason, "CANCELLED");
    assert_eq!(at_work("weft-cancelled").await, 0);
    let step = attempt(Duration::from_millis(300), &CancellationToken::new());
    let asked = request(&json!({"statement": "SELECT pg_sleep(50), 'weft-slow' AS mark"}));
    let error = query::ask(&databases, &step, asked).await.expect_err("it is too slow");
    assert_eq!((&*error.reason, error.again), ("TIMEOUT", true));
    assert_eq!(at_work("weft-slow").await, 0);
}

#[tokio::test]
async fn connections_are_used_again_as_if_they_were_new() {
    let databases = databases();
    let pid = json!({"statement": "SELECT pg_backend_pid() AS pid, current_setting('work_mem') AS mem"});
    let first = ask(&databases, pid.clone()).await.expect("it answers");
    idle(&databases, 1).await;
    let changed = json!({
        "statement": "SELECT set_config('work_mem', '123kB', false), pg_advisory_lock(77)", "writes": true,
    });
    ask(&databases, changed).await.expect("it may");
    idle(&databases, 1).await;
    let second = ask(&databases, pid.clone()).await.expect("it answers");
    assert_eq!(first, second);
    idle(&databases, 1).await;
    let free = row("SELECT pg_try_advisory_lock(77) AS free", json!([])).await;
    assert_eq!(free["free"], true);
    // One that was ended meanwhile is not noticed.
    let ends = "SELECT pg_terminate_backend($1::int) AS ended";
    row(ends, json!([first["rows"][0]["pid"]])).await;
    let third = ask(&databases, pid).await.expect("another one answers");
    assert_ne!(first["rows"][0]["pid"], third["rows"][0]["pid"]);
    idle(&databases, 1).await;
    // A type of the database's own is known on a connection that was used before.
    let made =
        "DO $$BEGIN CREATE TYPE weft_mood AS ENUM ('glad'); EXCEPTION WHEN duplicate_object THEN END$$";
    ask(&databases, json!({"statement": made, "writes": true})).await.expect("it may");
    for _ in 0..3 {
        idle(&databases, 1).await;
        let glad = json!({"statement": "SELECT $1::weft_mood AS mood, ROW(1, 'a')::text AS r", "parameters": ["glad"]});
        let given = ask(&databases, glad).await.expect("it answers");
        assert_eq!(given["rows"], json!([{"mood": "glad", "r": "(1,a)"}]));
    }
    idle(&databases, 1).await;
}

/// The real server, which is not told to clean before it may be; and a token to let it.
async fn before_one_that_cleans_late() -> (String, CancellationToken, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let place = server().split(['@', '/']).nth(3).expect("a place").to_owned();
    let url = server().replace(&place, &address);
    let (may_clean, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let waits = may_clean.clone();
    tasks.spawn(async move {
        let (near, _) = listener.accept().await.expect("a call");
        let far = TcpStream::connect(&place).await.expect("the real one");
        let ((mut near_says, mut near), (mut far_says, mut far)) = (near.into_split(), far.into_split());
        let there = async {
            let mut said = vec![0; 64 << 10];
            while let Ok(length @ 1..) = near_says.read(&mut said).await {
                if said[..length].windows(9).any(|words| words == b"CLOSE ALL") {
                    waits.cancelled().await;
                }
                far.write_all(&said[..length]).await.expect("it is heard");
            }
        };
        tokio::join!(there, async { drop(tokio::io::copy(&mut far_says, &mut near).await) });
    });
    (url, may_clean, tasks)
}

#[tokio::test]
async fn a_step_does_not_wait_until_its_connection_is_clean() {
    let databases = databases();
    let (url, may_clean, _tasks) = before_one_that_cleans_late().await;
    let asked = json!({"connection": url, "statement": "SELECT 1 AS n"});
    assert_eq!(ask(&databases, asked).await.expect("it answers")["rows"], json!([{"n": 1}]));
    // Nobody has it before it is as it was.
    assert_eq!(databases.idle(), 0);
    may_clean.cancel();
    idle(&databases, 1).await;
}

#[tokio::test]
async fn types_that_are_nested_too_deep_are_refused() {
    let databases = databases();
    let made = "DO $$BEGIN
        DROP DOMAIN IF EXISTS weft_deep_1 CASCADE;
        CREATE DOMAIN weft_deep_1 AS int;
        FOR n IN 2..150 LOOP EXECUTE format('CREATE DOMAIN weft_deep_%s AS weft_deep_%s', n, n - 1); END LOOP;
        END$$";
    ask(&databases, json!({"statement": made, "writes": true})).await.expect("it may");
    // A domain alone is told as what it is of.
    let shallow = "SELECT ARRAY[7]::weft_deep_9[] AS n";
    assert_eq!(row(shallow, json!([])).await, json!({"n": [7]}));
    for (statement, why) in [
        ("SELECT NULL::weft_deep_30[] AS n", "\"n\" has a type that is nested too deep"),
        ("SELECT $1::weft_deep_30 IS NULL AS n", "\"$1\" has a type that is nested too deep"),
        // The driver is stopped before it has looked at all of them.
        ("SELECT NULL::weft_deep_150[] AS n", "made of too many others"),
        ("SELECT $1::weft_deep_150 IS NULL AS n", "made of too many others"),
    ] {
        let parameters = if statement.contains('$') { json!([null]) } else { json!([]) };
        let asked = json!({"statement": statement, "parameters": parameters});
        let (reason, again, message) = fails(&databases, asked).await;
        assert_eq!((&*reason, again), ("SQL_TYPE", false), "{statement}: {message}");
        assert!(message.contains(why), "{statement}: {message}");
    }
    // A connection that has seen such types is gone, and others are as they were.
    assert_eq!(row(shallow, json!([])).await, json!({"n": [7]}));
}

#[tokio::test]
async fn so_many_steps_share_a_few_connections() {
    let databases = databases();
    let url = format!("{}&application_name=weft-few", server());
    let asked = (0..40).map(|number| {
        let (databases, url) = (databases.clone(), url.clone());
        async move {
            let statement = "SELECT $1::int AS n, pg_sleep(0.02)::text AS s";
            let asked = json!({"connection": url, "statement": statement, "parameters": [number]});
            let given = ask(&databases, asked).await;
            given.expect("it answers")["rows"][0]["n"].as_i64()
        }
    });
    let given = futures::future::join_all(asked).await;
    assert_eq!(given, (0..40).map(Some).collect::<Vec<_>>());
    // None was closed, so that these are all that there were.
    let statement = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'weft-few'";
    let open = row(statement, json!([])).await["n"].as_i64().expect("a number");
    assert!((1..=8).contains(&open), "{open}");
    idle(&databases, usize::try_from(open).expect("a few")).await;
}

#[tokio::test]
async fn what_is_inside_is_not_called_and_nothing_private_is_told() {
    let strict = Databases::new(&[], MOST_BYTES, Lifecycle::new());
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"] {
        let url = format!("postgres://hunter2:hunter3@{host}:5432/hunter4?sslmode=disable");
        let (reason, again, message) =
            fails(&strict, json!({"connection": url, "statement": "SELECT 1"})).await;
        assert_eq!((&*reason, again), ("ADDRESS_REFUSED", false), "{host}");
        assert!(!message.contains("hunter"), "{message}");
    }
    let databases = databases();
    let place = server().split('@').nth(1).expect("a place").replace("/postgres?", "/hunter4?");
    let url = format!("postgres://postgres:hunter3@{place}");
    let (reason, _, message) = fails(&databases, json!({"connection": url, "statement": "SELECT 1"})).await;
    assert!(reason == "SQL_REFUSED" && !message.contains("hunter"), "{reason}: {message}");
    // A password that the database repeats is not in what is told.
    let host = server().split('@').nth(1).expect("a place").to_owned();
    let url = format!("postgres://postgres:hunter3@{host}");
    let says = json!({"connection": url, "statement": "DO $$BEGIN RAISE 'it is hunter3'; END$$"});
    let (_, _, message) = fails(&databases, says).await;
    assert!(message.contains("it is •••"), "{message}");
}

#[tokio::test]
async fn a_server_that_says_it_sends_gigabytes_gets_no_room_for_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serve = async {
        let (mut stream, _) = listener.accept().await.expect("a call");
        let mut heard = [0; 1_024];
        let _ = stream.read(&mut heard).await.expect("a greeting");
        stream.write_all(b"R\xff\xff\xff\xff").await.expect("an answer");
        stream
    };
    let url = format!("postgres://u@{address}/d?sslmode=disable");
    let databases = databases();
    let asked = fails(&databases, json!({"connection": url, "statement": "SELECT 1"}));
    let ((reason, again, _), _stream) = tokio::join!(asked, serve);
    assert_eq!((&*reason, again), ("SQL_UNAVAILABLE", true));
}

/// A server that answers who wants TLS with this; then, where there is a certificate, goes on with the real one.
async fn before_the_real_one(answer: u8, tls: Option<tokio_rustls::TlsAcceptor>) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let place =
        server().split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a place").to_owned();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let (tls, place) = (tls.clone(), place.clone());
            connections.spawn(async move {
                let mut wish = [0; 8];
                near.read_exact(&mut wish).await.expect("a wish");
                near.write_all(&[answer]).await.expect("an answer");
                let Some(tls) = &tls else { return };
                // Fails where the client does not trust us.
                let Ok(mut near) = tls.accept(near).await else { return };
                let mut far = TcpStream::connect(&place).await.expect("the real one");
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    (format!("postgres://postgres@localhost:{port}/postgres?sslmode=require"), tasks)
}

#[tokio::test]
async fn a_server_shows_who_it_is() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (pem, der) = (certified.cert.pem(), certified.cert.der().clone());
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config =
        config.expect("versions").with_no_client_auth().with_single_cert(vec![der], key).expect("a pair");
    let (url, _tasks) = before_the_real_one(b'S', Some(Arc::new(config).into())).await;
    let both: Vec<Network> = ["127.0.0.0/8", "::1/128"].map(|text| text.parse().expect("a network")).into();
    let databases = Databases::new(&both, MOST_BYTES, Lifecycle::new());
    let trusted = json!({"connection": url, "ca": pem, "statement": "SELECT 1 AS n"});
    assert_eq!(ask(&databases, trusted).await.expect("it is who it says")["rows"], json!([{"n": 1}]));
    // Who signed it is not known to the system; and it is the certificate of another name.
    let other = url.replace("localhost", "127.0.0.1");
    for settings in [
        json!({"connection": url, "statement": "SELECT 1"}),
        json!({"connection": other, "ca": pem, "statement": "SELECT 1"}),
    ] {
        let (reason, again, message) = fails(&databases, settings).await;
        assert_eq!((&*reason, again), ("SQL_TLS", false), "{message}");
        assert!(!message.contains("127.0.0.1") && !message.contains("localhost"), "{message}");
    }
    // Whoever asks for TLS gets no plain connection instead.
    let (url, _tasks) = before_the_real_one(b'N', None).await;
    let (reason, _, message) = fails(&databases, json!({"connection": url, "statement": "SELECT 1"})).await;
    assert!(reason == "SQL_TLS" && message.contains("sslmode=disable"), "{reason}: {message}");
}
