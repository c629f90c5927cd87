/*
 * config.h - the one configuration file: YAML in, one immutable struct out.
 *
 *   YAML text -> (libfyaml) -> rows of daemon/config_keys.c -> checked -> struct config
 *
 * Every key is a row of a constant table: path, kind, default, range, help, and
 * whether SIGHUP can change it. Validation, `tocsin check --keys`, the table in
 * docs/configuration.md and the comparison on reload are made from the rows.
 *
 * Secrets do not stand in the file: a value of a free map (`input.properties`,
 * `sinks[].options`) may be env:NAME or file:PATH. That it can be read is checked here
 * where it is needed; who needs the secret reads it, so that it never stands in a config.
 *
 * Thread: load and destroy by one thread; a loaded config is never modified.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"
#include "correlate/engine.h"
#include "rules/diagnostics.h"
#include "sinks/outbox.h"

enum { CONFIG_BYTES_MAX = 1 << 20, CONFIG_ITEMS_MAX = 256, CONFIG_SECRET_BYTES_MAX = 64 << 10 };
enum { CONFIG_TOKEN_BYTES_MIN = 16 }; /* of admin.tokens */

enum config_kind {
    CONFIG_TEXT,     /* const char * */
    CONFIG_FLAG,     /* bool: true or false */
    CONFIG_COUNT,    /* int64_t */
    CONFIG_DURATION, /* int64_t, milliseconds */
    CONFIG_SIZE,     /* int64_t, bytes */
    CONFIG_CHOICE,   /* int64_t: index into `choices` */
    CONFIG_START,    /* const char *: earliest, latest or a time */
    CONFIG_ADDRESS,  /* const char *: host:port, or "off" */
    CONFIG_BROKERS,  /* const char *: daemon/brokers.h */
    CONFIG_TEXTS,    /* struct config_texts: a list of words */
    CONFIG_PAIRS,    /* struct config_pairs: a map of free names */
    CONFIG_TOPICS,   /* struct config_topics: rows "input.topics[].x" */
    CONFIG_SINKS,    /* struct config_sinks: rows "sinks[].x" */
    CONFIG_QUOTAS,   /* struct config_quotas: rows "quotas.tenants[].x" */
};

struct config_texts {
    const char **item;
    const struct span *place; /* of each item; NULL: a default */
    size_t count;
};

struct config_pairs {
    struct config_pair {
        const char *name;
        const char *value;   /* what is handed on: file:PATH with its folder */
        const char *written; /* as the file says it */
        struct span name_place, value_place;
        bool is_absent; /* a secret that cannot be read here */
    } * item;
    size_t count;
};

struct config_topic {
    const char *topic;
    int64_t format; /* enum event_format */
    int64_t disorder_ms;
    bool log_append_time;
    const char *tenant;
    bool tenant_fixed;
    bool gaps_expected;
};

struct config_sink {
    const char *name;
    const char *type;
    int64_t priority; /* enum priority */
    struct config_pairs options;
};

struct config_quota {
    const char *tenant;
    int64_t events, burst; /* a second; 0: no limit, and ten seconds' worth */
};

enum { INPUT_ASSIGN, INPUT_GROUP };

