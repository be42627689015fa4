//! Recipes for modules of repeated shapes: what compilers are slow at is repetition.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements,
    EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    ImportSection, Instruction, MemorySection, MemoryType, Module, NameMap, NameSection, RefType,
    TableSection, TableType, TypeSection, ValType,
};

/// A module in few words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Locals of each function.
    pub locals: u32,
    /// What locals there are.
    pub type_: Type,
    /// Functions with the same body.
    pub functions: u32,
    /// The body.
    pub body: Vec<Part>,
    /// What else is in the module, and how often.
    pub sections: Vec<(Section, u32)>,
}

/// The type of most locals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Type {
    /// i32.
    Word,
    /// f64.
    Float,
    /// v128.
    Vector,
}

/// A shape, so many times; `inner` stands in its middle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The shape.
    pub shape: Shape,
    /// How often.
    pub count: u32,
    /// How wide, where that has a meaning: targets of a table, say.
    pub width: u32,
    /// What stands in its middle.
    pub inner: Vec<Part>,
}

macro_rules! list {
    ($(#[$meta:meta])* $name:ident { $($item:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum $name { $($item),* }

        impl $name {
            const ALL: &[Self] = &[$(Self::$item),*];
        }
    };
}

list! {
    /// What a part repeats.
    Shape {
        Chain, Step, Select, Constants, Load, FarLoad, Store, Reload, Again, Floats, Divide,
        Convert, Shuffle, Vectors, Call, WideCall, ManyResults, Indirect, Global, Locals, Sum, BrIf,
        Table, Return, Dead, Sequence, Block, Loop, If, Else, Values, Carry, Repeat,
    }
}

list! {
    /// What is repeated outside of functions.
    Section {
        Types, Imports, Exports, Data, Passive, Elements, Globals, Names, Custom, Tables, Empty,
    }
}

impl Recipe {
    /// The shapes in it.
    pub fn label(&self) -> String {
        fn add(parts: &[Part], into: &mut Vec<String>) {
            for part in parts {
                into.push(format!("{:?}", part.shape));
                add(&part.inner, into);
            }
        }
        let mut names = Vec::new();
        add(&self.body, &mut names);
        names.extend(self.sections.iter().map(|(section, _)| format!("{section:?}")));
        names.sort();
        names.dedup();
        names.join("+")
    }

    /// Where a search begins: shapes that optimising is quadratic in.
    pub fn given() -> Vec<Self> {
        let part = |shape, count, width, inner| Part { shape, count, width, inner };
        let blocks = part(Shape::Block, 8000, 1, vec![part(Shape::Table, 60, 4000, vec![])]);
        let bodies = [
            part(Shape::Loop, 4000, 1, vec![]),
            blocks,
            part(Shape::Values, 30_000, 1, vec![]),
            part(Shape::Sequence, 30_000, 1, vec![]),
        ];
        let recipe = |body| Self {
            locals: 8,
            type_: Type::Word,
            functions: 1,
            body: vec![body],
            sections: vec![],
        };
        bodies.map(recipe).into()
    }

    /// A recipe of a shape or two.
    pub fn random(random: &mut ChaCha8Rng) -> Self {
        let mut recipe = Self {
            locals: amount(random, 2000),
            type_: [Type::Word, Type::Float, Type::Vector][random.random_range(0..3)],
            functions: 1,
            body: vec![],
            sections: vec![],
        };
        for _ in 0..random.random_range(1..4) {
            recipe.mutate(random);
        }
        recipe
    }

    /// Changes one thing.
    pub fn mutate(&mut self, random: &mut ChaCha8Rng) {
        match random.random_range(0..16) {
            0 => self.locals = amount(random, 20_000),
            1 => self.type_ = [Type::Word, Type::Float, Type::Vector][random.random_range(0..3)],
            2 => self.functions = amount(random, 100),
            3 => {
                let section = Section::ALL[random.random_range(0..Section::ALL.len())];
                self.sections.push((section, amount(random, 8_000)));
            }
            4 if !self.sections.is_empty() => {
                self.sections.remove(random.random_range(0..self.sections.len()));
            }
            _ => change(&mut self.body, random),
        }
    }

    /// Recipes that are simpler by one thing.
    pub fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut next = self.clone();
            change(&mut next);
            if next != *self {
                all.push(next);
            }
        };
        for at in 0..self.sections.len() {
            add(&|next| _ = next.sections.remove(at));
        }
        for at in 0..self.body.len() {
            add(&|next| _ = next.body.remove(at));
            add(&|next| {
                let part = next.body.remove(at);
                next.body.extend(part.inner);
            });
            for inner in 0..self.body[at].inner.len() {
                add(&|next| _ = next.body[at].inner.remove(inner));
            }
        }
        add(&|next| next.functions = 1);
        add(&|next| next.locals = 1);
        add(&|next| next.type_ = Type::Word);
        all
    }

    fn count(&self, wanted: Section) -> u32 {
        let found = self.sections.iter().filter(|(section, _)| *section == wanted);
        let count: u32 = found.map(|(_, n)| *n).sum();
        // More tables are invalid everywhere.
        if wanted == Section::Tables { count.min(90) } else { count }
    }

    /// The module, whose functions have no more than `size` bytes in all.
    pub fn module(&self, size: usize) -> Vec<u8> {
        let mut body = Body::new(self);
        let end = size / self.functions.max(1) as usize;
        body.parts(&self.body, end);
        body.put(&Instruction::LocalGet(0)).put(&Instruction::End);
        sections(self, &body.function)
    }
}

