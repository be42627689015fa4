//! Turns a module into one that does the same, and counts what it does.
//!
//! Each function with a body has a global of its own, exported as [`counter`] says, to which each entry
//! and each round of a loop of its adds one. So a profile is exact: two runs count the same, on any
//! machine and engine.
//!
//! The rule not to break: functions keep their indices, and nothing that was in the module changes its
//! place.

use crate::{error::CompileError, module, options::Options, parse};
use std::{convert::Infallible, ops::Range};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType,
    Instruction, Module, SectionId, ValType,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{
    CustomSectionReader, ExportSectionReader, FunctionBody, GlobalSectionReader, Operator, Parser,
};

type Done = Result<(), Error<Infallible>>;

/// What the names of counters begin with.
const COUNTER: &str = "lithify count ";

/// What the counter of the function of that index is exported as, an i64.
pub fn counter(index: u32) -> String {
    format!("{COUNTER}{index}")
}

/// `wasm`, a module for `options`, with counters.
///
/// # Errors
///
/// Where the module is not valid, or has an export that is called like a counter.
pub fn counting(wasm: &[u8], options: &Options) -> Result<Vec<u8>, CompileError> {
    let mut counting = parse::parse(wasm, options, |module| {
        for (index, body) in module.defined() {
            let validated = body.validator(Default::default()).validate(&body.body);
            validated.map_err(|error| CompileError::from(error).in_function(index))?;
        }
        Counting::new(&module)
    })?;
    let mut module = Module::new();
    match counting.parse_core_module(&mut module, Parser::new(0), wasm) {
        Ok(()) => Ok(module.finish()),
        Err(Error::ParseError(error)) => Err(error.into()),
        Err(error) => Err(CompileError::Object(error.to_string())),
    }
}

struct Counting {
    /// Indices of the functions that count.
    functions: Range<u32>,
    /// Globals of the module; the counters come behind them.
    globals: u32,
    /// The function whose body is next.
    next: u32,
    globals_done: bool,
    exports_done: bool,
}

impl Counting {
    fn new(module: &module::Module<'_>) -> Result<Self, CompileError> {
        let imported = module.imported_functions.len() as u32;
        let functions = imported..module.functions.len() as u32;
        let taken = module.exports.iter().find(|export| export.name.starts_with(COUNTER));
        if let Some(export) = taken {
            let message = format!("export {:?} is called like a counter", export.name);
            return Err(CompileError::Invalid { offset: 0, func: None, message });
        }
        let globals = module.globals.len() as u32;
        Ok(Self { next: imported, functions, globals, globals_done: false, exports_done: false })
    }

    fn counters(&mut self, globals: &mut GlobalSection) {
        let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        self.functions.clone().for_each(|_| _ = globals.global(ty, &ConstExpr::i64_const(0)));
        self.globals_done = true;
    }

    fn exports(&mut self, exports: &mut ExportSection) {
        for (index, global) in self.functions.clone().zip(self.globals..) {
            exports.export(&counter(index), ExportKind::Global, global);
        }
        self.exports_done = true;
    }
}

/// Where a section is among those that may have to be added.
fn rank(section: Option<SectionId>) -> u8 {
    match section {
        Some(
            SectionId::Custom
            | SectionId::Type
            | SectionId::Import
            | SectionId::Function
            | SectionId::Table
            | SectionId::Memory
            | SectionId::Tag,
        ) => 0,
        Some(SectionId::Global) => 1,
        Some(SectionId::Export) => 2,
        _ => 3,
    }
}

impl Reencode for Counting {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Done {
        utils::parse_global_section(self, globals, section)?;
        self.counters(globals);
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Done {
        utils::parse_export_section(self, exports, section)?;
        self.exports(exports);
        Ok(())
    }

    /// As it is, also where a reader would not understand it.
    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: CustomSectionReader<'_>,
    ) -> Done {
        module.section(&utils::custom_section(self, section));
        Ok(())
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Done {
        if !self.globals_done && rank(before) > 1 {
            let mut globals = GlobalSection::new();
            self.counters(&mut globals);
            module.section(&globals);
        }
        if !self.exports_done && rank(before) > 2 {
            let mut exports = ExportSection::new();
            self.exports(&mut exports);
            module.section(&exports);
        }
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Done {
        let counter = self.globals + (self.next - self.functions.start);
        self.next += 1;
        let count = |function: &mut Function| {
            function
                .instruction(&Instruction::GlobalGet(counter))
                .instruction(&Instruction::I64Const(1))
                .instruction(&Instruction::I64Add)
                .instruction(&Instruction::GlobalSet(counter));
        };
        let mut function = utils::new_function_with_parsed_locals(self, &body)?;
        count(&mut function);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let is_loop = matches!(operator, Operator::Loop { .. });
            function.instruction(&self.instruction(operator)?);
            if is_loop {
                count(&mut function);
            }
        }
        code.function(&function);
        Ok(())
    }
}
