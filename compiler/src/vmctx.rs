//! Where the things of a module lie at run time: globals, tables, function references.
//!
//! Decided once, before any code is generated, from the module alone. The translator reads it to
//! emit accesses, `metadata.rs` to tell the runtime.

use crate::{
    allocator::AllocatorCall,
    index::{FuncIndex, GlobalIndex, RecordIndex, TableIndex},
    module::{ConstExpr, ElementMode, Module},
    options::Profile,
};
use cranelift_codegen::entity::PrimaryMap;
use lithify_abi::{heap::Heap, types::ValType, vmctx};
use std::collections::{BTreeSet, HashMap};

/// Places of a module.
pub struct VmctxPlan {
    /// Where globals lie.
    pub globals: PrimaryMap<GlobalIndex, GlobalPlace>,
    /// Where tables lie.
    pub tables: PrimaryMap<TableIndex, TablePlace>,
    /// Functions that references can name, by their records.
    pub func_records: PrimaryMap<RecordIndex, FuncIndex>,
    /// The records of functions that have one.
    pub record_of: HashMap<FuncIndex, RecordIndex>,
    /// Offset from `base` of the second result of a function; the next ones follow at
    /// [`vmctx::VALUE_SIZE`] distance.
    pub return_area: i32,
    /// The host's allocator, where compiled code has a part in it.
    pub allocator: Option<AllocatorPlace>,
    /// Bytes of vmctx below `base`.
    pub vmctx_size: u32,
}

/// Where a global lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalPlace {
    /// Nowhere: it is this constant.
    Const(u128),
    /// In the vmctx, at this offset from `base`.
    Vmctx(i32),
}

/// Where a table lies.
pub enum TablePlace {
    /// In read-only data, as the functions it holds.
    ReadOnly(Vec<Option<FuncIndex>>),
    /// In memory of the instance; its record is at this offset from `base`.
    Mutable(i32),
}

/// The host's allocator as compiled code sees it.
#[derive(Clone, Copy)]
pub struct AllocatorPlace {
    /// Offset of its [`Heap`] record from `base`.
    pub record: i32,
    /// The imports that allocate and free.
    imports: [FuncIndex; 2],
}

impl AllocatorPlace {
    /// The import behind `call`.
    pub fn import(&self, call: AllocatorCall) -> FuncIndex {
        self.imports[call as usize]
    }

    /// The call that a function is the import of.
    pub fn call(&self, index: FuncIndex) -> Option<AllocatorCall> {
        AllocatorCall::ALL.iter().copied().find(|call| self.import(*call) == index)
    }
}

/// Read-only tables are refused above this size, in elements; they become mutable ones.
const MAX_READ_ONLY: u32 = 1 << 22;

impl VmctxPlan {
    /// Decides the places for `module`.
    pub fn new(module: &Module<'_>) -> Self {
        let mut far = Far { lowest: vmctx::FAR_END };
        let mut near = 0;
        let globals = (module.globals.values())
            .map(|global| match global.init {
                ConstExpr::Const(bits) if !global.imported && !global.mutable => {
                    GlobalPlace::Const(bits)
                }
                _ if global.mutable && global.ty != ValType::V128 && near < vmctx::NEAR_GLOBALS => {
                    near += 1;
                    GlobalPlace::Vmctx(vmctx::near_global(near - 1))
                }
                _ => GlobalPlace::Vmctx(far.take(1)),
            })
            .collect();
        let tables: PrimaryMap<TableIndex, TablePlace> = (module.tables.keys())
            .map(|index| match read_only(module, index) {
                Some(functions) => TablePlace::ReadOnly(functions),
                None => TablePlace::Mutable(far.take(1)),
            })
            .collect();
        let results = module.signatures.values().map(|ty| ty.results.len()).max().unwrap_or(0);
        let return_area = far.take(results.saturating_sub(1) as u32);
        let allocator = allocator_imports(module).map(|imports| {
            let slots = size_of::<Heap>() as u32 / vmctx::VALUE_SIZE;
            AllocatorPlace { record: far.take(slots), imports }
        });
        let func_records = func_records(module, &tables);
        let record_of = func_records.iter().map(|(record, func)| (*func, record)).collect();
        let vmctx_size = (-far.lowest) as u32;
        Self { globals, tables, func_records, record_of, return_area, allocator, vmctx_size }
    }
}

/// Hands out far fields downwards.
struct Far {
    lowest: i32,
}

impl Far {
    /// The offset of the lowest of `count` fields.
    fn take(&mut self, count: u32) -> i32 {
        self.lowest -= (count * vmctx::VALUE_SIZE) as i32;
        self.lowest
    }
}

/// The imports that allocate and free on the host's heap, if the module has both.
fn allocator_imports(module: &Module<'_>) -> Option<[FuncIndex; 2]> {
    module.memory.as_ref()?;
    let find = |call: AllocatorCall| {
        let (index, _) = module.imported_functions.iter().find(|(_, import)| {
            let import = &module.imports[**import];
            import.module == "env" && import.field == call.import()
        })?;
        (*module.function_type(index) == call.ty()).then_some(index)
    };
    let [malloc, free] = AllocatorCall::ALL;
    Some([find(*malloc)?, find(*free)?])
}

/// The contents of a table if nothing can change them and they are known.
fn read_only(module: &Module<'_>, index: TableIndex) -> Option<Vec<Option<FuncIndex>>> {
    let table = &module.tables[index];
    let fixed = !table.imported
        && !table.touched
        && table.init == ConstExpr::Const(0)
        && table.min <= MAX_READ_ONLY;
    if !fixed {
        return None;
    }
    let mut functions = vec![None; table.min as usize];
    for segment in module.elements.values() {
        let ElementMode::Active { table, offset } = segment.mode else {
            continue;
        };
        if table != index {
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
fn func_records(
    module: &Module<'_>,
    tables: &PrimaryMap<TableIndex, TablePlace>,
) -> PrimaryMap<RecordIndex, FuncIndex> {
    let is_read_only = |place: &TablePlace| matches!(place, TablePlace::ReadOnly(_));
    let general = module.profile == Profile::General;
    if !general && tables.values().all(is_read_only) {
        return PrimaryMap::new();
    }
    let exported = module.exported_functions().filter(|_| general);
    let segments = module.elements.values().filter(|segment| match segment.mode {
        ElementMode::Active { table, .. } => general || !is_read_only(&tables[table]),
        ElementMode::Passive | ElementMode::Declared => true,
    });
    let named = (segments.flat_map(|segment| segment.items.iter().copied()))
        .chain(module.globals.values().map(|global| global.init))
        .chain(module.tables.values().map(|table| table.init))
        .filter_map(|init| match init {
            ConstExpr::Func(index) => Some(index),
            _ => None,
        });
    let all: BTreeSet<FuncIndex> = named.chain(exported).collect();
    all.into_iter().collect()
}
