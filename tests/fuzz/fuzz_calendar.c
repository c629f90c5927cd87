/*
 * Any bytes as a maintenance window, a recurrence rule or the file of a time zone: an error with a
 * place, or a calendar that answers; never a crash, never more than a second. The first byte says
 * which. What a calendar says holds until it says: just before, the answer is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "rules/mute.h"
#include "rules/rule_set.h"
#include "rules/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* As in fuzz_rules.c. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static const int64_t times[] = {0, 951782400, 1700000000, 1774746000, 4102444800, 250000000000};

enum { TIMES = sizeof(times) / sizeof(times[0]) };

static void ask_file(const char *text, size_t size)
{
    struct rule_set *set = NULL;
    struct error err = {""};
    int rc = rule_set_parse("fuzz.yaml", text, size, &set, &err);

    if (rc != 0 && strncmp(err.text, "fuzz.yaml:", 10) != 0 && rc != -12)
        abort(); /* an error without a place */
    for (uint32_t i = 0; rc == 0 && i < rule_set_mute_count(set) && i < 4; i++) {
        const struct mute *mute = rule_set_mute(set, i);
        for (int t = 0; t < TIMES && mute->kind != MUTE_INHIBIT; t++) {
            int64_t at_ms = times[t] * 1000;
            struct calendar_state state = mute_at(mute, at_ms);
            if (state.until_ms <= at_ms)
                abort();
            if (state.until_ms < INT64_MAX &&
                mute_at(mute, state.until_ms - 1).is_open != state.is_open)
                abort();
        }
    }
    rule_set_destroy(set);
}

static void ask_rule(const char *text, size_t size)
{
    struct recurrence rule;
    struct recurrence_fault fault;
    struct text words = {text, (uint32_t)size};

    if (!recurrence_read(words, 1767492000, NULL, &rule, &fault)) {
        if (fault.why == NULL || fault.from > fault.to || fault.to > size)
            abort();
        return;
    }
    for (int t = 0; t < TIMES; t++) {
        int64_t next, last;
        if (!recurrence_next(&rule, times[t], &next))
            continue;
        if (next <= times[t] || !recurrence_last(&rule, next, next, &last) || last != next)
            abort();
    }
}

static void ask_zone(const char *bytes, size_t size)
{
    struct arena *arena = arena_create(1 << 20);
    const char *why = NULL;
    const struct zone *zone = zone_decode(bytes, size, arena, &why);

    for (int t = 0; zone != NULL && t < TIMES; t++) {
        int64_t change = zone_next_change(zone, times[t]);
        if (change <= times[t])
            abort();
        if (change < INT64_MAX && zone_offset(zone, change - 1) != zone_offset(zone, times[t]))
            abort();
        zone_utc(zone, times[t]);
    }
    if (zone == NULL && why == NULL)
        abort();
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] == 'r')
        ask_rule(text, size - 1);
    else if (data[0] == 'z')
        ask_zone(text, size - 1);
    else
        ask_file(text, size - 1);
    free(text);
    return 0;
}
