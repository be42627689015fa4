//! The collector for Go-built runtimes under a host that poisons: a graph outlives ten times the
//! heap in garbage, nothing is freed twice or used after it was freed, and calls start clean.
//!
//! The module is `workloads/collector/guest.wasm`, run here and on wasmi with the same heap.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use lithify_compiler::{Options, Target};
use lithify_runtime::{
    Caller, FuncType, Guest, HostError, Image, Imports, InstanceOptions, MemoryPlan, Pool, Trust,
    ValType, Value,
};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

const PAGE: u32 = 0x1_0000;
const MALLOC: &str = "ext_allocator_malloc_version_1";
const FREE: &str = "ext_allocator_free_version_1";
const NEW: u8 = 0xaa;
const FREED: u8 = 0xdd;

/// The allocator of a Polkadot host, with poison: blocks of powers of two, eight bytes in front of
/// each, freed ones given out again last first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heap {
    next: u32,
    /// Lengths of the blocks that are out, by address.
    out: HashMap<u32, u32>,
    /// Freed blocks by length.
    freed: HashMap<u32, Vec<u32>>,
    mallocs: u32,
    frees: u32,
}

impl Heap {
    fn new(base: u32) -> Self {
        Self { next: base.next_multiple_of(8), ..Self::default() }
    }

    fn malloc(&mut self, memory: &mut [u8], size: u32) -> Result<u32, HostError> {
        let fail = |what: &str| Err(HostError(format!("malloc of {size} bytes: {what}")));
        if size > 32 << 20 {
            return fail("more than the host gives at once");
        }
        let len = size.max(8).next_power_of_two();
        let address = match self.freed.get_mut(&len).and_then(Vec::pop) {
            Some(address) => address,
            None => {
                let address = self.next + 8;
                if (address + len) as usize > memory.len() {
                    return fail("no memory left");
                }
                self.next = address + len;
                memory[address as usize..(address + len) as usize].fill(FREED);
                address
            }
        };
        let block = &mut memory[address as usize..(address + len) as usize];
        if block.iter().any(|byte| *byte != FREED) {
            return fail("the block was written to after it was freed");
        }
        block.fill(NEW);
        self.out.insert(address, len);
        self.mallocs += 1;
        Ok(address)
    }

    fn free(&mut self, memory: &mut [u8], address: u32) -> Result<(), HostError> {
        let Some(len) = self.out.remove(&address) else {
            return Err(HostError(format!("free of {address:#x}, which is no block that is out")));
        };
        memory[address as usize..(address + len) as usize].fill(FREED);
        self.freed.entry(len).or_default().push(address);
        self.frees += 1;
        Ok(())
    }
}

/// What a call returned, and the heap it left.
#[derive(Debug, PartialEq)]
struct Outcome {
    bad_bytes: u32,
    cycles: u32,
    objects_made: u64,
    objects_freed: u64,
    heap: Heap,
}

impl Outcome {
    fn new(result: u64, memory: &[u8], heap: Heap) -> Self {
        let (address, len) = (result as u32 as usize, (result >> 32) as usize);
        let output = &memory[address..address + len];
        let u32_at = |at: usize| u32::from_le_bytes(output[at..at + 4].try_into().unwrap());
        let u64_at = |at: usize| u64::from_le_bytes(output[at..at + 8].try_into().unwrap());
        Self {
            bad_bytes: u32_at(0),
            cycles: u32_at(4),
            objects_made: u64_at(8),
            objects_freed: u64_at(16),
            heap,
        }
    }
}

fn module() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads/collector/guest.wasm");
    fs::read(path).unwrap()
}

/// Lithify, with one pool for all calls.
struct Native(Pool);

impl Native {
    fn new(heap_pages: u32) -> Self {
        let ty = |results: &[ValType]| FuncType {
            params: vec![ValType::I32],
            results: results.to_vec(),
        };
        let mut imports = Imports::new();
        let heap_and = |caller: &mut Caller<'_>, run: &dyn Fn(&mut Heap, &mut [u8]) -> _| {
            let (memory, heap) = caller.memory_and_data();
            run(heap.downcast_mut().unwrap(), memory)
        };
        imports.func("env", MALLOC, ty(&[ValType::I32]), move |caller, slots| {
            let size = slots[0] as u32;
            slots[0] = u128::from(heap_and(caller, &|heap, memory| heap.malloc(memory, size))?);
            Ok(())
        });
        imports.func("env", FREE, ty(&[]), move |caller, slots| {
            let address = slots[0] as u32;
            heap_and(caller, &|heap, memory| heap.free(memory, address).map(|()| 0))?;
            Ok(())
        });
        let options = Options { target: Target::host(), jobs: 1, ..Options::default() };
        let image = lithify_compiler::compile_image(&module(), &options).unwrap();
        let image = Image::from_bytes(&image, &imports, Trust::Verify).unwrap();
        let memory = MemoryPlan::Static { extra_pages: heap_pages };
        Self(Pool::new(&image, &InstanceOptions { memory, ..Default::default() }).unwrap())
    }

    fn call(&self, entry: &str, garbage: u64) -> Result<Outcome, String> {
        let mut instance = self.0.instance().unwrap();
        let Some(Value::I32(base)) = instance.global_get("__heap_base") else { panic!("no heap") };
        let mut heap = Heap::new(base as u32);
        let input = heap.malloc(instance.memory(), 8).unwrap();
        instance.memory()[input as usize..][..8].copy_from_slice(&garbage.to_le_bytes());
        let func = instance.func(entry).unwrap();
        let mut slots = [u128::from(input), 8];
        instance.call(&func, &mut slots, &mut heap).map_err(|trap| trap.to_string())?;
        Ok(Outcome::new(slots[0] as u64, instance.memory(), heap))
    }
}

