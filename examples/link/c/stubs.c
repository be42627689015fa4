/* A Polkadot runtime as a part of a C program: calls Core_version and prints what it returns.
 *
 *     lithify compile RUNTIME --emit obj -o runtime.o
 *     lithify compile RUNTIME --emit header -o runtime.h
 *     cc runtime.o stubs.c -llithify_runtime -o core_version
 *
 * The header declares the functions that the runtime imports, so that the compiler compares types;
 * the linker names those that are missing here. Core_version needs a heap and a log level; the
 * other functions stop the guest. Another runtime has other imports. */

#include "runtime.h"
#include <stdio.h>

/* The heap is what lies above the guest's __heap_base; the instance's host data is where its unused
 * part starts. Nothing is ever freed, since the instance lives for one call. Allocations are 8 bytes
 * apart at least: Substrate's allocator has a header there, and there are runtimes that fail
 * without the gap. */
uint32_t LITHIFY_IMPORT(env, ext_allocator_malloc_version_1)(uint8_t *base, uint32_t size) {
    uint32_t *next = lithify_host_data(base);
    uint64_t start = ((uint64_t)*next + 15) / 8 * 8, end = start + size;
    if (end > lithify_memory_len(base)) lithify_trap(base, "the heap is full");
    *next = (uint32_t)end;
    return (uint32_t)start;
}

void LITHIFY_IMPORT(env, ext_allocator_free_version_1)(uint8_t *base, uint32_t address) {
    (void)base, (void)address;
}

/* Nothing is to be logged. */
uint32_t LITHIFY_IMPORT(env, ext_logging_max_level_version_1)(uint8_t *base) {
    return (void)base, 0;
}

/* Functions that Core_version does not need. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define ABSENT(result, name, ...) \
    result LITHIFY_IMPORT(env, name)(uint8_t *base __VA_OPT__(, ) __VA_ARGS__) { \
        lithify_trap(base, #name " is not here"); \
    }

ABSENT(uint32_t, ext_crypto_ed25519_generate_version_1, uint32_t a, uint64_t b)
ABSENT(uint64_t, ext_crypto_ed25519_sign_version_1, uint32_t a, uint32_t b, uint64_t c)
ABSENT(uint32_t, ext_crypto_ed25519_verify_version_1, uint32_t a, uint64_t b, uint32_t c)
ABSENT(uint64_t, ext_crypto_secp256k1_ecdsa_recover_compressed_version_2, uint32_t a, uint32_t b)
ABSENT(uint32_t, ext_crypto_sr25519_generate_version_1, uint32_t a, uint64_t b)
ABSENT(uint64_t, ext_crypto_sr25519_sign_version_1, uint32_t a, uint32_t b, uint64_t c)
ABSENT(uint32_t, ext_crypto_sr25519_verify_version_2, uint32_t a, uint64_t b, uint32_t c)
ABSENT(uint32_t, ext_hashing_blake2_128_version_1, uint64_t a)
ABSENT(uint32_t, ext_hashing_blake2_256_version_1, uint64_t a)
ABSENT(uint32_t, ext_hashing_keccak_256_version_1, uint64_t a)
ABSENT(uint32_t, ext_hashing_twox_128_version_1, uint64_t a)
ABSENT(uint32_t, ext_hashing_twox_64_version_1, uint64_t a)
ABSENT(void, ext_logging_log_version_1, uint32_t a, uint64_t b, uint64_t c)
ABSENT(void, ext_misc_print_hex_version_1, uint64_t a)
ABSENT(void, ext_misc_print_utf8_version_1, uint64_t a)
ABSENT(uint64_t, ext_misc_runtime_version_version_1, uint64_t a)
ABSENT(void, ext_storage_append_version_1, uint64_t a, uint64_t b)
ABSENT(uint64_t, ext_storage_clear_prefix_version_2, uint64_t a, uint64_t b)
ABSENT(void, ext_storage_clear_version_1, uint64_t a)
ABSENT(void, ext_storage_commit_transaction_version_1)
ABSENT(uint32_t, ext_storage_exists_version_1, uint64_t a)
ABSENT(uint64_t, ext_storage_get_version_1, uint64_t a)
ABSENT(uint64_t, ext_storage_next_key_version_1, uint64_t a)
ABSENT(uint64_t, ext_storage_read_version_1, uint64_t a, uint64_t b, uint32_t c)
ABSENT(void, ext_storage_rollback_transaction_version_1)
ABSENT(uint64_t, ext_storage_root_version_2, uint32_t a)
ABSENT(void, ext_storage_set_version_1, uint64_t a, uint64_t b)
ABSENT(void, ext_storage_start_transaction_version_1)
ABSENT(uint32_t, ext_trie_blake2_256_ordered_root_version_2, uint64_t a, uint32_t b)

/* Calls the entry point `name` without an argument and prints its output as hexadecimal digits. */
static int run(lithify_instance *instance, const char *name) {
    lithify_value heap_base;
    if (lithify_global(instance, "__heap_base", &heap_base) != 0) return -1;
    uint32_t next = (uint32_t)heap_base.i32;
    lithify_set_host_data(instance, &next);

    /* In go the address and length of the argument, out comes an address, the length above it. */
    lithify_value values[2] = {{.i32 = 0}, {.i32 = 0}};
    if (lithify_call(instance, name, values, 2) != 0) return -1;
    uint64_t address = (uint32_t)values[0].i64, len = (uint64_t)values[0].i64 >> 32;
    size_t memory_len;
    const uint8_t *memory = lithify_memory(instance, &memory_len);
    if (address + len > memory_len) return -1;
    printf("0x");
    for (uint64_t i = 0; i < len; i++) printf("%02x", memory[address + i]);
    printf("\n");
    return 0;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "Core_version";
    lithify_options options = {.extra_pages = 64};
    lithify_pool *pool = lithify_pool_new(lithify_module, &options);
    lithify_instance *instance = pool ? lithify_instance_new(pool, name) : NULL;
    int status = instance ? run(instance, name) : -1;
    if (status != 0) fprintf(stderr, "%s: %s\n", name, lithify_last_error());
    lithify_instance_free(instance);
    lithify_pool_free(pool);
    return status == 0 ? 0 : 1;
}
