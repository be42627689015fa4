//go:build wasip1

// Command go is the ledger as a WASI reactor, built by Go itself. README.md says what keeps it from
// a chain.
package main

import (
	ledger "lithify/ledger/golang"
	"lithify/ledger/golang/host"
)

func main() {}

// call runs an entry point.
func call(entry func([]byte) []byte, address, length uint32) uint64 {
	return host.Output(entry(host.Memory(address, length)))
}

//go:wasmexport Core_version
func coreVersion(address, length uint32) uint64 {
	return call(ledger.CoreVersion, address, length)
}

//go:wasmexport Core_initialize_block
func coreInitializeBlock(address, length uint32) uint64 {
	return call(ledger.CoreInitializeBlock, address, length)
}

//go:wasmexport Core_execute_block
func coreExecuteBlock(address, length uint32) uint64 {
	return call(ledger.CoreExecuteBlock, address, length)
}

//go:wasmexport BlockBuilder_apply_extrinsic
func blockBuilderApplyExtrinsic(address, length uint32) uint64 {
	return call(ledger.BlockBuilderApplyExtrinsic, address, length)
}

//go:wasmexport BlockBuilder_finalize_block
func blockBuilderFinalizeBlock(address, length uint32) uint64 {
	return call(ledger.BlockBuilderFinalizeBlock, address, length)
}

//go:wasmexport BlockBuilder_inherent_extrinsics
func blockBuilderInherentExtrinsics(address, length uint32) uint64 {
	return call(ledger.BlockBuilderInherentExtrinsics, address, length)
}

//go:wasmexport BlockBuilder_check_inherents
func blockBuilderCheckInherents(address, length uint32) uint64 {
	return call(ledger.BlockBuilderCheckInherents, address, length)
}

//go:wasmexport Metadata_metadata
func metadataMetadata(address, length uint32) uint64 {
	return call(ledger.MetadataMetadata, address, length)
}

//go:wasmexport AccountNonceApi_account_nonce
func accountNonceAPIAccountNonce(address, length uint32) uint64 {
	return call(ledger.AccountNonceAPIAccountNonce, address, length)
}

//go:wasmexport TransactionPaymentApi_query_info
func transactionPaymentAPIQueryInfo(address, length uint32) uint64 {
	return call(ledger.TransactionPaymentAPIQueryInfo, address, length)
}

//go:wasmexport TaggedTransactionQueue_validate_transaction
func taggedTransactionQueueValidateTransaction(address, length uint32) uint64 {
	return call(ledger.TaggedTransactionQueueValidateTransaction, address, length)
}

//go:wasmexport GenesisBuilder_get_preset
func genesisBuilderGetPreset(address, length uint32) uint64 {
	return call(ledger.GenesisBuilderGetPreset, address, length)
}

//go:wasmexport GenesisBuilder_build_state
func genesisBuilderBuildState(address, length uint32) uint64 {
	return call(ledger.GenesisBuilderBuildState, address, length)
}