/// wasmi, with an instance for each call.
fn interpreted(heap_pages: u32, entry: &str, garbage: u64) -> Result<Outcome, String> {
    use wasmi::{Engine, Linker, Memory, MemoryType, Module, Store};
    type Data = (Heap, Option<Memory>);
    fn heap_and<T>(
        mut caller: wasmi::Caller<'_, Data>,
        run: impl FnOnce(&mut Heap, &mut [u8]) -> Result<T, HostError>,
    ) -> Result<T, wasmi::Error> {
        let memory = caller.data().1.unwrap();
        let (memory, data) = memory.data_and_store_mut(&mut caller);
        run(&mut data.0, memory).map_err(|error| wasmi::Error::new(error.0))
    }
    let engine = Engine::default();
    let module = Module::new(&engine, module()).unwrap();
    let mut store: Store<Data> = Store::new(&engine, Default::default());
    let initial = module.imports().find_map(|import| import.ty().memory().copied()).unwrap();
    let pages = initial.minimum() as u32 + heap_pages;
    let memory = Memory::new(&mut store, MemoryType::new(pages, Some(pages))).unwrap();
    let mut linker = Linker::new(&engine);
    linker.define("env", "memory", memory).unwrap();
    let malloc = |caller: wasmi::Caller<'_, Data>, size: u32| {
        heap_and(caller, |heap, memory| heap.malloc(memory, size))
    };
    let free = |caller: wasmi::Caller<'_, Data>, address: u32| {
        heap_and(caller, |heap, memory| heap.free(memory, address))
    };
    linker.func_wrap("env", MALLOC, malloc).unwrap();
    linker.func_wrap("env", FREE, free).unwrap();
    let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
    let base = instance.get_global(&store, "__heap_base").unwrap().get(&store).i32().unwrap();
    *store.data_mut() = (Heap::new(base as u32), Some(memory));
    let (bytes, data) = memory.data_and_store_mut(&mut store);
    let input = data.0.malloc(bytes, 8).unwrap();
    bytes[input as usize..][..8].copy_from_slice(&garbage.to_le_bytes());
    let func = instance.get_typed_func::<(u32, u32), u64>(&store, entry).unwrap();
    let result = func.call(&mut store, (input, 8)).map_err(|error| error.to_string())?;
    let heap = store.data().0.clone();
    Ok(Outcome::new(result, memory.data(&store), heap))
}

/// Calls an entry point on both engines, twice on Lithify's: all must agree on everything.
fn check(heap_pages: u32, entry: &str, garbage: u64) -> Outcome {
    let native = Native::new(heap_pages);
    let first = native.call(entry, garbage).unwrap();
    assert_eq!(native.call(entry, garbage), Ok(first), "the second call differs");
    let outcome = interpreted(heap_pages, entry, garbage).unwrap();
    assert_eq!(native.call(entry, garbage).as_ref(), Ok(&outcome), "wasmi differs");
    assert_eq!(outcome.bad_bytes, 0, "{outcome:?}");
    assert_eq!(outcome.heap.mallocs - outcome.heap.frees, outcome.heap.out.len() as u32);
    outcome
}

#[test]
fn a_live_graph_survives_ten_heaps_of_garbage() {
    let pages = 48;
    let outcome = check(pages, "live_graph", u64::from(10 * pages * PAGE));
    assert!(outcome.cycles >= 10, "{outcome:?}");
    assert!(outcome.objects_freed > outcome.objects_made * 9 / 10, "{outcome:?}");
    assert!(outcome.heap.frees > 100, "{outcome:?}");
}

#[test]
fn what_is_dropped_goes_back_to_the_host() {
    let outcome = check(64, "drop_graph", 8 << 20);
    // The input, the collector's table, and a block or two that stale words on the stack refer to.
    let left: u32 = outcome.heap.out.values().sum();
    assert!(left <= 4 * PAGE, "{outcome:?}");
}

#[test]
fn little_work_takes_no_cycle() {
    let outcome = check(16, "live_graph", 0);
    assert_eq!((outcome.cycles, outcome.objects_freed, outcome.heap.frees), (0, 0, 0));
}

#[test]
fn a_heap_that_is_too_small_traps() {
    for error in [
        Native::new(4).call("live_graph", 1 << 20).unwrap_err(),
        interpreted(4, "live_graph", 1 << 20).unwrap_err(),
    ] {
        assert!(error.contains("no memory left"), "{error}");
    }
}
