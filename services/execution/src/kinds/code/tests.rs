//! What modules can do, and what they cannot: written as text, run as they are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{
    guest::Limits,
    program::Program,
    sandbox::{Binary, Sandbox},
};
use crate::{Options, domain::fault::StepError};

const PLENTY: Limits = Limits { fuel: 10_000_000, memory: 16 << 20 };

/// A module that gives out its memory from 4096 on, and whose `run` has this body.
fn module(body: &str) -> String {
    format!(
        r#"(module
            (import "weft" "log" (func $log (param i32 i32)))
            (import "weft" "fail" (func $fail (param i32 i32)))
            (memory (export "memory") 2)
            (data (i32.const 16) "[1,2,3]")
            (data (i32.const 32) "out of paper")
            (global $next (mut i32) (i32.const 4096))
            (func (export "alloc") (param $length i32) (result i32)
              (global.get $next)
              (global.set $next (i32.add (global.get $next) (local.get $length))))
            (func $run (export "run") (param $at i32) (param $length i32) (result i64)
              (local $n i32)
              {body}))"#
    )
}

/// Gives a piece of memory as the result.
fn gives(at: i64, length: i64) -> String {
    format!("(i64.or (i64.shl (i64.const {at}) (i64.const 32)) (i64.const {length}))")
}

/// Gives what it is given.
const ECHO: &str = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))";

fn called(module: &str, input: &Json, limits: Limits) -> Result<Json, StepError> {
    let program = Program::compile(module.as_bytes(), 4 << 20)?;
    super::guest::call(&program, ("run", input), limits, 1 << 20, &|| None)
}

#[track_caller]
fn fails(module: &str, reason: &str) -> String {
    let error = called(module, &Json::Null, PLENTY).expect_err("it must fail");
    assert_eq!(error.reason, reason, "{}", error.message);
    assert!(!error.again, "the same again gives the same");
    error.message
}

#[test]
fn a_module_gets_json_and_gives_json() {
    let input = json!({"list": [1, 2.5, "ä"], "none": null});
    let given = called(&module(ECHO), &input, PLENTY).unwrap();
    assert_eq!(given["result"], input);
    assert_eq!(called(&module(&gives(16, 7)), &json!(0), PLENTY).unwrap()["result"], json!([1, 2, 3]));
}

#[test]
fn the_same_input_costs_the_same_fuel() {
    let count = "(loop $again (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 300000))))";
    let code = module(&format!("{count} {}", gives(16, 7)));
    let first = called(&code, &json!(1), PLENTY).unwrap();
    // Over many slices, and there is no clock in it: also where there is much more fuel.
    assert!(first["fuel"].as_u64().unwrap() > 300_000, "{first}");
    let more = Limits { fuel: 5_000_000_000, ..PLENTY };
    assert_eq!(called(&code, &json!(1), more).unwrap(), first);
    // The least that it takes is what it says, and less is too little.
    let enough = Limits { fuel: first["fuel"].as_u64().unwrap(), ..PLENTY };
    assert_eq!(called(&code, &json!(1), enough).unwrap(), first);
    let less = Limits { fuel: enough.fuel - 1, ..PLENTY };
    assert_eq!(called(&code, &json!(1), less).unwrap_err().reason, "CODE_OUT_OF_FUEL");
}

#[test]
fn no_number_is_told_from_another_by_its_bits() {
    // 0/0 has the same bits on every machine.
    let code = module(
        "(i32.store (i32.const 16) (i32.const 0x20202020))
         (i32.store8 (i32.const 16) (i32.add (i32.const 48) (i32.shr_u (i32.reinterpret_f32
           (f32.div (f32.const 0) (f32.const 0))) (i32.const 31))))
         (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const 4))",
    );
    assert_eq!(called(&code, &Json::Null, PLENTY).unwrap()["result"], json!(0));
}

#[test]
fn a_module_can_say_why_it_fails() {
    let code = module("(call $fail (i32.const 32) (i32.const 12)) (i64.const 0)");
    assert_eq!(fails(&code, "CODE_FAILED"), "out of paper");
    let outside = module("(call $fail (i32.const 131000) (i32.const 1000)) (i64.const 0)");
    fails(&outside, "CODE_RESULT");
    let negative = module("(call $log (i32.const -1) (i32.const -1)) (i64.const 0)");
    fails(&negative, "CODE_RESULT");
}

