//! The machine code of a module: its pieces, and where each lies.
//!
//! References between pieces are resolved when the text is laid out; what refers to anything outside
//! it stays a relocation.

use crate::{
    allocator::AllocatorCall,
    error::CompileError,
    index::{FuncIndex, ImportIndex, SignatureIndex},
    limits,
    patch::{Form, patch},
    short::Bulk,
    sites::Origins,
    symbol::Symbol,
};
use cranelift_codegen::{
    CompiledCode,
    binemit::Reloc as RelocKind,
    entity::SecondaryMap,
    ir::{ExternalName, Function},
    isa::unwind::UnwindInfo,
};
use lithify_abi::libcall::Libcall;
use std::collections::{BTreeSet, HashMap};

type Result<T> = std::result::Result<T, CompileError>;

/// A contiguous piece of machine code: a function, a stub or a trampoline.
#[derive(Default)]
pub struct Piece {
    /// Machine code; none of a function that no code calls any more.
    pub code: Vec<u8>,
    /// What in it is still to be resolved.
    pub relocs: Vec<Reloc>,
    /// Its stream of sites.
    pub sites: Vec<u8>,
    /// How to unwind through it.
    pub unwind: Option<UnwindInfo>,
    /// Which operators it is of, where that was asked for.
    pub origins: Option<Origins>,
}

impl Piece {
    /// The functions that it calls directly.
    pub fn called(&self) -> impl Iterator<Item = FuncIndex> {
        self.relocs.iter().filter_map(|reloc| match reloc.symbol {
            Symbol::Function(index) => Some(index),
            _ => None,
        })
    }
}

/// A reference from code.
#[derive(Clone, Copy, Debug)]
pub struct Reloc {
    /// Offset in the piece, in bytes.
    pub offset: u32,
    /// How the reference is encoded.
    pub kind: RelocKind,
    /// To what.
    pub symbol: Symbol,
    /// Added to the symbol's address.
    pub addend: i64,
}

impl Reloc {
    /// The references of a function that was compiled from `func`.
    pub fn of(compiled: &CompiledCode, func: &Function) -> Vec<Self> {
        use cranelift_codegen::FinalizedRelocTarget;
        (compiled.buffer.relocs().iter())
            .map(|reloc| {
                let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = &reloc.target
                else {
                    unreachable!("only our own symbols are referred to, not {:?}", reloc.target)
                };
                let name = &func.params.user_named_funcs()[*name];
                let symbol = Symbol::from_external_name(name);
                Self { offset: reloc.offset, kind: reloc.kind, symbol, addend: reloc.addend }
            })
            .collect()
    }
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A function, or its stub when it is imported.
    Function(FuncIndex),
    /// What stands before an allocator function.
    Allocator(AllocatorCall),
    /// What stands before a libcall of bulk memory.
    Bulk(Bulk),
    /// The stub of a libcall.
    Libcall(Libcall),
    /// The entry trampoline of a type.
    Entry(SignatureIndex),
    /// The exit trampoline of an import.
    Exit(ImportIndex),
    /// All that there is in a module without functions.
    Nothing,
}

impl Role {
    /// What a symbol of the text is there; `None` for one of something else.
    fn of(symbol: Symbol) -> Option<Self> {
        match symbol {
            Symbol::Function(index) => Some(Self::Function(index)),
            Symbol::Libcall(libcall) => Some(Self::Libcall(libcall)),
            Symbol::Allocator(call) => Some(Self::Allocator(call)),
            Symbol::Bulk(bulk) => Some(Self::Bulk(bulk)),
            Symbol::Table(_)
            | Symbol::Descriptor
            | Symbol::Text
            | Symbol::Import(_)
            | Symbol::Runtime(_) => None,
        }
    }
}

/// A piece at its place.
pub struct Placed {
    /// What it is.
    pub role: Role,
    /// Its code.
    pub piece: Piece,
    /// Where it starts, in bytes from the start of the text.
    pub offset: u32,
}

/// A text to which pieces are added in their final order.
#[derive(Default)]
pub struct TextBuilder {
    pieces: Vec<(Role, Piece)>,
}

