/*
 * Any bytes as files of Sigma, of Alertmanager and as a mapping file: an error with a place, or a
 * rule file that the engine takes, twice the same; never a crash, never more than a second. The
 * first byte says which form; bytes behind a line "%%MAP" are the mapping file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/import.h"
#include "rules/rule_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* As in fuzz_rules.c: libfyaml 0.7.12 loses memory on a few malformed texts. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static bool accept_rules(void *self, const char *text, size_t bytes,
                         const struct diagnostics_listener *whole, struct error *err)
{
    (void)self;
    return rule_set_check("converted", text, bytes, whole, err) == 0;
}

static bool loads(const char *text, size_t bytes)
{
    struct rule_set *set = NULL;
    struct error err = {""};
    int rc = rule_set_parse("converted", text, bytes, &set, &err);

    rule_set_destroy(set);
    return rc == 0;
}

static void convert(const struct import_input *input)
{
    struct import_result result, again;
    struct error err = {""};

    if (import_convert(input, &result, &err) != 0) {
        if (strncmp(err.text, "fuzz.yml:", 9) != 0)
            abort(); /* an error without a place */
        return;
    }
    for (size_t i = 0; i < result.finding_count; i++)
        if (result.findings[i].why[0] == '\0' || result.findings[i].place.line == 0)
            abort();
    if (import_convert(input, &again, &err) != 0 || again.bytes != result.bytes ||
        memcmp(again.text, result.text, result.bytes) != 0)
        abort();
    /* What was accepted piece by piece is a whole. */
    if (input->accept != NULL && result.entry_count > 0 && !loads(result.text, result.bytes))
        abort();
    import_result_release(&again);
    import_result_release(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char divider[] = "%%MAP\n";
    struct import_file file = {"fuzz.yml", NULL, 0};
    struct import_input input = {.files = &file, .file_count = 1};
    struct import_map *map = NULL;
    struct error err = {""};
    char *text, *behind;

    if (size == 0 || size > 64 << 10)
        return 0;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    file.text = text;
    file.bytes = size - 1;
    behind = memmem(text, file.bytes, divider, sizeof(divider) - 1);
    if (behind != NULL) {
        size_t from = (size_t)(behind - text) + sizeof(divider) - 1;
        map = import_map_parse("map.yml", text + from, file.bytes - from, &err);
        if (map == NULL && strncmp(err.text, "map.yml:", 8) != 0)
            abort();
        file.bytes = (size_t)(behind - text);
        *behind = '\0';
    }
    if (map == NULL)
        map = import_map_create();
    input.map = map;
    input.format = (enum import_format)(data[0] % 3);
    input.accept = data[0] & 4 ? accept_rules : NULL;
    convert(&input);
    import_map_destroy(map);
    free(text);
    return 0;
}
