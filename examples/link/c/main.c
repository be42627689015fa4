/* A module as a part of a C program: its host function is in C, and a trap is an error like any
 * other. `make` builds it. */

#include "lithify.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The guest's import `env.print`. */
void print(uint8_t *base, uint32_t address, uint32_t len) {
    if ((size_t)address + len > lithify_memory_len(base)) lithify_trap(base, "print: out of bounds");
    printf("the guest says: %.*s\n", (int)len, (char *)base + address);
}

/* Sums the bytes of `text` on a fresh instance. */
static int sum(lithify_pool *pool, const char *text) {
    lithify_instance *instance = lithify_instance_new(pool, "sum");
    if (!instance) return -1;
    size_t len;
    uint8_t *memory = lithify_memory(instance, &len);
    uint32_t address = 1024;
    memcpy(memory + address, text, strlen(text));
    lithify_value values[2] = {{.i32 = (int32_t)address}, {.i32 = (int32_t)strlen(text)}};
    int status = lithify_call(instance, "sum", values, 2);
    if (status == 0) {
        int64_t result = values[0].i64;
        printf("\"%s\": sum %" PRId64 ", call %" PRId64 "\n", text, result & 0xffffffff, result >> 32);
    }
    lithify_instance_free(instance);
    return status;
}

int main(void) {
    lithify_pool *pool = lithify_pool_new(lithify_module, NULL);
    const char *texts[] = {"a", "abc", "", "abc"};
    for (int i = 0; pool && i < 4; i++)
        if (sum(pool, texts[i]) != 0) printf("\"%s\": %s\n", texts[i], lithify_last_error());
    if (!pool) fprintf(stderr, "%s\n", lithify_last_error());
    lithify_pool_free(pool);
    return pool ? 0 : 1;
}
