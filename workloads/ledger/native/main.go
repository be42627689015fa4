//go:build native

// Command native is the ledger as a library of this machine: `go build -tags native -buildmode=c-shared`.
// Nothing is between it and the host but a call of C, so no engine that runs a module can be faster by
// much.
package main

/*
#include <stddef.h>
#include <stdint.h>
*/
import "C"

import (
	"fmt"
	"unsafe"

	ledger "lithify/ledger/golang"
	"lithify/ledger/golang/host"
)

var entries = map[string]func([]byte) []byte{
	"Core_version":                                ledger.CoreVersion,
	"Core_initialize_block":                       ledger.CoreInitializeBlock,
	"Core_execute_block":                          ledger.CoreExecuteBlock,
	"BlockBuilder_apply_extrinsic":                ledger.BlockBuilderApplyExtrinsic,
	"BlockBuilder_finalize_block":                 ledger.BlockBuilderFinalizeBlock,
	"BlockBuilder_inherent_extrinsics":            ledger.BlockBuilderInherentExtrinsics,
	"BlockBuilder_check_inherents":                ledger.BlockBuilderCheckInherents,
	"Metadata_metadata":                           ledger.MetadataMetadata,
	"AccountNonceApi_account_nonce":               ledger.AccountNonceAPIAccountNonce,
	"TransactionPaymentApi_query_info":            ledger.TransactionPaymentAPIQueryInfo,
	"TaggedTransactionQueue_validate_transaction": ledger.TaggedTransactionQueueValidateTransaction,
	"GenesisBuilder_get_preset":                   ledger.GenesisBuilderGetPreset,
	"GenesisBuilder_build_state":                  ledger.GenesisBuilderBuildState,
}

func main() {}

// ledger_connect says where the host is.
//
//export ledger_connect
func ledger_connect(function unsafe.Pointer) { host.Connect(function) }

// ledger_call calls an entry point: 0 and the output, or 1 and why it stopped, in a block that free() takes.
//
//export ledger_call
func ledger_call(
	entry *C.char, input unsafe.Pointer, length C.size_t, output *unsafe.Pointer, outputLength *C.size_t,
) (status C.int) {
	var bytes []byte
	defer func() {
		if why := recover(); why != nil {
			bytes, status = fmt.Append(nil, why), 1
		}
		*output, *outputLength = C.CBytes(bytes), C.size_t(len(bytes))
	}()
	function, known := entries[C.GoString(entry)]
	if !known {
		panic("there is no such entry point")
	}
	bytes = function(unsafe.Slice((*byte)(input), length))
	return 0
}
