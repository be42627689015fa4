//! Turns the metadata of the FRAME runtime that the ledger is a part of into the ledger's: what the
//! ledger does not have is taken away, what it has stays as FRAME describes it.
//!
//! Standard input is what `Metadata_metadata` of `../../solochain` returns, standard output the
//! file `metadata.scale`.

use std::{
    collections::BTreeSet,
    error::Error,
    io::{Read, Write, stdin, stdout},
};

use frame_metadata::{
    RuntimeMetadata, RuntimeMetadataPrefixed,
    v14::{PalletMetadata, RuntimeMetadataV14, StorageEntryType},
};
use parity_scale_codec::{Decode, Encode};
use scale_info::{
    PortableRegistry, TypeDef,
    form::{Form, PortableForm},
};

type TypeId = <PortableForm as Form>::Type;
/// As `Core_version` encodes it.
type Version = (String, String, u32, u32, u32, Vec<([u8; 8], u32)>, u32, u8);

/// A pallet: its name, the items it stores, its calls, its events.
type Part =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const PARTS: &[Part] = &[
    (
        "System",
        &[
            "Account",
            "ExtrinsicCount",
            "InherentsApplied",
            "BlockWeight",
            "BlockSize",
            "BlockHash",
            "ExtrinsicData",
            "Number",
            "ParentHash",
            "Digest",
            "Events",
            "EventCount",
            "LastRuntimeUpgrade",
            "UpgradedToU32RefCount",
            "UpgradedToTripleRefCount",
            "ExecutionPhase",
        ],
        &[],
        &["ExtrinsicSuccess", "ExtrinsicFailed", "NewAccount", "KilledAccount"],
    ),
    ("Timestamp", &["Now", "DidUpdate"], &["set"], &[]),
    (
        "Balances",
        &["TotalIssuance"],
        &["transfer_allow_death", "transfer_keep_alive", "transfer_all"],
        &["Endowed", "DustLost", "Transfer", "Withdraw", "BurnedDebt"],
    ),
    ("TransactionPayment", &["NextFeeMultiplier", "StorageVersion"], &[], &["TransactionFeePaid"]),
];

const NAME: &str = "lithify-ledger";
/// The interfaces of the ledger that the FRAME runtime has too, and their versions in the ledger.
const APIS: &[(u64, u32)] = &[
    (0xdf6acb689907609b, 5),
    (0x37e397fc7c91f5e4, 1),
    (0x40fe3ad401f8959a, 6),
    (0xd2bc9897eed08f15, 3),
    (0xbc9d89904f5b923f, 1),
    (0x37c8bb1350a9a2a8, 4),
    (0xfbc577b9d747efd6, 1),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = Vec::new();
    stdin().read_to_end(&mut input)?;
    let bytes = Vec::<u8>::decode(&mut input.as_slice())?;
    let RuntimeMetadata::V14(mut metadata) = RuntimeMetadataPrefixed::decode(&mut &bytes[..])?.1
    else {
        return Err("not metadata of version 14".into());
    };
    reduce(&mut metadata)?;
    renumber(&mut metadata);
    stdout().write_all(&RuntimeMetadataPrefixed::from(metadata).encode())?;
    Ok(())
}

fn reduce(metadata: &mut RuntimeMetadataV14) -> Result<(), Box<dyn Error>> {
    metadata.pallets.retain(|pallet| PARTS.iter().any(|part| part.0 == pallet.name));
    for (pallet, part) in metadata.pallets.iter_mut().zip(PARTS) {
        let (name, items, calls, events) = *part;
        if pallet.name != name {
            return Err(format!("expected pallet {name}, found {}", pallet.name).into());
        }
        let storage = pallet.storage.as_mut().ok_or("a pallet without storage")?;
        storage.entries.retain(|entry| items.contains(&entry.name.as_str()));
        if storage.entries.len() != items.len() {
            return Err(format!("pallet {name} has not all of {items:?}").into());
        }
        pallet.calls.take_if(|_| calls.is_empty());
        if let Some(ty) = pallet.calls.as_ref().map(|calls| calls.ty) {
            keep_variants(&mut metadata.types, ty, calls)?;
        }
        if let Some(ty) = pallet.event.as_ref().map(|event| event.ty) {
            keep_variants(&mut metadata.types, ty, events)?;
        }
        // No call of the ledger gives an error of its pallet.
        pallet.error = None;
        for constant in pallet.constants.iter_mut().filter(|c| c.name == "Version") {
            constant.value = version(&constant.value)?.encode();
        }
    }
    reduce_types(&mut metadata.types)
}

