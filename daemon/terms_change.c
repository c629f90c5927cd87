/* terms_change.c - see terms_change.h. */
#include "daemon/terms_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const keys[TERMS_KEYS] = {"engine.alerts.max", "engine.expire",
                                             "engine.flap.window", "engine.flap.start",
                                             "engine.flap.stop"};

/* As the configuration has it. */
static void print_value(const struct engine_terms *terms, int key, char to[UNIT_TEXT_BYTES])
{
    const uint32_t counts[TERMS_KEYS] = {
        [0] = terms->alerts_max, [3] = terms->flap_start, [4] = terms->flap_stop};

    if (key == 1 || key == 2)
        unit_format_duration(key == 1 ? terms->expire_ms : terms->flap_window_ms, to);
    else
        snprintf(to, UNIT_TEXT_BYTES, "%" PRIu32, counts[key]);
}

size_t terms_changes(const struct engine_terms *from, const struct engine_terms *to,
                     struct terms_change out[TERMS_KEYS])
{
    size_t count = 0;

    for (int key = 0; key < TERMS_KEYS; key++) {
        struct terms_change *change = &out[count];
        change->key = keys[key];
        print_value(from, key, change->from);
        print_value(to, key, change->to);
        count += strcmp(change->from, change->to) != 0;
    }
    return count;
}

const char *terms_changes_print(const struct terms_change *changes, size_t count,
                                char to[TERMS_NAMES_BYTES])
{
    size_t used = 0;

    to[0] = '\0';
    for (size_t i = 0; i < count && used < TERMS_NAMES_BYTES; i++)
        used += (size_t)snprintf(to + used, TERMS_NAMES_BYTES - used, "%s%s %s -> %s",
                                 i > 0 ? ", " : "", changes[i].key, changes[i].from, changes[i].to);
    return to;
}

json_t *terms_json(const struct engine_terms *terms)
{
    json_t *object = json_object();
    char value[UNIT_TEXT_BYTES];

    for (int key = 0; key < TERMS_KEYS; key++) {
        print_value(terms, key, value);
        json_object_set_new(object, keys[key], json_string(value));
    }
    return object;
}

static bool read_value(const char *text, int key, struct engine_terms *terms)
{
    uint32_t *const counts[TERMS_KEYS] = {
        [0] = &terms->alerts_max, [3] = &terms->flap_start, [4] = &terms->flap_stop};
    struct error ignored;
    int64_t count;

    if (text == NULL)
        return false;
    if (key == 1 || key == 2)
        return unit_parse_duration(text, key == 1 ? &terms->expire_ms : &terms->flap_window_ms,
                                   &ignored) == 0;
    if (unit_parse_count(text, &count, &ignored) != 0 || count < 0 || count > UINT32_MAX)
        return false;
    *counts[key] = (uint32_t)count;
    return true;
}

bool terms_read(const json_t *object, struct engine_terms *terms)
{
    bool is_good = true;

    *terms = (struct engine_terms){.alerts_max = 0};
    for (int key = 0; key < TERMS_KEYS; key++)
        is_good = is_good &&
                  read_value(json_string_value(json_object_get(object, keys[key])), key, terms);
    return is_good;
}