/// Adds a part somewhere, or changes or takes one.
fn change(parts: &mut Vec<Part>, random: &mut ChaCha8Rng) {
    if parts.is_empty() || random.random_bool(0.25) {
        let part = Part {
            shape: Shape::ALL[random.random_range(0..Shape::ALL.len())],
            count: amount(random, 40_000),
            width: amount(random, 4000),
            inner: vec![],
        };
        return parts.insert(random.random_range(0..=parts.len()), part);
    }
    let at = random.random_range(0..parts.len());
    let part = &mut parts[at];
    match random.random_range(0..8) {
        0 => part.count = amount(random, 40_000),
        1 => part.count = (part.count / 2).max(1),
        2 => part.width = amount(random, 4000),
        3 => part.shape = Shape::ALL[random.random_range(0..Shape::ALL.len())],
        4 => drop(parts.remove(at)),
        5 => {
            let inner = std::mem::replace(part, Part { inner: vec![], ..part.clone() });
            part.shape = Shape::ALL[random.random_range(0..Shape::ALL.len())];
            part.inner = vec![inner];
        }
        _ => change(&mut part.inner, random),
    }
}

/// From 1 to `most`, small and large alike.
fn amount(random: &mut ChaCha8Rng, most: u32) -> u32 {
    let bits = random.random_range(0..=most.ilog2());
    (1 << bits | random.random_range(0..1 << bits)).min(most)
}

/// Types of functions: those of a recipe, one with many parameters, one with many results, and
/// one that changes nothing.
const PLAIN: u32 = 0;
const WIDE: u32 = 1;
const MANY: u32 = 2;
const EMPTY: u32 = 3;
/// Parameters of the one, results of the other.
const WIDTH: usize = 24;
const CARRIED: usize = 8;

struct Body {
    function: Function,
    /// Values that a branch to each block around carries.
    labels: Vec<usize>,
    locals: u32,
    functions: u32,
    /// The index of the first.
    first: u32,
}

impl Body {
    fn new(recipe: &Recipe) -> Self {
        let most = match recipe.type_ {
            Type::Word => ValType::I32,
            Type::Float => ValType::F64,
            Type::Vector => ValType::V128,
        };
        let groups =
            [(recipe.locals, most), (1, ValType::I32), (1, ValType::F64), (1, ValType::V128)];
        Self {
            function: Function::new(groups),
            labels: vec![],
            locals: recipe.locals,
            functions: recipe.functions.max(1),
            first: recipe.count(Section::Imports),
        }
    }

    fn put(&mut self, instruction: &Instruction<'_>) -> &mut Self {
        self.function.instruction(instruction);
        self
    }

    fn parts(&mut self, parts: &[Part], end: usize) {
        for part in parts {
            self.part(part, end);
        }
    }