/// The enums over all pallets, and all that has the other runtime's name.
fn reduce_types(types: &mut PortableRegistry) -> Result<(), Box<dyn Error>> {
    for id in 0..types.types.len() as u32 {
        let segments = &mut types.types[id as usize].ty.path.segments;
        let Some(first) = segments.first_mut().filter(|first| *first == "solochain_runtime") else {
            continue;
        };
        *first = NAME.replace('-', "_");
        let with = |has: fn(&Part) -> bool| {
            PARTS.iter().filter(|part| has(part)).map(|part| part.0).collect::<Vec<_>>()
        };
        match segments.last().map(String::as_str) {
            Some("RuntimeCall") => keep_variants_of(types, id, &with(|part| !part.2.is_empty()))?,
            Some("RuntimeEvent") => keep_variants_of(types, id, &with(|part| !part.3.is_empty()))?,
            _ => {}
        }
    }
    types.types.iter_mut().for_each(|portable| strip_docs(&mut portable.ty));
    Ok(())
}

fn version(encoded: &[u8]) -> Result<Version, Box<dyn Error>> {
    let mut version = Version::decode(&mut &encoded[..])?;
    version.0 = NAME.into();
    version.1 = NAME.into();
    version.5 = APIS.iter().map(|(id, version)| (id.to_be_bytes(), *version)).collect();
    Ok(version)
}

fn keep_variants(
    types: &mut PortableRegistry,
    ty: TypeId,
    names: &[&str],
) -> Result<(), Box<dyn Error>> {
    keep_variants_of(types, ty.id, names)
}

fn keep_variants_of(
    types: &mut PortableRegistry,
    id: u32,
    names: &[&str],
) -> Result<(), Box<dyn Error>> {
    let TypeDef::Variant(definition) = &mut types.types[id as usize].ty.type_def else {
        return Err(format!("type {id} is no enum").into());
    };
    definition.variants.retain(|variant| names.contains(&variant.name.as_str()));
    match definition.variants.len() == names.len() {
        true => Ok(()),
        false => Err(format!("type {id} has not all of {names:?}").into()),
    }
}

fn strip_docs(ty: &mut scale_info::Type<PortableForm>) {
    ty.docs.clear();
    match &mut ty.type_def {
        TypeDef::Composite(composite) => {
            composite.fields.iter_mut().for_each(|field| field.docs.clear());
        }
        TypeDef::Variant(definition) => {
            for variant in &mut definition.variants {
                variant.docs.clear();
                variant.fields.iter_mut().for_each(|field| field.docs.clear());
            }
        }
        _ => {}
    }
}

/// Drops the types that nothing names any more.
fn renumber(metadata: &mut RuntimeMetadataV14) {
    let mut named = BTreeSet::new();
    each_type(metadata, |ty| {
        named.insert(ty.id);
    });
    let new_ids = metadata.types.retain(|id| named.contains(&id));
    each_type(metadata, |ty| *ty = new_ids[&ty.id].into());
    for pallet in &mut metadata.pallets {
        pallet.constants.iter_mut().for_each(|constant| constant.docs.clear());
        let entries = pallet.storage.iter_mut().flat_map(|storage| &mut storage.entries);
        entries.for_each(|entry| entry.docs.clear());
    }
}

/// Every place outside the registry that names a type.
fn each_type(metadata: &mut RuntimeMetadataV14, mut visit: impl FnMut(&mut TypeId)) {
    visit(&mut metadata.ty);
    visit(&mut metadata.extrinsic.ty);
    for extension in &mut metadata.extrinsic.signed_extensions {
        visit(&mut extension.ty);
        visit(&mut extension.additional_signed);
    }
    for PalletMetadata { storage, calls, event, constants, .. } in &mut metadata.pallets {
        calls.iter_mut().for_each(|calls| visit(&mut calls.ty));
        event.iter_mut().for_each(|event| visit(&mut event.ty));
        constants.iter_mut().for_each(|constant| visit(&mut constant.ty));
        for entry in storage.iter_mut().flat_map(|storage| &mut storage.entries) {
            match &mut entry.ty {
                StorageEntryType::Plain(ty) => visit(ty),
                StorageEntryType::Map { key, value, .. } => {
                    visit(key);
                    visit(value);
                }
            }
        }
    }
}
