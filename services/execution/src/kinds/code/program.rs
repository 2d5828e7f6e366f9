//! A module that can be called: compiled, and looked at before anything of it runs.

use wasmi::{CompilationMode, Config, EnforcedLimits, Engine, ExternType, FuncType, Linker, Module, ValType};

use super::{
    imports::{self, Guest},
    module,
};
use crate::domain::fault::StepError;

/// Calls inside each other.
const DEEPEST: usize = 1_000;
/// Bytes of locals of all calls inside each other. They are cleared at each call for the price of one instruction, so
/// this also bounds how long a slice of fuel can take.
const STACK: usize = 256 << 10;

/// A compiled module. Its engine is its own, because an engine keeps what was compiled as long as it lives.
pub(super) struct Program {
    pub(super) engine: Engine,
    pub(super) module: Module,
    pub(super) linker: Linker<Guest>,
    /// Bytes of the module.
    pub(super) size: usize,
}

impl Program {
    /// Compiles a module, in the binary format or as text, of at most so many bytes.
    pub(super) fn compile(bytes: &[u8], most: usize) -> Result<Self, StepError> {
        let wrong = |problem: String| StepError::new("CODE_MODULE", problem);
        let too_large = || wrong(format!("the module must have at most {most} bytes"));
        if bytes.len() > most {
            return Err(too_large());
        }
        let binary = module::binary(bytes).map_err(wrong)?;
        if binary.len() > most {
            return Err(too_large());
        }
        let engine = Engine::new(&config());
        let module = Module::new(&engine, &binary).map_err(|error| wrong(error.to_string()))?;
        let linker = imports::linker(&engine).map_err(|error| StepError::new("BUG", error.to_string()))?;
        let program = Self { engine, module, linker, size: binary.len() };
        program.imports()?;
        Ok(program)
    }

    /// Refuses what asks for something that is not there.
    fn imports(&self) -> Result<(), StepError> {
        let given = FuncType::new([ValType::I32; 2], []);
        for import in self.module.imports() {
            let (space, name) = (import.module(), import.name());
            let problem = match import.ty() {
                _ if space != "weft" || !imports::GIVEN.contains(&name) => "there is no such thing",
                ExternType::Func(function) if *function == given => continue,
                _ => "it is a function of two i32",
            };
            let problem = format!("the module imports {space:?} {name:?}: {problem}");
            return Err(StepError::new("CODE_MODULE", problem));
        }
        Ok(())
    }

    /// Whether it exports what a call of a function needs.
    pub(super) fn takes(&self, function: &str) -> Result<(), StepError> {
        let wrong = |problem: String| Err(StepError::new("CODE_MODULE", problem));
        if !matches!(self.module.get_export("memory"), Some(ExternType::Memory(_))) {
            return wrong("the module must export its memory as \"memory\"".to_owned());
        }
        let alloc = FuncType::new([ValType::I32], [ValType::I32]);
        let called = FuncType::new([ValType::I32; 2], [ValType::I64]);
        for (name, needed, told) in
            [("alloc", alloc, "(i32) -> i32"), (function, called, "(i32, i32) -> i64")]
        {
            match self.module.get_export(name) {
                Some(ExternType::Func(found)) if found == needed => {}
                _ => return wrong(format!("the module must export a function {name:?}: {told}")),
            }
        }
        Ok(())
    }
}

/// What is the same for all: nothing is left to the machine, and nothing is without a bound.
fn config() -> Config {
    let mut config = Config::default();
    config
        .consume_fuel(true)
        // Compiled as a whole, so that what a call costs does not depend on the calls before.
        .compilation_mode(CompilationMode::Eager)
        .ignore_custom_sections(true)
        .enforced_limits(EnforcedLimits::strict())
        .set_max_recursion_depth(DEEPEST)
        .set_max_stack_height(STACK)
        .set_max_cached_stacks(1);
    config
}