#[test]
fn a_log_is_kept_and_ends_somewhere() {
    let code = module(&format!("(call $log (i32.const 32) (i32.const 12)) {}", gives(16, 7)));
    assert_eq!(called(&code, &Json::Null, PLENTY).unwrap()["log"], json!(["out of paper"]));
    let much = "(loop $again (call $log (i32.const 0) (i32.const 1000))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 100000))))";
    let code = module(&format!("{much} {}", gives(16, 7)));
    let kept = called(&code, &Json::Null, PLENTY).unwrap();
    let kept: usize = kept["log"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().len()).sum();
    assert!((15_000..=16_384).contains(&kept), "{kept}");
}

#[test]
fn results_that_are_none_are_refused() {
    for (at, length) in [(131_072, 1), (131_071, 2), (0xffff_ffff, 100), (16, 200_000)] {
        fails(&module(&gives(at, length)), "CODE_RESULT");
    }
    // No JSON, no UTF-8, nothing at all.
    fails(&module(&gives(17, 5)), "CODE_RESULT");
    fails(
        &module(&format!("(i32.store (i32.const 0) (i32.const 0x22ff8022)) {}", gives(0, 4))),
        "CODE_RESULT",
    );
    fails(&module("(i64.const 0)"), "CODE_RESULT");
    fails(&module(&gives(0, 0xffff_ffff)), "VALUE_TOO_LARGE");
    fails(&module("(i64.const -1)"), "VALUE_TOO_LARGE");
}

#[test]
fn memory_has_an_end() {
    let grow = |pages: i64| module(&format!("(drop (memory.grow (i32.const {pages}))) {}", gives(16, 7)));
    called(&grow(254), &Json::Null, PLENTY).unwrap();
    // More is refused, as WebAssembly has it: with -1. What ends because of it says so.
    let refused = |pages: i64| {
        module(&format!(
            "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable)) {}",
            gives(16, 7)
        ))
    };
    called(&grow(255), &Json::Null, PLENTY).unwrap();
    called(&refused(254), &Json::Null, PLENTY).unwrap();
    fails(&refused(255), "CODE_MEMORY");
    fails(&refused(65_000), "CODE_MEMORY");
    let bomb = module("(loop $again (drop (memory.grow (i32.const 1))) (br $again)) (i64.const 0)");
    fails(&bomb, "CODE_OUT_OF_FUEL");
    let declared = module(&gives(16, 7)).replace("(export \"memory\") 2", "(export \"memory\") 65536");
    fails(&declared, "CODE_MEMORY");
    let two = module(&gives(16, 7)).replace("(data (i32.const 16)", "(memory 1) (data (i32.const 16)");
    fails(&two, "CODE_MODULE");
}

#[test]
fn what_it_is_given_goes_where_there_is_memory_for_it() {
    let text = "x".repeat(200_000);
    let error = called(&module(ECHO), &json!(text), PLENTY).unwrap_err();
    assert_eq!(error.reason, "CODE_RESULT", "{}", error.message);
    let nowhere = module(ECHO).replace("(global.get $next)\n", "(i32.const -1)\n");
    fails(&nowhere, "CODE_RESULT");
}

#[test]
fn tables_have_an_end_and_do_not_grow() {
    let with = |table: &str, body: &str| {
        module(body).replace("(memory (export", &format!("(table $t {table} funcref) (memory (export"))
    };
    called(&with("1000", &gives(16, 7)), &Json::Null, PLENTY).unwrap();
    fails(&with("9000000", &gives(16, 7)), "CODE_MEMORY");
    let grow = format!(
        "(if (i32.eq (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable)) {}",
        gives(16, 7)
    );
    fails(&with("10", &grow), "CODE_MEMORY");
    let many = "(table 100000 funcref)".repeat(50);
    fails(
        &module(&gives(16, 7)).replace("(memory (export", &format!("{many} (memory (export")),
        "CODE_MEMORY",
    );
}

