/*
 * import.h - rules of other systems in, text of a tocsin rule file out.
 *
 *   files --> YAML nodes --> importer (Sigma | Alertmanager) --> entries + findings
 *                                                                 |
 *                                       one rule file, with the findings at its head
 *
 * What cannot be carried over becomes a finding, and nothing else is silent: a key that may
 * change what a rule matches leaves the rule out; one that only describes is listed alone.
 * Every entry is shown to `accept` (the loader of the engine) before it is written, then all of
 * them together; what the engine refuses is left out with the engine's own reason. So the result
 * always loads.
 *
 * The same input gives the same bytes.
 *
 * Limits: those below, and those of rules/yaml_reader.h for each file.
 * Thread: one at a time.
 */
#ifndef DAEMON_IMPORT_H
#define DAEMON_IMPORT_H

#include "base/error.h"
#include "daemon/import_map.h"
#include "rules/diagnostics.h"

enum {
    IMPORT_FILES_MAX = 64,
    IMPORT_BYTES_MAX = 16 << 20, /* of all files */
    IMPORT_DOCUMENTS_MAX = 20000,
    IMPORT_FINDINGS_MAX = 20000, /* one more, and the import fails */
    IMPORT_ENTRIES_MAX = 10000,  /* half of what a set takes: each is read twice */
};

enum import_format { IMPORT_AUTO, IMPORT_SIGMA, IMPORT_ALERTMANAGER };

enum import_effect {
    IMPORT_LEFT_OUT, /* the rule, route or interval is not in the result */
    IMPORT_IGNORED,  /* a key is not; the rest of the rule is */
    IMPORT_DIFFERS,  /* it is there, and does not mean quite the same */
};

struct import_finding {
    struct span span;
    uint32_t file; /* index of the input */
    struct place place;
    enum import_effect effect;
    const char *construct; /* "rule \"Many logins\"", "key group_interval" */
    const char *why;
};

enum import_section {
    IMPORT_RULES,
    IMPORT_MAINTENANCE,
    IMPORT_INHIBIT,
    IMPORT_ENRICH,
    IMPORT_SECTIONS
};

/* One rule, maintenance window, inhibition or enrich step of the result. */
struct import_entry {
    enum import_section section;
    const char *id;
    const char *text;    /* YAML, two blanks deep, with a line end */
    const char *comment; /* lines that begin with "  # "; "" */
};

struct import_file {
    const char *name;
    const char *text; /* a zero byte behind it */
    size_t bytes;
};

struct import_input {
    const struct import_file *files;
    size_t file_count;
    enum import_format format;
    const struct import_map *map;
    /* True when the engine takes `text` as a rule file, else a sentence in the form of
     * rules/diagnostics.h. It is asked of some entries at a time, and at the end of all of them:
     * then `whole` is told of each place that is not taken. NULL: everything is taken. */
    bool (*accept)(void *self, const char *text, size_t bytes,
                   const struct diagnostics_listener *whole, struct error *err);
    /* Told from time to time how much of the input is converted. NULL: nobody asks. */
    void (*progress)(void *self, size_t done, size_t total);
    void *self;
};

struct import_result {
    enum import_format format;
    const struct import_finding *findings; /* by file and place */
    size_t finding_count;
    const struct import_entry *entries; /* in the order of the input, by section */
    size_t entry_count;
    const char *text;
    size_t bytes;
    struct import_work *work; /* owns all of the above */
};

/* Converts. Nothing carried over is a success with findings.
 * Errors: -EINVAL with a sentence that names the file: no YAML, nothing that is known, a limit.
 * Owner:  *out is the caller's, until import_result_release(). It borrows the files. */
int import_convert(const struct import_input *input, struct import_result *out, struct error *err);
void import_result_release(struct import_result *result);

/* "left out", "ignored", "differs". */
const char *import_effect_name(enum import_effect effect);
const char *import_format_name(enum import_format format);

/* One line, as people see it: FILE:LINE:COLUMN: left out: construct: why. */
void import_finding_print(const struct import_result *result, const struct import_input *input,
                          size_t index, struct import_text *to);

#endif
