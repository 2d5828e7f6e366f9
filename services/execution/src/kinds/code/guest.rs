//! One call of a module: in slices of fuel, so that it can be stopped.

use serde_json::{Value as Json, json};
use wasmi::{
    Error, Store, TrapCode, TypedFunc, TypedResumableCall, WasmParams, WasmResults,
    errors::{ErrorKind, InstantiationError},
};

use super::{
    imports::{Guest, Raised, piece},
    program::Program,
};
use crate::domain::fault::StepError;

/// Fuel until it is asked whether a call should go on. So little, because the worst that one unit can buy is a call whose
/// frame, as large as the stack, must be cleared.
const SLICE: u64 = 50_000;
/// What a start function may take: it cannot be stopped.
const START: u64 = 200_000;
/// What a call may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) fuel: u64,
    /// Bytes.
    pub(super) memory: usize,
}

/// A call in progress.
struct Running<'a> {
    store: Store<Guest>,
    stopped: &'a dyn Fn() -> Option<StepError>,
}

/// Calls a function with a value. `stopped` is asked again and again.
pub(super) fn call(
    program: &Program,
    (function, input): (&str, &Json),
    limits: Limits,
    most_bytes: usize,
    stopped: &dyn Fn() -> Option<StepError>,
) -> Result<Json, StepError> {
    program.takes(function)?;
    let guest = Guest::new(limits.fuel, limits.memory);
    let mut running = Running { store: Store::new(&program.engine, guest), stopped };
    running.store.limiter(|guest| guest);
    let result = running.through(program, (function, input), most_bytes)?;
    let guest = running.store.into_data();
    Ok(json!({"result": result, "log": guest.log, "fuel": limits.fuel - guest.fuel}))
}

impl Running<'_> {
    fn through(
        &mut self,
        program: &Program,
        (function, input): (&str, &Json),
        most_bytes: usize,
    ) -> Result<Json, StepError> {
        let given = self.give(START)?;
        let started = program.linker.instantiate_and_start(&mut self.store, &program.module);
        self.take(given)?;
        let instance = started.map_err(|error| self.failure(&error))?;
        self.store.data_mut().begun = true;
        let export = |error: Error| StepError::new("CODE_MODULE", error.to_string());
        let alloc = instance.get_typed_func::<i32, i32>(&self.store, "alloc").map_err(export)?;
        let called = instance.get_typed_func::<(i32, i32), i64>(&self.store, function).map_err(export)?;
        let memory = instance.get_memory(&self.store, "memory");
        let memory = memory.ok_or_else(|| StepError::new("CODE_MODULE", "the module has no memory"))?;

        let input = serde_json::to_vec(input).map_err(|error| StepError::new("BUG", error.to_string()))?;
        let length = i32::try_from(input.len())
            .map_err(|_| StepError::new("CODE_MEMORY", "what it is given is larger than a memory"))?;
        let at = self.call(alloc, length)?;
        memory.write(&mut self.store, at as u32 as usize, &input).map_err(|_| {
            StepError::new("CODE_RESULT", format!("alloc({length}) gave {at}, which is not so much memory"))
        })?;
        let given = self.call(called, (at, length))? as u64;
        let (at, length) = ((given >> 32) as u32, given as u32);
        if length as usize > most_bytes {
            let problem = format!("what it gives has more than {most_bytes} bytes");
            return Err(StepError::new("VALUE_TOO_LARGE", problem));
        }
        let wrong = |problem: String| StepError::new("CODE_RESULT", problem);
        let result = piece(memory.data(&self.store), at, length)
            .ok_or_else(|| wrong(format!("{length} bytes at {at} are not in the module's memory")))?;
        serde_json::from_slice(result).map_err(|error| wrong(format!("its result is no JSON: {error}")))
    }

    /// Calls a function, slice by slice.
    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        function: TypedFunc<P, R>,
        parameters: P,
    ) -> Result<R, StepError> {
        let mut given = self.give(SLICE)?;
        let mut outcome = function.call_resumable(&mut self.store, parameters);
        loop {
            self.take(given)?;
            let paused = match outcome {
                Ok(TypedResumableCall::Finished(result)) => return Ok(result),
                Ok(TypedResumableCall::HostTrap(raised)) => return Err(self.failure(raised.host_error())),
                Ok(TypedResumableCall::OutOfFuel(paused)) => paused,
                Err(error) => return Err(self.failure(&error)),
            };
            let required = paused.required_fuel();
            if required > self.store.data().fuel {
                return Err(out_of_fuel());
            }
            given = self.give(SLICE.max(required))?;
            outcome = paused.resume(&mut self.store);
        }
    }

    /// Fills up for a slice, unless somebody wants it to end.
    fn give(&mut self, fuel: u64) -> Result<u64, StepError> {
        if let Some(stopped) = (self.stopped)() {
            return Err(stopped);
        }
        let fuel = fuel.min(self.store.data().fuel);
        self.store.set_fuel(fuel).map_err(|error| StepError::new("BUG", error.to_string()))?;
        Ok(fuel)
    }

    /// Takes what a slice has used from what there is.
    fn take(&mut self, given: u64) -> Result<(), StepError> {
        let left = self.store.get_fuel().map_err(|error| StepError::new("BUG", error.to_string()))?;
        let guest = self.store.data_mut();
        guest.fuel = guest.fuel.saturating_sub(given.saturating_sub(left));
        Ok(())
    }

    /// Why a call has failed.
    fn failure(&self, error: &Error) -> StepError {
        if let Some(Raised(raised)) = error.downcast_ref() {
            return raised.clone();
        }
        let reason = match (error.kind(), error.as_trap_code()) {
            (_, Some(TrapCode::OutOfFuel)) => return out_of_fuel(),
            (_, Some(TrapCode::OutOfSystemMemory | TrapCode::GrowthOperationLimited))
            | (ErrorKind::Memory(_) | ErrorKind::Table(_), None)
            | (
                ErrorKind::Instantiation(
                    InstantiationError::FailedToInstantiateMemory(_)
                    | InstantiationError::FailedToInstantiateTable(_)
                    | InstantiationError::TooManyTables,
                ),
                _,
            ) => "CODE_MEMORY",
            (_, Some(_)) if self.store.data().refused => {
                let told = format!("{error}, after it was refused more memory");
                return StepError::new("CODE_MEMORY", told);
            }
            (_, Some(_)) => "CODE_TRAPPED",
            _ => "CODE_MODULE",
        };
        StepError::new(reason, error.to_string())
    }
}

fn out_of_fuel() -> StepError {
    StepError::new("CODE_OUT_OF_FUEL", "it has used up its fuel")
}
