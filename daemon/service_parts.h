/*
 * service_parts.h - what the files of the daemon's life share (daemon/service.h is its door).
 *
 *   service.c        start and stop
 *   service_reports.c what the engine and the journal report
 *   service_reload.c rules and configuration that are read again
 *   service_admin.c  what the admin server asks
 *   service_unit.c   standing by for a unit, and what is said meanwhile
 *   service_intake.c what is pushed, and what people have it do
 *   service_incidents.c what they do to incidents
 *   service_watch.c  the look once a second
 *   service_memory.c and the part of it that holds the memory budget
 */
#ifndef DAEMON_SERVICE_PARTS_H
#define DAEMON_SERVICE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include "correlate/engine.h"
#include "daemon/admin.h"
#include "daemon/config.h"
#include "daemon/crash_log.h"
#include "daemon/durable.h"
#include "daemon/health.h"
#include "daemon/intake.h"
#include "daemon/memory_budget.h"
#include "daemon/metrics.h"
#include "daemon/refusals.h"
#include "daemon/rules_preview.h"
#include "daemon/rules_shelf.h"
#include "daemon/service.h"
#include "daemon/unit.h"
#include "sinks/outbox.h"

struct service {
    struct service_options options;
    struct config *config; /* in force since the start; borrowed by engine and outbox */
    struct engine_config engine_config;
    struct memory_budget budget; /* constant since the start */
    struct rule_set *rules;      /* of the start; borrowed by the engine */
    struct rule_set *next_rules; /* during the start: to be switched to */
    struct durable *durable;     /* NULL: nothing is kept */
    struct data_dir dir;         /* setup: locked, until the durable has it */
    struct crash_log *crashes;   /* the same as for the durable */
    struct unit *unit;           /* NULL: nobody else goes on with the directory */
    bool stands_by;              /* main: its unit is not to be had yet */
    _Atomic uint64_t in_force;   /* of the hash of the set that was switched to last; relaxed */
    struct intake *intake;       /* NULL without a data directory */
    struct service_token {
        const char *name;
        char *secret; /* owned */
    } * tokens;       /* admin.tokens */
    size_t token_count;
    struct source *kafka;
    struct source *source; /* the same, as the engine sees it */
    struct engine *engine;
    struct admin *admin;
    struct quarantine *quarantine;    /* NULL: none */
    struct line_writer *incident_log; /* NULL: none, or failed; incident role, or the journal's */
    atomic_bool must_reopen;          /* set by a reload, taken by the same thread */
    struct mark_log *marks;           /* NULL: none; sequencer role. Closed under lock */
    struct health health;
    int64_t flush_ms;         /* as of the last reload */
    bool is_filling;          /* the outbox, as last logged */
    bool is_short;            /* of memory, as last logged and told to the outbox */
    bool is_clock_off;        /* from the input's, as last logged and told to the outbox */
    bool is_lost;             /* the input, as last logged and told to the outbox */
    uint64_t read_ns;         /* when some of the input could last be read */
    struct refusals refusals; /* main: of which sinks are to hear the end */
    uint64_t walk_ns;         /* when the ledger was last asked to be walked */
    uint64_t walk_mismatches; /* as last told */

    /* One reload at a time, from a signal or the admin server. Before `lock`. */
    pthread_mutex_t reload_lock;
    struct engine_terms terms;   /* asked for last */
    struct rules_running loaded; /* the set that was loaded last */
    struct rules_read read;      /* what it was read from */
    struct rules_shelf *shelf;   /* those before it; NULL: the data directory has them */

    /* What the metrics thread and the stop thread share with the main thread. */
    pthread_mutex_t lock;
    struct outbox *outbox; /* NULL: no sinks, or already flushed */
    struct daemon_counters counters;
    struct metrics seen; /* of the last tick: sinks, parts */
};

/* ---- service.c, for the others ---- */

/* Reads and checks; opens nothing. What the rules were read from goes to `read`, whatever comes of
 * it. `refused`: of a start, see past_rules_load(); NULL: of a reload. EXIT_OK, or an exit code
 * with a sentence. */
int service_load(const struct service_options *options, struct config **config,
                 struct rule_set **rules, struct rules_read *read, struct error *refused,
                 struct error *err);

/* Says which *.yml of a rules folder is none of the rules, as `check` does. */
void service_say_passed_over(const struct rule_set *rules);

/* ---- service_reports.c ---- */

/* Whom the engine tells, as the service is set up by now. */
struct engine_listener service_listener(struct service *service);
/* What leaves only when its group is durable, as in struct durable_options. Thread: journal. */
void service_committed(void *self, const struct incident *incident, const struct op *op,
                       const char *sink);
void service_committed_to(void *self, int64_t to_ms);
int service_keep_committed(void *self);

/* ---- service_reload.c ---- */

/* A rule set on its way into force. Under reload_lock. */
struct service_switch {
    struct rule_set *rules;
    struct rules_read read;    /* what it was read from */
    struct engine_terms terms; /* that come with it */
    struct rules_running loaded;
    struct rules_preview preview; /* what it does to each rule */
};

/* `rules` and `read` are there: keeps them and finds out the rest. After an error, a negative errno
 * with a sentence, there is nothing left of it. */