struct config {
    struct arena *arena;  /* owns all that follows */
    const char *path;     /* as given; "" when only defaults are in force */
    struct script script; /* the file, for what is found wrong after reading it */
    size_t absent_count;  /* secrets that cannot be read here, */
    const char *absent;   /* and what the first of them is missing */
    struct {
        const char *brokers;
        const char *group;
        int64_t mode; /* INPUT_ASSIGN, INPUT_GROUP */
        const char *start;
        bool accept_gap;
        int64_t unreachable_ms;
        struct config_topics {
            struct config_topic *item;
            size_t count;
        } topics;
        struct config_pairs properties;
    } input;
    struct {
        int64_t workers; /* 0: one for each core */
        int64_t epoch_ms, round_ms, past_ms, future_ms, behind_ms, slack_ms;
        int64_t take, alerts_max, expire_ms;
        int64_t flap_window_ms, flap_start, flap_stop;
    } engine;
    struct {
        int64_t events, burst, tracked_max; /* as of a tenant */
        struct config_quotas {
            struct config_quota *item;
            size_t count;
        } tenants;
    } quotas;
    struct {
        int64_t behind_ms, for_ms, until_ms; /* 0: off; and half of the first */
        int64_t below;                       /* enum severity but 1 */
    } shedding;
    struct config_texts rules; /* paths, ready to be opened */
    struct config_sinks {
        struct config_sink *item;
        size_t count;
    } sinks;
    struct {
        int64_t ops_max, bytes_max, dead_max, flush_ms;
    } outbox;
    struct {
        const char *listen; /* "host:port", or "off" */
        int64_t connections_max;
        struct config_pairs tokens; /* who has which */
    } admin;
    struct {
        int64_t body_max, backlog_max;
        int64_t keep_ms;   /* 0: whatever its age */
        int64_t bytes_max; /* 0: no bound */
    } intake;
    struct {
        int64_t budget; /* 0: derived from what the system allows */
    } memory;
    struct {
        int64_t level;  /* enum log_level */
        int64_t format; /* enum log_format */
    } log;
    struct {
        const char *path; /* "": none */
        struct span place;
        int64_t bytes_max;
    } quarantine;
    struct {
        const char *path; /* "": none */
        struct span place;
    } incident_log;
    struct {
        const char *path; /* "": none */
        struct span place;
    } marks;
    struct {
        const char *dir; /* "": none */
        struct span place;
        int64_t snapshot_every_ms;
        int64_t journal_keep_ms;   /* 0: whatever its age */
        int64_t journal_bytes_max; /* 0: no bound */
    } data;
    struct {
        const char *address; /* "": none */
        const char *unit;
        int64_t lease_ms, hold_ms;
        struct config_pairs options; /* user, password */
    } shared;
    struct {
        bool enabled;
        int64_t keep_ms;      /* 0: whatever their age */
        int64_t bytes_max;    /* 0: whatever its size */
        const char *timezone; /* of what people read */
    } history;
};

struct config_key {
    const char *path; /* "engine.flap.window", "input.topics[].disorder" */
    enum config_kind kind;
    size_t offset;        /* in struct config, or in the item of a list */
    const char *fallback; /* default as text; NULL: required */
    const char *help;
    int64_t min, max; /* of numbers; max 0: no bound */
    const char *choices;
    bool live; /* SIGHUP changes it */
};

/* Whether the files that a run writes can be written; leaves none behind. Errors: -EINVAL with
 * the keys' places and sentences (daemon/config_files.c). */
int config_check_files(const struct config *config, struct error *err);

/* The rows (daemon/config_keys.c). */
const struct config_key *config_keys(size_t *count);

/* Whether secrets that cannot be read are a fault: not for who sends and reads nothing. */
enum config_secrets { CONFIG_SECRETS_NEEDED, CONFIG_SECRETS_MAY_BE_ABSENT };

/* Whether a file asks for `log.format: json`, whatever else is wrong with it: who refuses it says
 * so in that form. False where that cannot be told, and of NULL. */
bool config_wants_json_log(const char *path);

/* Reads and checks `path`; NULL gives the defaults.
 * Errors: -errno of reading, or -EINVAL with "file:line:column: sentence", the source
 *         line and a caret, for up to ten faults.
 * Owner:  the caller, until config_destroy(). */
int config_load(const char *path, enum config_secrets secrets, struct config **out,
                struct error *err);

/* The same from memory; relative paths in it start at the folder of `name`. */
int config_parse(const char *name, const char *text, size_t bytes, enum config_secrets secrets,
                 struct config **out, struct error *err);
void config_destroy(struct config *config);

/* Calls `each` with path and value, as text, of everything in the config; free
 * values that may be secret are shown as they were written, or as ***. */
void config_walk(const struct config *config,
                 void (*each)(void *self, const struct config_key *key, const char *path,
                              const char *value),
                 void *self);

/* The keys that differ and that a running daemon cannot follow. Returns how many;
 * their paths, comma separated, go to `names`. */
enum { RESTART_KEYS_BYTES = 4096 }; /* room for the names of all keys */
size_t config_restart_keys(const struct config *old, const struct config *new, char *names,
                           size_t bytes);

/* The reference of all keys as a Markdown table. */
void config_print_reference(FILE *to);

/* What a reload can change of the engine's settings. */
struct engine_terms config_terms(const struct config *config);

/* What the engine and the outbox are told. Borrow from `config`; the arrays are
 * in its arena. Errors: -ENOMEM. */
int config_fill_engine(struct config *config, struct engine_config *engine);
int config_fill_outbox(struct config *config, struct outbox_config *outbox);

#endif
