package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

// decoded stops the call if the input did not decode.
func decoded(d *scale.Decoder) {
	if d.Failed() {
		host.Trap("the input does not decode")
	}
}

// nothing stops the call if there is input.
func nothing(input []byte) {
	if len(input) != 0 {
		host.Trap("the entry point has no parameters")
	}
}

// CoreVersion is Core_version.
func CoreVersion(input []byte) []byte {
	nothing(input)
	output := scale.AppendBytes(nil, specName)
	output = scale.AppendBytes(output, specName)
	for _, version := range [...]uint32{authoringVersion, specVersion, implVersion} {
		output = scale.AppendU32(output, version)
	}
	output = scale.AppendCompact(output, uint64(len(apis)))
	for _, api := range apis {
		output = scale.AppendU32(append(output, api.id...), api.version)
	}
	return append(scale.AppendU32(output, transactionVersion), systemVersion)
}

// CoreInitializeBlock is Core_initialize_block.
func CoreInitializeBlock(input []byte) []byte {
	d := scale.NewDecoder(input)
	h := decodeHeader(d)
	decoded(d)
	initializeBlock(&h)
	return []byte{0}
}

// CoreExecuteBlock is Core_execute_block.
func CoreExecuteBlock(input []byte) []byte {
	d := scale.NewDecoder(input)
	b := decodeBlock(d)
	decoded(d)
	b.execute()
	return nil
}

// BlockBuilderApplyExtrinsic is BlockBuilder_apply_extrinsic.
func BlockBuilderApplyExtrinsic(input []byte) []byte {
	d := scale.NewDecoder(input)
	x := decodeExtrinsic(d)
	decoded(d)
	return apply(x)
}

// BlockBuilderFinalizeBlock is BlockBuilder_finalize_block.
func BlockBuilderFinalizeBlock(input []byte) []byte {
	nothing(input)
	h := finalizeBlock()
	return h.encode()
}

// BlockBuilderInherentExtrinsics is BlockBuilder_inherent_extrinsics.
func BlockBuilderInherentExtrinsics(input []byte) []byte {
	d := scale.NewDecoder(input)
	now := mustHave(decodeTimestamp(d))
	decoded(d)
	return scale.AppendBytes(scale.AppendCompact(nil, 1), timestampExtrinsic(now()))
}

// BlockBuilderCheckInherents is BlockBuilder_check_inherents.
func BlockBuilderCheckInherents(input []byte) []byte {
	d := scale.NewDecoder(input)
	b := decodeBlock(d)
	now := mustHave(decodeTimestamp(d))
	decoded(d)
	return checkInherents(&b, now)
}

// MetadataMetadata is Metadata_metadata.
func MetadataMetadata(input []byte) []byte {
	nothing(input)
	return scale.AppendBytes(nil, metadata)
}

// AccountNonceAPIAccountNonce is AccountNonceApi_account_nonce.
func AccountNonceAPIAccountNonce(input []byte) []byte {
	d := scale.NewDecoder(input)
	id := d.Array32()
	decoded(d)
	return scale.AppendU32(nil, readAccount(id).nonce)
}

// TransactionPaymentAPIQueryInfo is TransactionPaymentApi_query_info.
func TransactionPaymentAPIQueryInfo(input []byte) []byte {
	d := scale.NewDecoder(input)
	x, length := decodeExtrinsic(d), d.U32()
	decoded(d)
	var fee scale.U128
	if x.kind != bare {
		fee = x.fee(length, scale.U128{})
	}
	output := append(x.weight().append(nil), byte(x.call.index.class()))
	return scale.AppendU128(output, fee)
}

// TaggedTransactionQueueValidateTransaction is TaggedTransactionQueue_validate_transaction.
func TaggedTransactionQueueValidateTransaction(input []byte) []byte {
	d := scale.NewDecoder(input)
	if d.U8() > 2 {
		d.Fail()
	}
	x, parentHash := decodeExtrinsic(d), d.Array32()
	decoded(d)
	return validateTransaction(x, parentHash)
}

// GenesisBuilderGetPreset is GenesisBuilder_get_preset.
func GenesisBuilderGetPreset(input []byte) []byte {
	d := scale.NewDecoder(input)
	named := d.Bool()
	name := ""
	if named {
		name = d.String()
	}
	decoded(d)
	switch {
	case !named:
		return scale.AppendBytes([]byte{1}, `{"balances":{"balances":[]}}`)
	case name == "development":
		return scale.AppendBytes([]byte{1}, developmentPreset)
	}
	return []byte{0}
}

// GenesisBuilderBuildState is GenesisBuilder_build_state.
func GenesisBuilderBuildState(input []byte) []byte {
	d := scale.NewDecoder(input)
	text := d.Bytes()
	decoded(d)
	if wrong := buildState(text); wrong != "" {
		return scale.AppendBytes([]byte{1}, wrong)
	}
	return []byte{0}
}
