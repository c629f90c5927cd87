/*
 * import_support.h - what the tests of the importers share: one conversion of a text, and looks
 * at its findings and entries.
 */
#ifndef TESTS_IMPORT_SUPPORT_H
#define TESTS_IMPORT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <stdio.h>
#include "daemon/import.h"
#include "rules/rule_set.h"

/* One conversion; release with imported_release(). */
struct imported {
    struct import_file file;
    struct import_input input;
    struct import_map *map;
    struct import_result result;
    struct error err;
    int rc;
};

static inline bool rules_load(const char *text, size_t bytes, struct error *err)
{
    struct rule_set *set = NULL;
    int rc = rule_set_parse("converted", text, bytes, &set, err);

    rule_set_destroy(set);
    return rc == 0;
}

/* As the command does, but that what is checked as a whole is loaded as well. */
static inline bool rules_accept(void *self, const char *text, size_t bytes,
                                const struct diagnostics_listener *whole, struct error *err)
{
    bool is_good = rule_set_check("converted", text, bytes, whole, err) == 0;

    (void)self;
    if (whole != NULL)
        assert_int_equal(rules_load(text, bytes, err), is_good);
    return is_good;
}

static inline void import_text_with(struct imported *out, const char *text, const char *map,
                                    bool is_loaded)
{
    memset(out, 0, sizeof(*out));
    out->file = (struct import_file){"in.yml", text, strlen(text)};
    out->map = map != NULL ? import_map_parse("map.yml", map, strlen(map), &out->err)
                           : import_map_create();
    if (out->map == NULL)
        fail_msg("%s", out->err.text);
    out->input = (struct import_input){.files = &out->file,
                                       .file_count = 1,
                                       .map = out->map,
                                       .accept = is_loaded ? rules_accept : NULL};
    out->rc = import_convert(&out->input, &out->result, &out->err);
}

static inline void imported_release(struct imported *imported)
{
    import_result_release(&imported->result);
    import_map_destroy(imported->map);
}

/* The finding as people see it. */
static inline void finding_text(const struct imported *imported, size_t index, char *to,
                                size_t bytes)
{
    struct import_text line = {NULL, 0, 0};

    import_finding_print(&imported->result, &imported->input, index, &line);
    snprintf(to, bytes, "%s", line.at);
    import_text_release(&line);
}

static inline bool has_finding(const struct imported *imported, const char *part)
{
    char line[2000];

    for (size_t i = 0; i < imported->result.finding_count; i++) {
        finding_text(imported, i, line, sizeof(line));
        if (strstr(line, part) != NULL)
            return true;
    }
    return false;
}

/* All but the sentence about repeat_interval, which goes with nearly every route of
 * Alertmanager. */
static inline size_t other_findings(const struct imported *imported)
{
    size_t count = 0;

    for (size_t i = 0; i < imported->result.finding_count; i++)
        count += strcmp(imported->result.findings[i].construct, "repeat_interval") != 0;
    return count;
}

static inline void print_findings(const struct imported *imported)
{
    char line[2000];

    for (size_t i = 0; i < imported->result.finding_count; i++) {
        finding_text(imported, i, line, sizeof(line));
        print_message("  %s\n", line);
    }
}

/* The value of the first "KEY: |" (or "KEY: value") of an entry on one line. */
static inline void entry_value(const struct import_entry *entry, const char *key, char *to,
                               size_t bytes)
{
    char head[40];
    const char *at;
    size_t used = 0, indent;

    snprintf(head, sizeof(head), " %s: ", key);
    at = strstr(entry->text, head);
    to[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(head);
    if (*at != '|') {
        snprintf(to, bytes, "%.*s", (int)strcspn(at, "\n"), at);
        return;
    }
    at += 2;
    indent = strspn(at, " ");
    while (strspn(at, " ") >= indent) {
        size_t length = strcspn(at, "\n");
        used += (size_t)snprintf(to + used, bytes - used, "%s%.*s", used > 0 ? " " : "",
                                 (int)(length - indent), at + indent);
        at += length + 1;
    }
}

/* What of the language an entry uses, and the least rule that does: where the engine takes that,
 * it has to take the entry. */
static const struct construct_probe {
    const char *part, *rule;
} construct_probes[] = {
#define PROBE(where, rest)                                                                         \
    "rules:\n  - id: p\n    where: |\n      " where "\n" rest                                      \
    "    incident: {title: t}\n    close: quiet(1m)\n"
#define WINDOW "    window: 1m\n    when: count() >= 1\n"
    {".matches(", PROBE("message.matches(\"(?i)a\")", WINDOW)},
    {"double(", PROBE("double(labels.a) > 5", WINDOW)},
    {".lowerAscii()", PROBE("message.lowerAscii() == source.lowerAscii()", WINDOW)},
    {" ? ", PROBE("(has(labels.a) ? labels.a : \"\").matches(\"^a?$\")", WINDOW)},
    {"    sequence:\n", "rules:\n  - id: p\n    sequence:\n      - where: check == \"a\"\n      - "
                        "where: check == \"b\"\n    within: 1m\n    incident: {title: t}\n    "
                        "close: quiet(1m)\n"},
    {"    all:\n", "rules:\n  - id: p\n    all:\n      - where: check == \"a\"\n      - where: "
                   "check == \"b\"\n    within: 1m\n    incident: {title: t}\n    close: "
                   "quiet(1m)\n"},
    {"look: end", PROBE("check == \"a\"", "    window: {tumbling: 1m}\n    look: end\n    when: "
                                          "count() >= 1\n")},
    {"window: open", PROBE("check == \"a\"", "    window: open\n    when: count() >= 1\n")},
    {"    for: ",
     PROBE("check == \"a\"", "    window: open\n    when: count() >= 1\n    for: 30s\n")},
    {"    time_intervals:\n", "maintenance:\n  - id: m\n    where: rule == \"a\"\n    "
                              "time_intervals:\n      - weekdays: [\"monday\"]\n        location: "
                              "\"UTC\"\n"},
    {"    source: ",
     "inhibit:\n  - id: i\n    source: severity == CRITICAL\n    target: severity == "
     "WARNING\n    equal: [labels.a]\n"},
};

static inline bool engine_takes(const char *text)
{
    struct error err = {""};

    return rules_load(text, strlen(text), &err);
}

/* True when the engine has all that the entry uses. */
static inline bool engine_has_all(const struct import_entry *entry)
{
    for (size_t i = 0; i < sizeof(construct_probes) / sizeof(construct_probes[0]); i++)
        if (strstr(entry->text, construct_probes[i].part) != NULL &&
            !engine_takes(construct_probes[i].rule))
            return false;
    return true;
}

/* Every entry whose constructs the engine has, loads. Returns how many were looked at. */
static inline size_t assert_entries_load(const struct imported *imported)
{
    static const char *const sections[] = {"rules", "maintenance", "inhibit", "enrich"};
    size_t count = 0;

    for (size_t i = 0; i < imported->result.entry_count; i++) {
        const struct import_entry *entry = &imported->result.entries[i];
        struct import_text text = {NULL, 0, 0};
        struct error err = {""};
        if (!engine_has_all(entry))
            continue;
        count++;
        import_text_format(&text, "%s:\n%s", sections[entry->section], entry->text);
        if (!rules_load(text.at, text.bytes, &err))
            fail_msg("%s\n%s", text.at, err.text);
        import_text_release(&text);
    }
    return count;
}

#endif
