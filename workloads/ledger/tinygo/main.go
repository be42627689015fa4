//go:build tinygo

// Command tinygo is the ledger as a Polkadot runtime, built by TinyGo.
package main

import (
	ledger "lithify/ledger/golang"
	"lithify/ledger/golang/host"
)

func main() {}

// call runs an entry point. No Polkadot host runs an initialiser before it, so the first call does.
func call(entry func([]byte) []byte, address, length uint32) uint64 {
	boot()
	return host.Output(entry(host.Memory(address, length)))
}

//export Core_version
func coreVersion(address, length uint32) uint64 {
	return call(ledger.CoreVersion, address, length)
}

//export Core_initialize_block
func coreInitializeBlock(address, length uint32) uint64 {
	return call(ledger.CoreInitializeBlock, address, length)
}

//export Core_execute_block
func coreExecuteBlock(address, length uint32) uint64 {
	return call(ledger.CoreExecuteBlock, address, length)
}

//export BlockBuilder_apply_extrinsic
func blockBuilderApplyExtrinsic(address, length uint32) uint64 {
	return call(ledger.BlockBuilderApplyExtrinsic, address, length)
}

//export BlockBuilder_finalize_block
func blockBuilderFinalizeBlock(address, length uint32) uint64 {
	return call(ledger.BlockBuilderFinalizeBlock, address, length)
}

//export BlockBuilder_inherent_extrinsics
func blockBuilderInherentExtrinsics(address, length uint32) uint64 {
	return call(ledger.BlockBuilderInherentExtrinsics, address, length)
}

//export BlockBuilder_check_inherents
func blockBuilderCheckInherents(address, length uint32) uint64 {
	return call(ledger.BlockBuilderCheckInherents, address, length)
}

//export Metadata_metadata
func metadataMetadata(address, length uint32) uint64 {
	return call(ledger.MetadataMetadata, address, length)
}

//export AccountNonceApi_account_nonce
func accountNonceAPIAccountNonce(address, length uint32) uint64 {
	return call(ledger.AccountNonceAPIAccountNonce, address, length)
}

//export TransactionPaymentApi_query_info
func transactionPaymentAPIQueryInfo(address, length uint32) uint64 {
	return call(ledger.TransactionPaymentAPIQueryInfo, address, length)
}

//export TaggedTransactionQueue_validate_transaction
func taggedTransactionQueueValidateTransaction(address, length uint32) uint64 {
	return call(ledger.TaggedTransactionQueueValidateTransaction, address, length)
}

//export GenesisBuilder_get_preset
func genesisBuilderGetPreset(address, length uint32) uint64 {
	return call(ledger.GenesisBuilderGetPreset, address, length)
}

//export GenesisBuilder_build_state
func genesisBuilderBuildState(address, length uint32) uint64 {
	return call(ledger.GenesisBuilderBuildState, address, length)
}
