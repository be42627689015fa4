/* Returns a text by its address in linear memory, where whoever calls reads it up to its zero. */

#include <stdlib.h>
#include <string.h>

__attribute__((export_name("somecall"))) char *somecall(void) {
    static const char text[] = "testingonly";
    char *copy = malloc(sizeof text);
    return copy ? memcpy(copy, text, sizeof text) : NULL;
}
