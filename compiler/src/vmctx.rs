//! Where the things of a module lie at run time: globals, tables, function references.
//!
//! Decided once, before any code is generated, from the module alone. The translator reads it to
//! emit accesses, `metadata.rs` to tell the runtime.

use crate::allocator::HeapCall;
use crate::module::{ConstExpr, Import, ImportKind, Module, SegmentMode};
use lithify_abi::{heap::Heap, types::ValType, vmctx};
use std::collections::HashMap;

/// Places of a module.
pub struct Layout {
    /// By global index.
    pub globals: Vec<GlobalPlace>,
    /// By table index.
    pub tables: Vec<TablePlace>,
    /// Functions that references can name: positions are those of their records.
    pub func_records: Vec<u32>,
    /// Position in `func_records` by function index.
    pub record_of: HashMap<u32, u32>,
    /// Offset from `base` of the second result of a function; the next ones follow at
    /// [`vmctx::VALUE_SLOT`] distance.
    pub return_area: i32,
    /// The heap, where compiled code has a part in it.
    pub heap: Option<HeapPlace>,
    /// Bytes of vmctx below `base`.
    pub vmctx_size: u32,
}

/// Where a global lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalPlace {
    /// Nowhere: it is this constant.
    Const(u128),
    /// In the vmctx, at this offset from `base`.
    Slot(i32),
}

/// Where a table lies.
pub enum TablePlace {
    /// In read-only data, as the functions it holds.
    ReadOnly(Vec<Option<u32>>),
    /// In memory of the instance; its record is at this offset from `base`.
    Mutable(i32),
}

/// The host's heap as compiled code sees it.
#[derive(Clone, Copy)]
pub struct HeapPlace {
    /// Offset of its [`Heap`] record from `base`.
    pub record: i32,
    /// The imports that allocate and free: function indices.
    pub imports: [u32; 2],
}

impl HeapPlace {
    /// The function index of the import behind `call`.
    pub fn import(&self, call: HeapCall) -> u32 {
        self.imports[call as usize]
    }

    /// The call that imported function `index` is.
    pub fn call(&self, index: u32) -> Option<HeapCall> {
        HeapCall::ALL.iter().copied().find(|call| self.import(*call) == index)
    }
}

/// Read-only tables are refused above this size, in elements; they become mutable ones.
const MAX_READ_ONLY: u32 = 1 << 22;

impl Layout {
    /// Decides the places for `module`.
    pub fn new(module: &Module<'_>) -> Self {
        let mut far = Far { lowest: vmctx::FAR_END };
        let mut near = 0;
        let globals = (module.globals.iter())
            .map(|global| match global.init {
                ConstExpr::Const(bits) if !global.imported && !global.mutable => {
                    GlobalPlace::Const(bits)
                }
                _ if global.mutable && global.ty != ValType::V128 && near < vmctx::NEAR_GLOBALS => {
                    near += 1;
                    GlobalPlace::Slot(vmctx::near_global(near - 1))
                }
                _ => GlobalPlace::Slot(far.take(1)),
            })
            .collect();
        let tables: Vec<TablePlace> = (0..module.tables.len())
            .map(|index| match read_only(module, index) {
                Some(functions) => TablePlace::ReadOnly(functions),
                None => TablePlace::Mutable(far.take(1)),
            })
            .collect();
        let extra_results = module.types.iter().map(|ty| ty.results.len()).max().unwrap_or(0);
        let return_area = far.take(extra_results.saturating_sub(1) as u32);
        let heap = heap_imports(module).map(|imports| {
            let slots = size_of::<Heap>() as u32 / vmctx::VALUE_SLOT;
            HeapPlace { record: far.take(slots), imports }
        });
        let func_records = func_records(module, &tables);
        let record_of = (0..).zip(&func_records).map(|(i, func)| (*func, i)).collect();
        let vmctx_size = (-far.lowest) as u32;
        Self { globals, tables, func_records, record_of, return_area, heap, vmctx_size }
    }
}

/// Hands out far slots downwards.
struct Far {
    lowest: i32,
}

impl Far {
    /// The offset of the lowest of `count` slots.
    fn take(&mut self, count: u32) -> i32 {
        self.lowest -= (count * vmctx::VALUE_SLOT) as i32;
        self.lowest
    }
}

/// The imports that allocate and free on the host's heap, if the module has both.
fn heap_imports(module: &Module<'_>) -> Option<[u32; 2]> {
    module.memory.as_ref()?;
    let find = |call: &HeapCall| {
        let named = |import: &&Import<'_>| import.module == "env" && import.field == call.import();
        let import = module.imports.iter().find(named)?;
        match import.kind {
            ImportKind::Function(index) if *module.function_type(index) == call.ty() => Some(index),
            _ => None,
        }
    };
    let [malloc, free] = HeapCall::ALL;
    Some([find(malloc)?, find(free)?])
}

/// The contents of table `index` if nothing can change them and they are known.
fn read_only(module: &Module<'_>, index: usize) -> Option<Vec<Option<u32>>> {
    let table = &module.tables[index];
    let fixed = !table.imported
        && !table.touched
        && table.init == ConstExpr::Const(0)
        && table.min <= MAX_READ_ONLY;
    if !fixed {
        return None;
    }
    let mut functions = vec![None; table.min as usize];
    for segment in &module.elements {
        let SegmentMode::Active { table, offset } = segment.mode else {
            continue;
        };
        if table as usize != index {
            continue;
        }
        let ConstExpr::Const(offset) = offset else {
            return None;
        };
        let places = functions.get_mut(offset as usize..)?.get_mut(..segment.items.len())?;
        for (place, item) in places.iter_mut().zip(&segment.items) {
            *place = match item {
                ConstExpr::Func(function) => Some(*function),
                ConstExpr::Const(_) => None,
                ConstExpr::Global(_) => return None,
            };
        }
    }
    Some(functions)
}

/// Every function that a reference can name, in order: those in segments of tables that are not
/// read-only, in initial values, and, as `ref.func` may name them, the exported ones. A module
/// without references (all of the MVP) has none.
fn func_records(module: &Module<'_>, tables: &[TablePlace]) -> Vec<u32> {
    let read_only = |mode: &SegmentMode| match mode {
        SegmentMode::Active { table, .. } => {
            matches!(tables[*table as usize], TablePlace::ReadOnly(_))
        }
        SegmentMode::Passive | SegmentMode::Declared => false,
    };
    if module.profile == crate::options::Profile::Runtime
        && tables.iter().all(|table| matches!(table, TablePlace::ReadOnly(_)))
    {
        return vec![];
    }
    let general = module.profile == crate::options::Profile::General;
    let exported = module.exports.iter().filter_map(|export| match export.kind {
        crate::module::ExportKind::Function(index) if general => Some(index),
        _ => None,
    });
    let segments = module.elements.iter().filter(|s| general || !read_only(&s.mode));
    let named = (segments.flat_map(|segment| segment.items.iter().copied()))
        .chain(module.globals.iter().map(|global| global.init))
        .chain(module.tables.iter().map(|table| table.init))
        .filter_map(|init| match init {
            ConstExpr::Func(index) => Some(index),
            _ => None,
        });
    let mut all: Vec<u32> = named.chain(exported).collect();
    all.sort_unstable();
    all.dedup();
    all
}