#[test]
fn traps_are_failures() {
    fails(&module("(unreachable)"), "CODE_TRAPPED");
    fails(&module("(i64.load (i32.const -8))"), "CODE_TRAPPED");
    fails(&module("(i64.div_u (i64.const 1) (i64.extend_i32_u (local.get $n)))"), "CODE_TRAPPED");
    fails(&module("(call $run (local.get $at) (local.get $length))"), "CODE_TRAPPED");
    let endless = module("(loop $again (br $again)) (i64.const 0)");
    fails(&endless, "CODE_OUT_OF_FUEL");
}

#[test]
fn a_start_function_cannot_hold_it_up() {
    let start = |body: &str| {
        module(ECHO).replace(
            "(func (export \"alloc\")",
            &format!("(start $s) (func $s {body}) (func (export \"alloc\")"),
        )
    };
    called(&start("(global.set $next (i32.const 8192))"), &json!(1), PLENTY).unwrap();
    let begun = Instant::now();
    fails(&start("(loop $again (br $again))"), "CODE_OUT_OF_FUEL");
    fails(&start("(unreachable)"), "CODE_TRAPPED");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_module_gets_nothing_that_it_asks_for() {
    let asks = |import: &str| module(ECHO).replacen("(module", &format!("(module (import {import})"), 1);
    for import in [
        r#""env" "now" (func (result i64))"#,
        r#""wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))"#,
        r#""weft" "read" (func (param i32 i32))"#,
        r#""weft" "log" (func (param i64))"#,
        r#""weft" "log" (global i32)"#,
        r#""weft" "log" (table 1 funcref)"#,
    ] {
        let message = fails(&asks(import), "CODE_MODULE");
        assert!(message.starts_with("the module imports"), "{message}");
    }
}

#[test]
fn a_module_that_is_none_is_refused() {
    for (bytes, why) in [
        (&b"\0asm\x02\0\0\0"[..], "version"),
        (b"\0asm\x01\0\0", "header"),
        (b"", "nothing"),
        (b"(module (func", "text"),
        (b"(module (func (result i32) (i64.const 1)))", "type"),
        (b"(\xff\xff)", "utf-8"),
    ] {
        let error = Program::compile(bytes, 1 << 20).err().expect(why);
        assert_eq!(error.reason, "CODE_MODULE", "{why}");
    }
    let deep = format!("(module (func {} {}))", "(block ".repeat(30_000), ")".repeat(30_000));
    drop(Program::compile(deep.as_bytes(), 1 << 20));
    let deep = format!("(module {}", "(".repeat(60_000));
    assert!(Program::compile(deep.as_bytes(), 1 << 20).is_err());
    let large = format!("(module (memory 1) (data \"{}\"))", "x".repeat(70_000));
    assert_eq!(Program::compile(large.as_bytes(), 64 << 10).err().unwrap().reason, "CODE_MODULE");
    let many = format!("(module {})", "(func)".repeat(20_000));
    assert_eq!(Program::compile(many.as_bytes(), 1 << 20).err().unwrap().reason, "CODE_MODULE");
}

#[test]
fn what_a_call_needs_must_be_exported() {
    let whole = module(ECHO);
    for (name, other) in [("\"memory\"", "\"m\""), ("\"alloc\"", "\"a\""), ("\"run\"", "\"r\"")] {
        let message = fails(&whole.replace(name, other), "CODE_MODULE");
        assert!(message.contains(name.trim_matches('"')), "{message}");
    }
    let other =
        whole.replace("(param $length i32) (result i32)", "(param $length i32) (param i32) (result i32)");
    fails(&other, "CODE_MODULE");
}

/// A sandbox that lets a call go on for so long.
fn sandbox(timeout: Duration) -> Sandbox {
    let options = Options {
        code_timeout: timeout,
        code_max_fuel: 1_000_000_000_000,
        code_max_memory: 64 << 20,
        ..Options::default()
    };
    Sandbox::new(&options)
}

fn binary(code: &str) -> Binary {
    Binary::of(Bytes::copy_from_slice(code.as_bytes()))
}

/// Bodies that take as long as they can with a slice of fuel.
fn slow() -> [String; 3] {
    let locals = "i64 ".repeat(10_000);
    [
        module("(loop $again (br $again)) (i64.const 0)"),
        module(
            "(loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072)) (br $again)) (i64.const 0)",
        ),
        module("(loop $again (call $large) (br $again)) (i64.const 0)")
            .replace("(func $run", &format!("(func $large (local {locals}) nop) (func $run")),
    ]
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_ends() {
    let sandbox = sandbox(Duration::from_mins(5));
    for code in slow() {
        let limits = Limits { fuel: u64::MAX, memory: usize::MAX };
        let request = Arc::new(json!({"function": "run", "input": null}));
        let call = sandbox.run(binary(&code), request, limits);
        tokio::time::timeout(Duration::from_millis(300), call).await.expect_err("it has no end");
        let left = Instant::now();
        sandbox.is_idle().await;
        assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
    }
}

#[tokio::test]
async fn a_call_that_takes_too_long_ends() {
    let sandbox = sandbox(Duration::from_millis(200));
    for code in slow() {
        let request = Arc::new(json!({"function": "run", "input": null}));
        let limits = Limits { fuel: u64::MAX, memory: usize::MAX };
        let begun = Instant::now();
        let error = sandbox.run(binary(&code), request, limits).await.unwrap_err();
        assert_eq!(error.reason, "TIMEOUT", "{}: {}", error.message, &code[code.len() - 200..]);
        assert!(error.again);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn limits_are_never_above_those_of_the_mesh() {
    let options = Options { code_max_fuel: 1_000, code_max_memory: 128 << 10, ..Options::default() };
    let sandbox = Sandbox::new(&options);
    let request = Arc::new(json!({"function": "run", "input": 1}));
    let limits = Limits { fuel: u64::MAX, memory: usize::MAX };
    let given = sandbox.run(binary(&module(ECHO)), Arc::clone(&request), limits).await.unwrap();
    assert_eq!(given["result"], json!(1));
    let endless = module("(loop $again (br $again)) (i64.const 0)");
    let error = sandbox.run(binary(&endless), Arc::clone(&request), limits).await.unwrap_err();
    assert_eq!(error.reason, "CODE_OUT_OF_FUEL");
    let grows =
        module("(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) (i64.const 0)");
    let error = sandbox.run(binary(&grows), request, limits).await.unwrap_err();
    assert_eq!(error.reason, "CODE_MEMORY");
}

#[tokio::test]
async fn of_many_calls_as_many_run_as_there_are_cores() {
    let sandbox = sandbox(Duration::from_mins(1));
    let ended = AtomicBool::new(false);
    let calls = (0..200).map(|n| {
        let request = Arc::new(json!({"function": "run", "input": n}));
        sandbox.run(binary(&module(ECHO)), request, PLENTY)
    });
    let watched = async {
        while !ended.load(Ordering::Relaxed) {
            assert!(sandbox.running() <= std::thread::available_parallelism().unwrap().get());
            tokio::task::yield_now().await;
        }
    };
    let all = async {
        let given = futures::future::join_all(calls).await;
        ended.store(true, Ordering::Relaxed);
        given
    };
    let (given, ()) = tokio::join!(all, watched);
    for (n, given) in given.into_iter().enumerate() {
        assert_eq!(given.unwrap()["result"], json!(n));
    }
    assert_eq!(sandbox.compiled(), 1);
}

/// The binary of a module, with bytes in it that nobody reads.
fn padded(code: &str, bytes: u32) -> Bytes {
    let mut binary = wat::parse_str(code).unwrap();
    // A custom section: its length in LEB128, padded to five bytes, and a name of no bytes.
    let length = bytes + 1;
    let digits = (0..5).map(|at| ((length >> (7 * at)) & 0x7f) as u8 | if at < 4 { 0x80 } else { 0 });
    binary.push(0);
    binary.extend(digits);
    binary.resize(binary.len() + length as usize, 0);
    binary.into()
}

#[tokio::test]
async fn the_largest_modules_are_kept_as_small_ones_are() {
    let sandbox = sandbox(Duration::from_mins(1));
    let request = Arc::new(json!({"function": "run", "input": 1}));
    for bytes in [0, 1 << 20, 3 << 20, (4 << 20) - 1_000] {
        let large = Binary::of(padded(&module(ECHO), bytes));
        let digest = large.digest;
        assert!(!sandbox.has(&digest));
        assert_eq!(sandbox.run(large, Arc::clone(&request), PLENTY).await.unwrap()["result"], json!(1));
        assert!(sandbox.has(&digest), "{bytes}");
    }
}
