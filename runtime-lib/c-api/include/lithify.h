/* Runs a module that Lithify compiled to an object and a linker put into this program.
 *
 *     lithify compile guest.wasm --emit obj -o guest.o
 *     lithify compile guest.wasm --emit header -o guest.h
 *     cc main.c guest.o -llithify_runtime -o program
 *
 * A function import is an undefined symbol that the program defines with the guest's types, `base`
 * first; the header made with the object has a prototype for each:
 *
 *     uint32_t LITHIFY_IMPORT(env, ext_logging_max_level_version_1)(uint8_t *base) { return 0; }
 *
 * Names are the module's own choice, so they bind nothing else: an import of `system` is
 * `lithify_import_env__system`, and an export of `free` is no symbol at all unless it is asked for
 * (`--export`). Functions are called by name through this interface, which gives them the guest's
 * own stack, fresh memory for each instance, and traps in place of crashes. To link the module of a
 * stranger is as safe as the functions that the program defines for it; to link an object that a
 * stranger compiled is to run the stranger's code. Several objects in one program need a prefix
 * each: `--symbol-prefix`.
 *
 * `base` is the guest's linear memory: guest address `a` is at `base + a`. Writing beyond its
 * length is the program's own fault. Parts of memory may be write-protected until they are first
 * written; ordinary writes do not notice, but a system call that writes there needs
 * `lithify_touch` before.
 *
 * Host functions run on the guest's stack and go on below it, in 256 MiB of address space. Handlers
 * of signals need SA_ONSTACK: those that the program has when its first pool is made get it, a later
 * one without it ends the call (not the process) when the guest has used up its stack.
 *
 * One instance is used by one thread at a time; pools may be shared.
 */

#ifndef LITHIFY_H
#define LITHIFY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define LITHIFY_NORETURN [[noreturn]]
#else
#define LITHIFY_NORETURN _Noreturn
#endif

/* The symbol of the import MODULE.NAME, where both are identifiers without a Z and MODULE has no two
 * underscores in a row nor one at its end; any other is in the header made with the object. */
#define LITHIFY_IMPORT(module, name) lithify_import_##module##__##name

/* What the linker made of a module: pass its address to lithify_pool_new. */
extern const uint8_t lithify_module[];

/* An argument or a result; references are 64 bits, null is 0. */
typedef union {
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
#ifdef __cplusplus
    alignas(16)
#else
    _Alignas(16)
#endif
    uint8_t v128[16];
} lithify_value;

/* How instances are made. Zeros are the defaults. */
typedef struct {
    /* Pages of 64 KiB on top of the module's initial memory, which then cannot grow. */
    uint32_t extra_pages;
    /* When extra_pages is 0: the largest size of memory in pages, instead of the module's. */
    uint32_t max_pages;
    /* The guest's stack, in bytes; 0 for 4 MiB. */
    size_t stack_size;
    /* The longest that a call or a start function may take, in nanoseconds; 0 for no limit. A guest
     * that is stopped has left its memory in the middle of something: free the instance. */
    uint64_t timeout_ns;
} lithify_options;

typedef struct lithify_pool lithify_pool;
typedef struct lithify_instance lithify_instance;

/* Makes a pool of instances of a linked module. `options` may be null. Null on failure. */
lithify_pool *lithify_pool_new(const uint8_t *module, const lithify_options *options);

/* Frees a pool. Its instances stay valid. */
void lithify_pool_free(lithify_pool *pool);

/* A fresh instance: memory, globals and tables are as in the module. Naming the function that
 * will be called (else null) makes later ones faster. Null on failure. */
lithify_instance *lithify_instance_new(lithify_pool *pool, const char *entry);

/* Frees an instance; everything it changed is gone. */
void lithify_instance_free(lithify_instance *instance);

/* Calls the function exported as `name`. The `count` values hold the arguments and receive the
 * results, so there must be as many as the longer of the two lists. 0 when it returned, -1 when
 * it trapped or the call is not possible. */
int lithify_call(lithify_instance *instance, const char *name, lithify_value *values,
                 size_t count);

/* Linear memory, and its current length in bytes if `len` is not null. */
uint8_t *lithify_memory(lithify_instance *instance, size_t *len);

/* The value of the global exported as `name`, such as a runtime's `__heap_base`. 0, or -1 when
 * there is none. */
int lithify_global(lithify_instance *instance, const char *name, lithify_value *value);

/* Sets what lithify_host_data returns to host functions of this instance. */
void lithify_set_host_data(lithify_instance *instance, void *data);

/* What went wrong in the latest failed call of this thread: one line, for a trap followed by the
 * guest's backtrace. Valid until the next failure in this thread; never null. */
const char *lithify_last_error(void);

/* For host functions, with the `base` they got: */

/* Stops the guest: the lithify_call that runs it returns -1. Skips the frames of the host
 * function, so nothing in them may need cleaning up. */
LITHIFY_NORETURN void lithify_trap(uint8_t *base, const char *message);

/* What lithify_set_host_data set, or null. */
void *lithify_host_data(uint8_t *base);

/* Length of linear memory, in bytes. */
size_t lithify_memory_len(uint8_t *base);

/* Grows linear memory by `pages` of 64 KiB; its previous size in pages, or UINT32_MAX. */
uint32_t lithify_memory_grow(uint8_t *base, uint32_t pages);

/* Makes `len` bytes at guest address `address` writable for system calls. */
void lithify_touch(uint8_t *base, uint32_t address, uint32_t len);

#ifdef __cplusplus
}
#endif

#endif