int service_switch_prepare(struct service *service, struct service_switch *to, struct error *err);
/* It takes effect; what is left is the preview. */
void service_switch_make(struct service *service, struct service_switch *to);
/* It does not, and nothing is left. */
void service_switch_drop(struct service_switch *to);
/* During the start, over a data directory that is open: the log says what the configured rules
 * change of those that were in force last. */
void service_say_switched(struct service *service);

/* ---- service_intake.c ---- */

/* With a data directory: locks it. EXIT_OK, or an exit code with a sentence, as the next. */
int service_lock(struct service *service, struct error *err);
/* With a data directory, which is where its unit stands: opens the intake; the rules get the
 * silences that were made by hand. */
/* As in struct durable_options. */
uint64_t service_intake_floor(void *self, uint64_t low);
void service_intake_release(void *self, uint64_t low, int64_t now_ms);
int service_open_intake(struct service *service, struct error *err);

/* The set with the silences that were made by hand, in place of *rules and *read, which go; both
 * stay as they are where there is none. Errors: a negative errno with a sentence. */
int service_add_silences(struct service *service, struct rule_set **rules, struct rules_read *read,
                         struct error *err);

/* Who asks may change something: his name goes to `who`. Errors: -EACCES, -EPERM. */
enum { SERVICE_WHO_BYTES = 256 };
int service_authorize(const struct service *service, const struct admin_pick *pick,
                      char who[SERVICE_WHO_BYTES], struct error *err);

/* Reads admin.tokens. Errors: -EINVAL or of reading, with a sentence. */
int service_read_tokens(struct service *service, struct error *err);
void service_release_tokens(struct service *service);

/* -ENOSYS where nothing can be kept. */
int service_needs_intake(const struct service *service, struct error *err);
/* What came of an act, on record. Returns `rc`, or what kept it from being recorded. */
struct service_outcome {
    int rc;
    const char *text;        /* its result, or why it failed */
    const struct id128 *set; /* the rule set that it puts in force, as the journal calls it; NULL */
};
int service_record_outcome(struct service *service, const struct intake_act *act,
                           const struct service_outcome *outcome, struct error *err);

/* What the admin server asks, as in struct admin_config. */
void service_take_events(void *self, const struct admin_pick *pick, struct admin_reply *reply);
void service_take_alertmanager(void *self, const struct admin_pick *pick,
                               struct admin_reply *reply);
int service_list_silences(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
void service_add_silence(void *self, const struct admin_pick *pick, struct admin_reply *reply);
void service_end_silence(void *self, const struct admin_pick *pick, struct admin_reply *reply);
int service_reload_by(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
int service_redrive_by(void *self, const struct admin_pick *pick, FILE *to, struct error *err);

/* ---- service_incidents.c ---- */

void service_acknowledge(void *self, const struct admin_pick *pick, struct admin_reply *reply);
void service_close_incident(void *self, const struct admin_pick *pick, struct admin_reply *reply);

/* ---- service_unit.c ---- */

/* Asks for the unit, and says meanwhile that it stands by. EXIT_OK, or an exit code with a
 * sentence.
 */
int service_stand_by(struct service *service, struct error *err);
/* NULL: there is none. */
void service_read_unit(struct unit *unit, struct daemon_counters *to);
/* Whether the unit is to be had: EXIT_OK, or why not. */
int service_has_unit(struct service *service, struct error *err);

/* ---- service_refusal.c ---- */

/* Where what is kept cannot be gone on from nobody is paged by this daemon any more, and that is
 * what the sinks are told, and noted: once in a start, for as long as a stop would wait for them.
 */
void service_tell_refusal(struct service *service, const struct error *why);
/* The same where the outbox runs, which this stops: what outbox_stop() returns. */
size_t service_stop_refused(struct service *service, struct outbox *outbox, unsigned flush_ms,
                            const struct error *why);
/* What former starts told; the outbox tells the end of it. The list is the caller's, until the
 * outbox is there. */
struct outbox_refusal *service_fill_refusals(struct service *service, struct outbox_config *config);
/* Takes note of sinks that have heard the end. Thread: main, as the next. */
void service_note_endings(struct service *service, const struct outbox *outbox);
/* Part of the look once a second: with a start that has recovered it is over. */
void service_watch_refusals(struct service *service);
/* Durable, as far as it can be. */
void service_write_refusals(struct service *service);

/* ---- service_held.c ---- */

/* What a former process told of sinks that refuse credentials, once the refusals are read; the list
 * is the caller's, until the outbox is there. */
struct outbox_hold *service_fill_holds(struct service *service, struct outbox_config *config);
/* Notes which sinks are held, so that the others may be told, and forgets whose end all have heard.
 * Part of the look once a second, behind that at the sinks' counters. Thread: main. */
void service_watch_holds(struct service *service, struct outbox *outbox);

/* ---- service_watch.c ---- */

/* Looks at the sinks' counters; logs what changed. Thread: main. */
void service_watch_sinks(struct service *service, struct outbox *outbox);

/* ---- service_memory.c ---- */

/* What the memory budget is, and what of the bounds does not fit it. Thread: main, at the start. */
void service_say_budget(const struct service *service);
/* Part of the look once a second. */
void service_watch_memory(struct service *service, const struct engine_counters *counters);

/* ---- service_admin.c ---- */

/* Starts the admin server where the configuration wants one. EXIT_OK, or an exit code with a
 * sentence. */
int service_create_admin(struct service *service, struct error *err);

#endif