impl TextBuilder {
    /// Adds a piece.
    pub fn push(&mut self, role: Role, piece: Piece) {
        self.pieces.push((role, piece));
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The libcalls whose stubs the pieces refer to.
    pub fn libcalls(&self) -> BTreeSet<Libcall> {
        self.symbols(|symbol| match symbol {
            Symbol::Libcall(libcall) => Some(libcall),
            _ => None,
        })
    }

    /// The operators of bulk memory that the pieces leave to another.
    pub fn bulks(&self) -> BTreeSet<Bulk> {
        self.symbols(|symbol| match symbol {
            Symbol::Bulk(bulk) => Some(bulk),
            _ => None,
        })
    }

    /// What the pieces refer to.
    fn symbols<T: Ord>(&self, of: impl Fn(Symbol) -> Option<T>) -> BTreeSet<T> {
        let relocs = self.pieces.iter().flat_map(|(_, piece)| &piece.relocs);
        relocs.filter_map(|reloc| of(reloc.symbol)).collect()
    }

    /// Gives every piece its place, a multiple of `align` bytes, and resolves the references between
    /// them.
    pub fn lay_out(self, align: u32) -> Result<Text> {
        let mut len = 0u64;
        let mut text = Text {
            pieces: Vec::with_capacity(self.pieces.len()),
            functions: SecondaryMap::new(),
            others: HashMap::new(),
            len: 0,
            align,
        };
        for (role, piece) in self.pieces {
            len = len.next_multiple_of(u64::from(align));
            let offset = len as u32;
            match role {
                Role::Function(index) => text.functions[index] = offset,
                role => _ = text.others.insert(role, offset),
            }
            len += piece.code.len() as u64;
            text.pieces.push(Placed { role, piece, offset });
        }
        limits::check_text(len)?;
        text.len = len as u32;
        text.resolve()?;
        Ok(text)
    }
}

/// The machine code of a module, in its final order.
pub struct Text {
    /// The pieces, at their places.
    pub pieces: Vec<Placed>,
    /// Where each function starts.
    functions: SecondaryMap<FuncIndex, u32>,
    /// Where each piece starts that is no function.
    others: HashMap<Role, u32>,
    /// Length of the text, in bytes.
    pub len: u32,
    /// Alignment of every piece, in bytes.
    pub align: u32,
}

impl Text {
    /// Where a function, or the stub of an imported one, starts.
    pub fn function(&self, index: FuncIndex) -> u32 {
        self.functions[index]
    }

    /// Where the entry trampoline of a type starts.
    ///
    /// # Panics
    ///
    /// When nothing can be called through it, so that there is none.
    pub fn entry(&self, signature: SignatureIndex) -> u32 {
        self.others[&Role::Entry(signature)]
    }

    /// Where the exit trampoline of an import starts, if there is one.
    pub fn exit(&self, import: ImportIndex) -> Option<u32> {
        self.others.get(&Role::Exit(import)).copied()
    }

    /// Resolves the references between pieces.
    fn resolve(&mut self) -> Result<()> {
        let Self { pieces, functions, others, .. } = self;
        let place = |symbol| match Role::of(symbol) {
            Some(Role::Function(index)) => Some(functions[index]),
            Some(role) => others.get(&role).copied(),
            None => (symbol == Symbol::Text).then_some(0),
        };
        for Placed { piece: Piece { code, relocs, .. }, offset, .. } in pieces {
            let mut rest = Vec::new();
            for reloc in std::mem::take(relocs) {
                match (place(reloc.symbol), reloc.kind) {
                    (Some(to), RelocKind::X86PCRel4 | RelocKind::X86CallPCRel4) => {
                        call(code, *offset, to, &reloc, Form::Relative32)?;
                    }
                    (Some(to), RelocKind::Arm64Call) => {
                        call(code, *offset, to, &reloc, Form::Call26)?;
                    }
                    _ => rest.push(reloc),
                }
            }
            *relocs = rest;
        }
        Ok(())
    }
}

/// Resolves a call from the piece that starts at `offset` to what lies at `to`.
fn call(code: &mut [u8], offset: u32, to: u32, reloc: &Reloc, form: Form) -> Result<()> {
    let place = i64::from(offset) + i64::from(reloc.offset);
    patch(code, u64::from(reloc.offset), place, i64::from(to) + reloc.addend, form)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out a function that calls the last one, past another of `len` bytes, with an
    /// aarch64 `bl`.
    fn call_past(len: u64) -> Result<Text> {
        let symbol = Symbol::Function(FuncIndex::from_u32(2));
        let call = Reloc { offset: 0, kind: RelocKind::Arm64Call, symbol, addend: 0 };
        let mut text = TextBuilder::default();
        let mut push = |index, code, relocs| {
            let piece = Piece { code, relocs, ..Piece::default() };
            text.push(Role::Function(FuncIndex::from_u32(index)), piece);
        };
        push(0, 0x9400_0000_u32.to_le_bytes().to_vec(), vec![call]);
        push(1, vec![0; len as usize], vec![]);
        push(2, vec![0; 4], vec![]);
        text.lay_out(32)
    }

    #[test]
    fn a_call_reaches_the_end_of_the_longest_text() {
        let text = call_past(limits::TEXT - 64).expect("as long as it may be");
        let code = &text.pieces[0].piece.code;
        let distance = u32::from_le_bytes(*code.first_chunk().expect("a word"));
        assert_eq!(u64::from(distance & 0x03ff_ffff) * 4, limits::TEXT - 32);
        let error = call_past(limits::TEXT - 32).err().expect("too long").to_string();
        assert!(error.ends_with("more than 134217728 bytes of code"), "{error}");
    }
}
