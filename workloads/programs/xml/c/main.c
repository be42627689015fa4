/* Validates an XML document by a schema, with libxml2: as a program, and by functions that whoever
 * calls them gives the bytes of both. */

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(#name)))

/* What is wrong comes as a number. */
static void say_nothing(void *context, xmlErrorPtr error) {
    (void)context, (void)error;
}

/* Memory for a document or a schema. */
EXPORT(wasm_allocate) void *wasm_allocate(size_t len) {
    return malloc(len);
}

EXPORT(wasm_free) void wasm_free(void *bytes) {
    free(bytes);
}

/* The schema that the bytes are; null where they are none. */
EXPORT(wasm_new_schema) xmlSchemaPtr wasm_new_schema(const char *bytes, int len) {
    xmlSetStructuredErrorFunc(NULL, say_nothing);
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewMemParserCtxt(bytes, len);
    if (!parser) return NULL;
    xmlSchemaPtr schema = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    return schema;
}

EXPORT(wasm_free_schema) void wasm_free_schema(xmlSchemaPtr schema) {
    xmlSchemaFree(schema);
}

/* 0 where the document is valid, the number of an error where it is not, -1 where it is no XML. */
EXPORT(wasm_validate_xml) int wasm_validate_xml(const char *bytes, int len, xmlSchemaPtr schema) {
    xmlSetStructuredErrorFunc(NULL, say_nothing);
    int result = -1;
    xmlDocPtr document = xmlReadMemory(bytes, len, NULL, NULL, XML_PARSE_NONET);
    xmlSchemaValidCtxtPtr validator = document ? xmlSchemaNewValidCtxt(schema) : NULL;
    if (validator) result = xmlSchemaValidateDoc(validator, document);
    xmlSchemaFreeValidCtxt(validator);
    xmlFreeDoc(document);
    return result;
}

/* All of a file; null where it cannot be read. */
static char *contents(const char *name, int *len) {
    FILE *file = fopen(name, "rb");
    if (!file) return NULL;
    enum { MOST = 1 << 20 };
    char *bytes = wasm_allocate(MOST);
    if (bytes) *len = (int)fread(bytes, 1, MOST, file);
    fclose(file);
    return bytes;
}

int main(int argc, char **argv) {
    int schema_len, len;
    char *schema_bytes = argc == 3 ? contents(argv[1], &schema_len) : NULL;
    char *bytes = schema_bytes ? contents(argv[2], &len) : NULL;
    if (!bytes) {
        fprintf(stderr, "give the files of a schema and of a document\n");
        return 1;
    }
    xmlSchemaPtr schema = wasm_new_schema(schema_bytes, schema_len);
    if (!schema) {
        fprintf(stderr, "%s: not a schema\n", argv[1]);
        return 1;
    }
    printf("%d\n", wasm_validate_xml(bytes, len, schema));
    wasm_free_schema(schema);
    wasm_free(schema_bytes);
    wasm_free(bytes);
    return 0;
}