    fn part(&mut self, part: &Part, end: usize) {
        use Instruction as I;
        let nested = matches!(
            part.shape,
            Shape::Block | Shape::Loop | Shape::If | Shape::Else | Shape::Values | Shape::Carry
        );
        if !nested {
            let turns = |i: u32| if i < part.count { i } else { 2 * part.count - 1 - i };
            let twice = matches!(part.shape, Shape::Again | Shape::Reload);
            for i in 0..part.count * if twice { 2 } else { 1 } {
                let len = self.function.byte_len();
                if len > end {
                    return;
                }
                self.once(part, turns(i), end);
                if self.function.byte_len() == len {
                    return;
                }
            }
            return;
        }
        if let Shape::Carry = part.shape {
            (0..CARRIED).for_each(|_| _ = self.put(&I::LocalGet(0)));
        }
        let mut open = 0;
        while open < part.count && self.function.byte_len() < end {
            self.open(part.shape, open);
            open += 1;
        }
        self.parts(&part.inner, end);
        for i in 0..open {
            self.close(part.shape, i);
        }
        if let Shape::Carry = part.shape {
            (0..CARRIED).for_each(|_| _ = self.put(&I::Drop));
        }
    }

    fn open(&mut self, shape: Shape, i: u32) {
        use Instruction as I;
        let ty = BlockType::Empty;
        let get = I::LocalGet(0);
        match shape {
            Shape::Block => self.put(&I::Block(ty)),
            Shape::Loop => self.put(&I::Loop(ty)),
            Shape::If | Shape::Else => self.put(&get).put(&I::If(ty)),
            Shape::Values => self.put(&get).put(&I::I32Const(i as i32)).put(&I::I32Mul),
            _ => self.put(&I::Block(BlockType::FunctionType(MANY))),
        };
        match shape {
            Shape::Values => {}
            Shape::Carry => self.labels.push(CARRIED),
            _ => self.labels.push(0),
        }
    }

    fn close(&mut self, shape: Shape, i: u32) {
        use Instruction as I;
        let (get, set) = (I::LocalGet(0), I::LocalSet(0));
        if let Shape::Values = shape {
            self.put(&get).put(&I::I32Xor).put(&set);
            return;
        }
        match shape {
            Shape::Loop => {
                self.put(&get).put(&I::I32Const(i as i32)).put(&I::I32LtU).put(&I::BrIf(0));
            }
            Shape::Else => {
                self.put(&I::Else).put(&get).put(&I::I32Const(i as i32)).put(&I::I32Add).put(&set);
            }
            Shape::Carry => {
                self.put(&get).put(&I::BrIf(0));
            }
            _ => {}
        }
        self.put(&I::End);
        self.labels.pop();
    }

