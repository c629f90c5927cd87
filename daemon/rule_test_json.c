/* rule_test_json.c - see rule_test_json.h. */
#include "daemon/rule_test_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ingest/json_number.h"
#include "rules/fields.h"

enum { PATH_BYTES = 160, SHOWN_BYTES = 512 };

/* A value as a person reads it, cut. */
static void show(const json_t *json, char *to, size_t bytes)
{
    char *text = NULL;

    if (json == NULL) {
        snprintf(to, bytes, "(absent)");
    } else if (json_is_string(json)) {
        snprintf(to, bytes, "%s", json_string_value(json));
    } else {
        text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
        snprintf(to, bytes, "%s", text != NULL ? text : "(out of memory)");
        free(text);
    }
}

static bool number_equals(const struct text text, double got)
{
    const char *end = text.at + text.len;
    struct json_number number;
    char scratch[64];
    double wanted;

    return text.len < sizeof(scratch) && json_number_scan(text.at, end, &number) == end &&
           json_number_to_double(&number, scratch, &wanted) && !(wanted < got) && !(wanted > got);
}

static bool scalar_equals(const struct yaml_node *expected, const json_t *got)
{
    if (got == NULL || json_is_null(got))
        return text_equals(expected->text, "null");
    if (json_is_string(got))
        return text_equals(expected->text, json_string_value(got));
    if (json_is_number(got))
        return number_equals(expected->text, json_number_value(got));
    if (json_is_boolean(got))
        return text_equals(expected->text, json_is_true(got) ? "true" : "false");
    return false;
}

static void compare_list(struct rule_test_rows *rows, const char *field,
                         const struct yaml_node *expected, const json_t *got)
{
    const struct yaml_node *at = expected->first;
    char path[PATH_BYTES] = "", wanted[24], shown[SHOWN_BYTES];

    if (!json_is_array(got) || json_array_size(got) != expected->count) {
        snprintf(wanted, sizeof(wanted), "%" PRIu32 " entr%s", expected->count,
                 expected->count == 1 ? "y" : "ies");
        show(got, shown, sizeof(shown));
        rule_test_rows_add(rows, field, expected->span, false, wanted, shown);
        return;
    }
    for (size_t i = 0; at != NULL; i++, at = at->next) {
        if (rows->arena != NULL)
            snprintf(path, sizeof(path), "%s[%zu]", field, i);
        rule_test_json_compare(rows, path, at, json_array_get(got, i));
    }
}

void rule_test_json_compare(struct rule_test_rows *rows, const char *field,
                            const struct yaml_node *expected, const json_t *got)
{
    char path[PATH_BYTES] = "", shown[SHOWN_BYTES];

    if (expected->kind == YAML_LIST) {
        compare_list(rows, field, expected, got);
        return;
    }
    if (expected->kind == YAML_MAP && (json_is_object(got) || expected->count > 0)) {
        for (const struct yaml_node *at = expected->first;
             at != NULL && !rule_test_rows_suffice(rows); at = at->next) {
            if (rows->arena != NULL)
                snprintf(path, sizeof(path), "%s.%s", field, at->key->text.at);
            rule_test_json_compare(rows, path, at, json_object_get(got, at->key->text.at));
        }
        return;
    }
    bool is_met = expected->kind == YAML_SCALAR && scalar_equals(expected, got);
    shown[0] = '\0';
    if (rows->arena != NULL)
        show(got, shown, sizeof(shown));
    rule_test_rows_add(rows, field, expected->span, is_met,
                       expected->kind == YAML_MAP ? "a map" : expected->text.at, shown);
}
