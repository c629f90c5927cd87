/*
 * Any bytes as a rule file: an error with a place, or a set that answers; never a
 * crash, never more than a second. An accepted set enriches one event, and is matched, keyed,
 * evaluated, titled and explained with what comes of it, and read a second time: the same text
 * gives the same hash. What follows a line "===" is what every file holds that the rules name (a
 * set, a table).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/text.h"
#include "rules/enrich.h"
#include "rules/explain.h"
#include "rules/rule_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses 4 KiB of its own on a few malformed texts (a quoted key of more than 64
 * pieces). What we owe it to free is held by the unit tests under the address sanitizer. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

/* ---- the files that rules name ---- */

static const char *file_data;
static size_t file_bytes, file_at;

static int file_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)path, (void)flags, (void)mode;
    file_at = 0;
    return 1000;
}

static ssize_t file_read(void *self, int fd, void *to, size_t bytes)
{
    (void)self, (void)fd;
    bytes = bytes < file_bytes - file_at ? bytes : file_bytes - file_at;
    if (bytes > 0)
        memcpy(to, file_data + file_at, bytes);
    file_at += bytes;
    return (ssize_t)bytes;
}

static int file_close(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static bool file_is_regular(void *self, int fd)
{
    (void)self, (void)fd;
    return true;
}

/* Cuts the text at its "===" line; what is behind it is the file. */
static size_t files_begin(char *text, size_t size)
{
    static struct host fake;
    char *cut = memmem(text, size, "\n===\n", 5);

    host_set(NULL);
    fake = *host();
    fake.open = file_open;
    fake.read = file_read;
    fake.close = file_close;
    fake.is_regular = file_is_regular;
    host_set(&fake);
    file_data = cut != NULL ? cut + 5 : text;
    file_bytes = cut != NULL ? size - (size_t)(file_data - text) : 0;
    if (cut == NULL)
        return size;
    cut[1] = '\0';
    return (size_t)(cut - text) + 1;
}

/* ---- one event ---- */

/* The event as steps make it, or as it was; `it` holds its words. */
static struct event_view enriched(const struct rule_set *set, const struct event_view *view,
                                  struct enriching *it)
{
    static struct enrich_room *room;
    static struct enrich_tally tally[ENRICH_STEPS_MAX];
    const struct enrich_set *steps = rule_set_enrich(set);

    if (room == NULL)
        room = enrich_room_create();
    if (room == NULL || steps == NULL)
        return *view;
    enrich_start(it, steps, room, view);
    enrich_run(it, enrich_drop_reach(steps), tally);
    if (enrich_run(it, enrich_count(steps), tally) != NULL)
        return *view;
    return it->view;
}

static void ask(const struct rule_set *set)
{
    static const struct event_label labels[] = {{{"rack", 4}, {"r7", 2}}, {{"x", 1}, {"", 0}}};
    struct event_draft draft = {
        .field = {text_of("acme"), text_of("smartd"), text_of("db01/sda"), text_of("disk.smart"),
                  text_of(""), text_of("sectors")},
        .labels = labels,
        .label_count = 2,
        .has_value = true,
        .value = 91.5,
    };
    _Alignas(8) char buffer[1024];
    struct event_view view = {.text =
                                  event_text_pack(buffer, event_text_bytes(&draft), &draft, 1000),
                              .severity = 5,
                              .et_ms = 4000};
    struct enriching it;
    uint32_t out[64];
    view = enriched(set, &view, &it);
    size_t count = rule_set_match(set, &view, out, 64);
    static struct explanation explanation;

    for (uint32_t i = 0; i < rule_set_count(set) && i < 64; i++)
        rule_explain_where(rule_set_rule(set, i), &view, &explanation);
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = rule_set_rule(set, out[i]);
        int64_t value[RULE_AGGREGATES_MAX] = {1, 2, 3, 4, 5, 6, 7, 8};
        struct text by[RULE_BY_MAX];
        char title[40], scratch[32];
        rule_by_values(rule, &view, by);
        for (uint32_t a = 0; a < rule->aggregate_count; a++)
            if (rule->aggregate[a].kind == AGGREGATE_DISTINCT)
                rule_aggregate_value(rule, a, &view, scratch);
        rule_when(rule, value);
        rule_close(rule, 60000, true);
        rule_title(rule, &view, value, title, sizeof(title));
        if (strlen(title) >= sizeof(title))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rule_set *set = NULL, *again = NULL;
    struct error err = {""};
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    size = files_begin(text, size);
    int rc = rule_set_parse("fuzz.yaml", text, size, &set, &err);
    if (rc == 0) {
        ask(set);
        if (rule_set_parse("fuzz.yaml", text, size, &again, &err) != 0)
            abort();
        struct id128 a = rule_set_hash(set), b = rule_set_hash(again);
        if (!id128_equal(a, b))
            abort();
        rule_set_destroy(again);
    } else if (strncmp(err.text, "fuzz.yaml:", 10) != 0 && strncmp(err.text, "./", 2) != 0 &&
               err.text[0] != '/' && rc != -12) {
        abort(); /* an error without a place */
    }
    rule_set_destroy(set);
    free(text);
    return 0;
}