    /// One turn of a shape that leaves the operand stack as it is.
    fn once(&mut self, part: &Part, i: u32, end: usize) {
        use Instruction as I;
        let (get, set, constant) = (I::LocalGet(0), I::LocalSet(0), I::I32Const(i as i32));
        let first = 1 + self.locals;
        let (spare, float, vector) = (first, first + 1, first + 2);
        let at = |offset: u64, align| wasm_encoder::MemArg { offset, align, memory_index: 0 };
        match part.shape {
            Shape::Chain => self.put(&get).put(&constant).put(&I::I32Add).put(&set),
            Shape::Step => self.put(&get).put(&I::I32Const(1)).put(&I::I32Add).put(&set),
            Shape::Select => {
                self.put(&get).put(&I::LocalGet(spare)).put(&get).put(&I::Select);
                self.put(&I::LocalSet(spare))
            }
            Shape::Constants => {
                let value = i64::from(i).wrapping_mul(0x1e37_79b9_7f4a_7c15);
                self.put(&I::I64Const(value)).put(&I::I32WrapI64).put(&I::LocalSet(spare))
            }
            Shape::Load => self.put(&get).put(&I::I32Load(at(u64::from(i), 0))).put(&set),
            Shape::FarLoad => {
                let offset = 0xffff_0000 + u64::from(i % 0x8000);
                self.put(&get).put(&I::I32Load(at(offset, 0))).put(&set)
            }
            Shape::Store => self.put(&constant).put(&get).put(&I::I32Store(at(0, 0))),
            Shape::Reload => {
                self.put(&get).put(&constant).put(&I::I32Load(at(0, 0))).put(&I::I32Xor).put(&set)
            }
            Shape::Again => {
                self.put(&constant).put(&I::LocalGet(spare)).put(&constant).put(&I::I32Mul);
                self.put(&I::I32Store(at(0, 0)))
            }
            Shape::Floats => {
                self.put(&I::LocalGet(float)).put(&I::F64Const(f64::from(i).into()));
                self.put(&I::F64Mul).put(&I::LocalSet(float))
            }
            Shape::Divide => self.put(&get).put(&I::LocalGet(spare)).put(&I::I32DivS).put(&set),
            Shape::Convert => {
                self.put(&I::LocalGet(float)).put(&I::I64TruncSatF64U).put(&I::F64ConvertI64U);
                self.put(&I::LocalSet(float))
            }
            Shape::Shuffle => {
                let lanes = std::array::from_fn(|lane| ((lane as u32 * 7 + i) % 32) as u8);
                self.put(&I::LocalGet(vector)).put(&I::LocalGet(vector));
                self.put(&I::I8x16Shuffle(lanes)).put(&I::LocalSet(vector))
            }
            Shape::Vectors => {
                let value = i128::from(i) * 0x0123_4567_89ab_cdef_fedc_ba98;
                self.put(&I::LocalGet(vector)).put(&I::V128Const(value)).put(&I::V128Xor);
                self.put(&I::LocalSet(vector))
            }
            Shape::Call => {
                let callee = self.first + i % self.functions;
                self.put(&get).put(&I::Call(callee)).put(&set)
            }
            Shape::WideCall => {
                (0..WIDTH).for_each(|_| _ = self.put(&get));
                self.put(&I::Call(self.first + self.functions)).put(&set)
            }
            Shape::ManyResults => {
                (0..CARRIED).for_each(|_| _ = self.put(&get));
                self.put(&I::Call(self.first + self.functions + 1));
                (1..CARRIED).for_each(|_| _ = self.put(&I::I32Add));
                self.put(&set)
            }
            Shape::Indirect => {
                let call = I::CallIndirect { type_index: PLAIN, table_index: 0 };
                self.put(&get).put(&get).put(&call).put(&set)
            }
            Shape::Global => {
                self.put(&get).put(&I::GlobalSet(i % 4)).put(&I::GlobalGet(0)).put(&set)
            }
            Shape::Locals => {
                let local = 1 + i % self.locals;
                self.put(&I::LocalGet(1 + (i + 1) % self.locals)).put(&I::LocalSet(local))
            }
            Shape::Sum => self.sum(i),
            Shape::BrIf => self.br_if(i),
            Shape::Table => self.table(part.width, i),
            Shape::Return => {
                self.put(&get).put(&I::If(BlockType::Empty)).put(&get).put(&I::Return).put(&I::End)
            }
            Shape::Dead => {
                self.put(&I::Block(BlockType::Empty)).put(&I::Br(0));
                self.put(&get).put(&constant).put(&I::I32Add).put(&set).put(&I::End)
            }
            Shape::Sequence => {
                self.put(&I::Block(BlockType::Empty));
                self.labels.push(0);
                self.parts(&part.inner, end);
                self.put(&get).put(&I::I32Const(1)).put(&I::I32Add).put(&set).put(&I::End);
                self.labels.pop();
                self
            }
            _ => {
                self.parts(&part.inner, end);
                self
            }
        };
    }

    /// Adds a constant to a local, if locals are words.
    fn sum(&mut self, i: u32) -> &mut Self {
        use Instruction as I;
        let spare = 1 + self.locals;
        self.put(&I::LocalGet(spare)).put(&I::I32Const(i as i32)).put(&I::I32Mul);
        self.put(&I::LocalTee(0)).put(&I::LocalGet(0)).put(&I::I32Add).put(&I::LocalSet(spare))
    }

    /// Labels that carry nothing, from the innermost.
    fn free(&self) -> Vec<u32> {
        let inner = self.labels.iter().rev().zip(0..);
        inner.filter(|(carried, _)| **carried == 0).map(|(_, label)| label).collect()
    }

    fn br_if(&mut self, i: u32) -> &mut Self {
        use Instruction as I;
        // What a loop is worth is bounded elsewhere; here only the shape counts.
        let free = self.free();
        match free.get(i as usize % free.len().max(1)) {
            Some(label) => self.put(&I::LocalGet(0)).put(&I::BrIf(*label)),
            None => self.put(&I::LocalGet(0)).put(&I::Drop),
        }
    }

    /// A `br_table`, to as many different labels as there are.
    fn table(&mut self, width: u32, i: u32) -> &mut Self {
        use Instruction as I;
        self.put(&I::Block(BlockType::Empty));
        self.labels.push(0);
        let free = self.free();
        let targets: Vec<u32> = (0..width).map(|at| free[(at + i) as usize % free.len()]).collect();
        self.put(&I::LocalGet(0)).put(&I::BrTable(Cow::Owned(targets), 0)).put(&I::End);
        self.labels.pop();
        self
    }
}

fn sections(recipe: &Recipe, function: &Function) -> Vec<u8> {
    let count = |section| recipe.count(section);
    let functions = recipe.functions.max(1);
    let imported = count(Section::Imports);
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32; WIDTH], [ValType::I32]);
    types.ty().function([ValType::I32; CARRIED], [ValType::I32; CARRIED]);
    types.ty().function([], []);
    for i in 0..count(Section::Types) {
        let bit = |at: u32| if i >> at & 1 == 1 { ValType::I64 } else { ValType::F32 };
        types.ty().function((0..16).map(bit), []);
    }
    let mut imports = ImportSection::new();
    for i in 0..imported {
        imports.import("m", &format!("f{i}"), EntityType::Function(PLAIN));
    }
    let mut declared = FunctionSection::new();
    let mut code = CodeSection::new();
    for _ in 0..functions {
        declared.function(PLAIN);
        code.function(function);
    }
    for (ty, results) in [(WIDE, 1), (MANY, CARRIED as u32)] {
        declared.function(ty);
        let mut callee = Function::new([]);
        (0..results).for_each(|i| _ = callee.instruction(&Instruction::LocalGet(i)));
        code.function(callee.instruction(&Instruction::End));
    }
    for _ in 0..count(Section::Empty) {
        declared.function(EMPTY);
        code.function(Function::new([]).instruction(&Instruction::End));
    }
    let mut tables = TableSection::new();
    let (table64, shared, maximum) = (false, false, None);
    for _ in 0..1 + count(Section::Tables) {
        let element_type = RefType::FUNCREF;
        tables.table(TableType { element_type, table64, minimum: 16, maximum, shared });
    }
    let mut memory = MemorySection::new();
    let memory64 = false;
    memory.memory(MemoryType { minimum: 64, maximum, memory64, shared, page_size_log2: None });
    let mut globals = GlobalSection::new();
    for _ in 0..4 + count(Section::Globals) {
        globals.global(global(), &ConstExpr::i32_const(1));
    }
    let mut exports = ExportSection::new();
    for i in 0..1 + count(Section::Exports) {
        exports.export(&format!("e{i}"), ExportKind::Func, imported + i % functions);
    }
    let mut elements = ElementSection::new();
    for i in 0..count(Section::Elements) {
        let at = ConstExpr::i32_const((i % 16) as i32);
        elements.active(None, &at, Elements::Functions(vec![imported + i % functions].into()));
    }
    let mut data = DataSection::new();
    for i in 0..count(Section::Data) {
        data.active(0, &ConstExpr::i32_const((i.wrapping_mul(977) % (60 << 16)) as i32), *b"data");
    }
    (0..count(Section::Passive)).for_each(|_| _ = data.passive(*b"passive"));
    let mut names = NameMap::new();
    (0..count(Section::Names).min(functions + 2 + count(Section::Empty)))
        .for_each(|i| names.append(i, &"name".repeat(1 + i as usize % 16)));
    let mut all_names = NameSection::new();
    all_names.functions(&names);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&declared).section(&tables).section(&memory);
    module.section(&globals).section(&exports).section(&elements).section(&code).section(&data);
    for i in 0..count(Section::Custom) {
        let data = Cow::Borrowed(&b"custom"[..]);
        module.section(&CustomSection { name: format!("c{i}").into(), data });
    }
    module.section(&all_names);
    module.finish()
}

fn global() -> GlobalType {
    GlobalType { val_type: ValType::I32, mutable: true, shared: false }
}
