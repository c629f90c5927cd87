/*
 * engine.h - the hot path: records in, incident log and ops out.
 *
 *   feeds --> bins per (epoch, worker) --> dedup lanes --> rule lanes --> incident stage
 *             ingest role                  stage D         stage R        stage I
 *
 * Every thread of the engine has every role: it reads the feeds it owns, works
 * off its share of lanes, and takes the sequencer or the incident role when they
 * are free. With one worker the whole engine is one thread. docs/architecture.md
 * has the picture, the steps and the letters of the memory edges.
 *
 * Thread: create, start, work_off, stop and destroy by the owner; engine_counters(),
 *         engine_watermark(), engine_stamp(), engine_told(), engine_begin(), engine_incident() and
 *         engine_switch() by anyone.
 */
#ifndef CORRELATE_ENGINE_H
#define CORRELATE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "base/incident.h"
#include "base/mark.h"
#include "correlate/terms.h"
#include "ingest/source.h"
#include "rules/rule_set.h"

struct engine;
struct engine_trace;

/* How far a partition has come. */
struct engine_position {
    uint16_t part; /* as marks call it */
    int64_t low;   /* a record at or before the first that is in no closed epoch */
    int64_t read;  /* before this one no mark will be made any more */
};

/* What stages D to I have counted, as of a step's end. */
enum engine_count {
#define ROW(name) ENGINE_COUNT_##name,
#include "correlate/step_counts.inc"
#undef ROW
    ENGINE_COUNTS
};
const char *engine_count_name(enum engine_count count);

/* A stretch of closed time of which everything has been told; what is needed to make it durable as
 * a whole. */
struct engine_step {
    int64_t from_ms, to_ms;
    uint64_t
        marks; /* so many of those ever told were made before it was closed: it needs no other */
    const struct engine_position *positions; /* as when it was closed */
    size_t position_count;
    const uint64_t *counts; /* ENGINE_COUNTS, since the start */
    int64_t n_ms;           /* the daemon's clock N when it was closed */
    int64_t r_ms;           /* R of the last seal round; INT64_MIN: a backlog's, or none yet */
};

/* A run at one moment between two steps: all that it needs to go on from there. */
struct engine_image {
    /* Its bytes, in pieces one behind the other, each of malloc(); the listener's, with their
     * table. */
    struct engine_image_piece {
        void *at;
        size_t bytes;
    } * piece;
    size_t piece_count;
    int64_t at_ms; /* everything before has been told, nothing else */
    /* The rule sets that it names, in its order: the one in force, then old ones that keys or open
     * incidents still go by. */
    const struct rule_set *const *sets;
    size_t set_count;
    uint64_t seed;     /* of the hashes: who goes on from it has the same */
    unsigned epoch_ms; /* whose epochs divide this one */
    /* Of the partitions that are read: `low` is where a run that goes on from here reads on. */
    const struct engine_position *positions;
    size_t position_count;
    unsigned moments;       /* at which it was taken */
    uint64_t taking_ns;     /* at the longest of them: nothing was planned meanwhile */
    uint64_t taking_ns_p99; /* of all of them, as the next */
    uint64_t taking_ns_p50;
};

/* The bytes of an image in one row, of malloc(); its pieces are freed. */
void *engine_image_join(const struct engine_image *image, size_t *bytes);

/* An alert that became a member of an incident. */
enum { ENGINE_WORD_BYTES = 256 };
struct engine_joined {
    struct id128 incident, alert;
    int64_t at_ms;
    /* The beginnings of its words, at most ENGINE_WORD_BYTES - 1 bytes of each. `source` is NULL
     * where they are not at hand: an entry of a window that became an incident keeps none. */
    const char *source, *resource, *check, *dedup_key, *host;
    uint8_t severity; /* of the event */
};

/* What came of something that somebody did to an incident (base/act.h). */
struct engine_acted {
    int64_t position; /* of its record in @intake */
    int64_t at_ms;    /* when it counted: it is durable when everything up to there is */
    bool was_open;    /* false: no such incident was open, and nothing came of it */
};

/* The quota of a tenant and a partition, at the event that was refused first, or from which on none
 * was for a minute. */
struct engine_quota_word {
    const char *tenant; /* as it is shown */
    const char *topic;
    int32_t partition;
    int64_t offset; /* of the event's record */
    int64_t at_ms;  /* effective time */
    bool is_cut;
    uint64_t refused; /* since it began to be cut */
    uint32_t events, burst;
};

/* A partition begins or ceases to leave events out because it is behind, or leaves out others. */
struct engine_shed_word {
    const char *topic;
    int32_t partition;
    int64_t offset;      /* of the first record for which it holds */
    int64_t behind_ms;   /* how far it is behind */
    int64_t waiting;     /* records behind those that were taken; -1: not known */
    enum severity below; /* events below it are left out; SEVERITY_OK: none any more */
    uint64_t count;      /* that were left out so far */
};

/* What the engine reports; called by the thread that holds the incident role,
 * one call at a time, in the order of the incident log. */
struct engine_listener {
    void *self;
    /* `incident` is borrowed: take a reference to keep it. */
    void (*incident)(void *self, struct incident *incident);
    /* True: the listener has taken the op and its reference. False: it is full;
     * the engine keeps the op, pauses input, and offers it again. */
    bool (*op)(void *self, const struct op *op);
    /* An alert became a member of an incident: one of those that it tracks, in no order, after the
     * changes of the same time. Borrowed. NULL costs nothing. */
    void (*joined)(void *self, const struct engine_joined *joined);
    /* Everything before `to_ms` has been told. May be NULL. */
    void (*passed)(void *self, int64_t to_ms);
    /* Before the change that this makes, if any. May be NULL. */
    void (*acted)(void *self, const struct engine_acted *acted);
    /* False: the listener is full; the next step is not begun, input pauses, and it is asked again.
     * NULL: it never is. */
    bool (*room)(void *self);
    /* As passed(), for who makes durable what was told. NULL costs nothing. */
    void (*step)(void *self, const struct engine_step *step);
    /* All that engine_config.recovery said was told before has been told again. May be NULL. */
    void (*recovered)(void *self);
    /* A partition ends at `at`, and had been read up to `read` before: what was told cannot be told
     * again. Once; nothing goes on by itself. May be NULL. */
    void (*short_of)(void *self, uint16_t part, int64_t at, int64_t read);
    /* Made by the sequencer role, in order of happening. May be NULL. */
    void (*mark)(void *self, const struct mark *mark);
    /* The set that the mark of a switch, which comes right after, puts in force at `at_ms`. Thread:
     * sequencer role. May be NULL. */
    void (*switched)(void *self, const struct rule_set *rules, const struct engine_terms *terms,
                     int64_t at_ms);
    /* The set of switch `index` of engine_recovery, which the engine takes; asked for when it comes
     * to it, in their order. `terms` are those in force, and may be changed. NULL: it cannot be
     * had, nothing more is told. Thread: sequencer role.
     */
    struct rule_set *(*rules_before)(void *self, size_t index, struct engine_terms *terms);
    /* A set that the engine took is not needed any more: it is the listener's from now on. Thread:
     * sequencer role, who switches, or who destroys the engine. NULL: the engine destroys it. */
    void (*rules_done)(void *self, struct rule_set *rules);
    /* The image that engine_ask_image() asked for; its bytes are the listener's, all else is
     * borrowed. Thread: sequencer role; no step is under way, and none begins before it returns.
     * NULL: there is none. */
    void (*image)(void *self, const struct engine_image *image);
    /* A record was refused: for the quarantine log. `at` is the byte; of an event that is over its
     * tenant's quota or shed, REJECT_QUOTA, which event of the record. `payload` is borrowed.
     * Called by ingest threads, several at once. May be NULL. */
    void (*rejected)(void *self, const char *topic, int32_t partition, const struct record *record,
                     enum reject_reason reason, uint32_t at, const char *why);
    /* A tenant begins or ceases to be cut on a partition (semantics L7); not of what a run before
     * has told. Borrowed. As rejected(), which is called for each event that is refused. */
    void (*quota)(void *self, const struct engine_quota_word *word);
    /* The mark of it was made right before. Borrowed. As rejected(), which is called for each event
     * that is left out. */
    void (*shed)(void *self, const struct engine_shed_word *word);
    /* Told of every decision (correlate/trace.h); the engine has one worker then. NULL: nobody
     * asks, and nothing is paid for it. */
    const struct engine_trace *trace;
};

struct topic_config {
    const char *topic;
    enum event_format format;
    int64_t disorder_ms;  /* L [500]; 0 for ordered producers (T7) */
    bool log_append_time; /* the broker stamps the records */
    const char *tenant;   /* stands in where an event names none ["default"] */
    bool tenant_fixed;    /* an event that names another tenant is rejected{tenant} */
    bool gaps_expected;   /* compacted or transactional: holes in offsets are normal */
};

/* What a touch of engine_config.step_touches takes: 96 bytes in each of eight steps. */
enum { ENGINE_TOUCH_BYTES = 8 * 96 };

/* Alerts have numbers of 20 bits in each of 256 lanes, and inside a round the bound is passed. */
#define ALERTS_MAX_MOST 200000000

/* How much a tenant may send on one partition (correlate/quota.h): so many events a second of
 * effective time, and `burst` at once, at least 1. No events: it is not limited. */
struct quota_tenant {
    const char *tenant;
    uint32_t events, burst;
};

struct quota_config {
    uint32_t events, burst;             /* of each tenant without a row of its own [none] */
    uint32_t tenants_max;               /* that are counted apart, besides those with a row */
    const struct quota_tenant *tenants; /* each name once */
    size_t tenant_count;
};

/* What is left out where reading falls behind, and when (correlate/shed.h, shed_look.h). It makes
 * marks, and these alone show in results: so it may be another one in each run. */
struct shed_config {
    int64_t behind_ms; /* a partition that is further behind than this, [0: nothing is left out] */
    int64_t for_ms;    /* for so long, at least 1000 */
    int64_t until_ms;  /* until it is not further behind than this, which is less */
    enum severity below;
};

/* How records are read, which ingest goes by (semantics T1, T2). Those of a run are in its
 * configuration; a recovery knows those of the runs before it as well (X5). */
struct engine_inputs {
    int64_t value; /* what marks of kind MARK_INPUT call them (mark_input_value()) */
    int64_t past_ms, future_ms, behind_ms; /* P, F, B */
    const struct topic_config *topics;     /* `topic` NULL is the row for all others */
    size_t topic_count;
    struct quota_config quotas;
};

/* How a run goes on after another one (semantics C7): its records are read again from where they
 * began, with the marks that were made of them, until all that had been told has been told again.
 * Partitions are told by the source in the order of the first run. */
struct engine_recovery {
    bool is_wanted;
    int64_t until_ms;    /* everything before was told */
    const int64_t *read; /* by part: before this offset no mark is made but those of the list */
    size_t read_count;
    int64_t n_ms; /* N as it was last known: it does not fall */
    int64_t r_ms; /* R at that N; INT64_MIN: it begins anew, as at a first start */
    /* When rules were switched, ascending, a round's start each; what is asked for meanwhile waits
     * until all of these have been made again. */
    const int64_t *switch_ms;
    size_t switch_count;
    unsigned image_epoch_ms; /* of the image that is gone on from; 0: from none */
    /* How partitions that the run before knew were read, the oldest first: by the first that lists
     * their topic, and from a mark on by the one that it names. None: as it is configured. */
    const struct engine_inputs *inputs;
    size_t input_count;
};

/* A record at which processes died of a fault of their own (semantics F2): it is refused, and a
 * mark of it is made when its partition joins. */
struct engine_crash {
    const char *topic;
    int32_t partition;
    int64_t offset;
};

struct engine_config {
    unsigned workers;  /* [number of cores] */
    unsigned epoch_ms; /* D [20]; divides round_ms */
    unsigned round_ms; /* [200] */
    int64_t past_ms;   /* P [24 h] */
    int64_t future_ms; /* F [1 s] */
    int64_t behind_ms; /* B [5 s] */
    int64_t slack_ms;  /* G, at least [50]; raised to the largest L */
    unsigned seal_ms;  /* seal round [10]; 0: never seal by the clock (replay) */
    size_t take_max;   /* records per take [512] */
    /* Bins of one worker beyond which it reads only feeds that are not ahead of the others by more
     * than 100 ms [8 MiB]: what caches hold. A new page costs more than to decode what is put
     * there, events are read by another core than wrote them, and a backlog waits in the client
     * library for nothing. */
    uint64_t bins_bytes_cached;
    /* The same, and where there is half as much again, ahead by no more than the next epoch needs
     * to close [64 MiB]: a bound of memory. */
    uint64_t bins_bytes_max;
    /* Epochs that bins have places for, a power of two [4096]; more where the disorder asks for
     * it. A feed cannot be further ahead of another. */
    unsigned bin_epochs;
    /* The same for all that the engine holds: bins, state and touches of all workers [no bound];
     * engine_limit_memory() changes it. */
    uint64_t memory_max;
    /* How large a step is (step_size.h), and how many events or touches of one are sorted by keys
     * that have room for their number [16 Mi]; more are compared. Neither shows in results. */
    uint64_t step_touches; /* [1 Mi] */
    size_t sort_max;
    /* Of an image that are made without a break, an alert or a key in any case [64 Ki]: 0.2 ms. */
    uint64_t image_bytes;
    unsigned image_steps; /* tests: so many steps at least between two such moments [0] */
    uint64_t seed;        /* of all keyed hashes; never shows in results */
    uint64_t shuffle;     /* tests: non-zero reads feeds in a random order with this seed */

    /* kt of a record that nothing dates: no log time, none of its own, none before it. A replay
     * gives what does not depend on when it runs; INT64_MIN: the daemon's clock [that]. */
    int64_t undated_ms;
    uint32_t alerts_max;    /* bound of the alert table [1000000] (X4) */
    int64_t expire_ms;      /* an alert silent for this long is over [5 min] */
    int64_t flap_window_ms; /* [10 min] */
    unsigned flap_start;    /* changes within the window that begin flapping [6] */
    unsigned flap_stop;     /* changes within the window at which it ends [2] */

    const struct topic_config *topics; /* `topic` NULL is the row for all others */
    size_t topic_count;
    struct quota_config quotas; /* borrowed, as the rows above */
    struct shed_config shedding;
    const char *const *sink_names;    /* ops are made for each of these */
    const uint8_t *sink_priority_max; /* enum priority: less urgent ones are not sent; NONE = all */
    size_t sink_count;

    /* Marks to be applied instead of made: a replay of a recording (X7), or a recovery. */
    const struct mark *marks;
    size_t mark_count;
    /* How far the clock of the run had come that is replayed, where that is known and no record
     * tells: when all recordings have ended, the watermark goes at least there [INT64_MIN]. */
    int64_t until_ms;
    struct engine_recovery recovery;
    const struct engine_crash *crashes; /* borrowed until the end; marks may say the same */
    size_t crash_count;
};

/* Fills the defaults in brackets above. */
void engine_config_init(struct engine_config *config);

/* Owner: the caller, until engine_destroy(). Borrows source and rule set until then. */
int engine_create(const struct engine_config *config, struct source *source, struct rule_set *rules,
                  const struct engine_listener *listener, struct engine **out, struct error *err);
void engine_destroy(struct engine *engine);

/* The engine, which was just created with the first of the sets that the image names and the seed
 * of the run before, goes on from it. `sets` are those that the image names, in its order; all but
 * the first are taken, whatever comes of it. Partitions that were read then are awaited: nothing
 * closes before the source has told of them, and records before their positions are passed over.
 * Errors: -EINVAL with the place in the image; the engine is only good to be destroyed then. */
int engine_load_image(struct engine *engine, const void *image, size_t bytes,
                      struct rule_set *const *sets, size_t set_count, struct error *err);

/* Whether this version reads such an image, from its first bytes. Any bytes are safe.
 * Errors: -EINVAL with a sentence. Thread: any. */
int engine_look_image(const void *image, size_t bytes, struct error *err);

/* listener.image() is wanted, soon: at the first moment at which all that was read by now has been
 * worked off. Asked again before it came, it is the same. Thread: any. */
void engine_ask_image(struct engine *engine);

int engine_start(struct engine *engine, struct error *err);

/* Instead of start, wait and stop, for recordings that are short: works everything off on the
 * thread that calls, with the one worker of the configuration, and returns when the feeds have
 * finished and all closed epochs are worked off. False when timeout_ms passed
 * first; 0 waits for ever. Starting and joining a thread costs more than a hundred events do. */
bool engine_work_off(struct engine *engine, uint64_t timeout_ms);

/* For a listener of engine_work_off() that wants no more: it ends after the step under way, and
 * says false unless that was the last. What the step still tells comes. */
void engine_give_up(struct engine *engine);

/* Waits until every feed has finished and all closed epochs are worked off (X7).
 * False when timeout_ms passed first; 0 waits for ever. */
bool engine_wait_finished(struct engine *engine, uint64_t timeout_ms);

/* Stops input, works off what is closed, joins the threads. */
void engine_stop(struct engine *engine);

/* Takes the set over; it becomes a mark at the first round later than any binned
 * record (X5). Rules whose form is unchanged keep their windows. */
void engine_switch_rules(struct engine *engine, struct rule_set *rules);

/* The same with other terms: they take effect with the set, which may be as it was. An alert that
 * is silent for longer than the new `expire` is over then; one that flaps is judged by the new
 * bounds then, and one that does not at its next change. */
void engine_switch(struct engine *engine, struct rule_set *rules, const struct engine_terms *terms);

/* Those that a configuration says, without a name; and those that an engine begins with, which was
 * just created, or went on from an image. */
struct engine_terms engine_terms_of(const struct engine_config *config);
bool engine_terms_are_fine(const struct engine_terms *terms, struct error *err); /* NULL: unsaid */
struct engine_terms engine_terms_now(const struct engine *engine);

/* Beyond `bytes` of what engine_held_bytes() says only feeds are read that are not ahead of the
 * others; who holds the watermark back is read whatever is held, so this slows growth, and ends
 * none (semantics F7). Never shows in results. Thread: any. */
void engine_limit_memory(struct engine *engine, uint64_t bytes);

/* What it has taken from the system: bins, state, tables and touches. Thread: any. */
uint64_t engine_held_bytes(const struct engine *engine);

int64_t engine_watermark(const struct engine *engine);

/* The time of what comes in at this moment without a log of its own: max(N, R) (semantics C3). */
int64_t engine_stamp(const struct engine *engine);

/* By how much the clock of the input is ahead of N (negative: behind it), where that is known to be
 * more than an hour (T6, correlate/clock_look.h); 0 otherwise. Unit: ms. Thread: any. */
int64_t engine_clock_off(const struct engine *engine);

/* Everything before this has been told to the listener; INT64_MIN: nothing has. */
int64_t engine_told(const struct engine *engine);

/* The largest effective time of what the input held when each of its partitions was seen to stand
 * at its end, which was later than the start; INT64_MIN: one of them was not yet, or none had
 * anything. It may be a bit old. Thread: any. */
int64_t engine_input_end(const struct engine *engine);

/* The open incident of this id, as it was told last; NULL: there is none that is watched.
 * Returns owned. Thread: any but the engine's. */
struct incident *engine_incident(struct engine *engine, struct id128 id);

/* The first watermark: nothing was closed before; INT64_MIN before it. */
int64_t engine_begin(const struct engine *engine);

/* The ledger (semantics section 6) and what metrics show. All counts are since start. */
struct engine_counters {
    uint64_t records; /* read */
    uint64_t record_bytes;
    uint64_t redelivered; /* same position again, in one membership or a later one, dropped (D2) */
    uint64_t gaps;        /* offsets that never came */
    uint64_t events;      /* decoded, plus one per rejected record (L2) */
    uint64_t derived;
    uint64_t rejected[REJECT_REASON_COUNT];
    uint64_t in_bins; /* decoded, in no closed epoch yet */
    uint64_t left;    /* dropped from bins with a partition that left: read by another (T8) */
    uint64_t duplicate, unmatched, routed;                            /* L2 */
    uint64_t dropped;                                                 /* by enrich steps (L2) */
    uint64_t touches, correlated, expired, evicted, retired, pending; /* L3 */
    uint64_t opened, closed, open;                                    /* L4 */
    /* Of those that opened: sinks were told so, or a mute of this kind kept it from them, the first
     * that did; one that is told at last is announced. */
    uint64_t announced, suppressed_silence, suppressed_maintenance, suppressed_inhibited;
    uint64_t untold; /* steps that are not told yet: what opened in them is neither */
    uint64_t lost;   /* of those that are open: no longer watched */
    uint64_t walks, walk_mismatches; /* engine_ask_walk(); what was not as it was counted (L6) */
    uint64_t ops;
    uint64_t updates;
    uint64_t muted, unmuted; /* incidents that became muted, and that are not any more */
    uint64_t withheld;       /* changes of which no sink was told */
    uint64_t time_clamped, late, late_by_seal, capped;
    uint64_t undated;  /* records without log time whose first event has none either, where no log
                          time came before */
    uint64_t alerts;   /* in the table now */
    uint64_t flapping; /* of these, now */
    uint64_t alerts_opened, alerts_cleared, alerts_expired, alerts_evicted, alerts_refired;
    uint64_t flap_begun, flap_ended, flap_folded;
    uint64_t keys; /* rule keys held now */
    uint64_t keys_evicted;
    uint64_t enrich_errors; /* what enrich steps could not do */
    uint64_t numbers_unfit; /* for an aggregate: too large to be added exactly */
    uint64_t steps, rounds, seals, sleeps;
    uint64_t
        parts_refused; /* partitions beyond the 4,095 that the table has places for: not read */
    uint64_t bins_bytes, state_bytes;  /* taken from the system */
    uint64_t table_bytes, touch_bytes; /* the same, as last added up; touches pass from stage D to
                                          stage R */
    uint64_t paused;       /* partitions that are not read now because memory is short */
    uint64_t pauses;       /* times that one began not to be */
    uint64_t rule_sets;    /* in force, or still gone by */
    uint64_t quota_cut;    /* tenants that are cut now, once for each partition */
    uint64_t quota_shared; /* events of tenants for whom there was no bucket of their own, of what
                              was read since this start */
};
void engine_counters(const struct engine *engine, struct engine_counters *out);

/* All that keys hold is to be counted by going through them, bit by bit while no step is under way,
 * and held against the counters (L6). Thread: any. */
void engine_ask_walk(struct engine *engine);

/* The same at once, behind engine_stop(). False, with a sentence: it does not hold. */
bool engine_check_walk(struct engine *engine, struct error *err);

/* The record that the calling thread works on, or whose event; false: it is no thread of an engine,
 * or between two. Async-signal-safe; the topic lives as long as the engine. */
bool engine_place_now(struct engine_crash *out);

/* The partition that marks call `part`: its topic, which lives as long as the engine, and
 * number. NULL when no such partition has joined. */
const char *engine_part_name(const struct engine *engine, uint16_t part, int32_t *partition);

/* Per form of a rule and per partition, for metrics; return how many there are. A rule that changed
 * what it matches has a row of its own for each form that still holds something. */
enum { ENGINE_RULE_ID_BYTES = 104 }; /* an id has at most 100 */
struct engine_rule_counters {
    char rule_id[ENGINE_RULE_ID_BYTES];
    struct id128 form;     /* of the rule: equal forms carry on over a reload */
    struct id128 key_kind; /* of the rule: equal ones hold a key one at a time */
    bool current;          /* of the newest set; false: drains */
    uint64_t touches, opened, closed, open, keys, evicted, expired, pending;
};
size_t engine_rule_counters(const struct engine *engine, struct engine_rule_counters *out,
                            size_t max);
/* The same rows, each with its rule, which may be gone when `see` returns; `see` asks the engine
 * nothing. */
void engine_rules_see(const struct engine *engine,
                      void (*see)(void *self, const struct engine_rule_counters *row,
                                  const struct rule *rule),
                      void *self);
/* Per silence, maintenance window and inhibition of the set that was built last. */
struct engine_mute_counters {
    const char *kind;
    char id[ENGINE_RULE_ID_BYTES];
    uint64_t incidents; /* that it mutes now */
    uint64_t total;     /* that it ever began to mute */
};
size_t engine_mute_counters(const struct engine *engine, struct engine_mute_counters *out,
                            size_t max);
bool engine_mute_row(const struct engine *engine, size_t index, struct engine_mute_counters *out);

/* Per enrich step of the set in force, in their order: since it took effect. */
struct engine_enrich_counters {
    char step[ENGINE_RULE_ID_BYTES];
    uint64_t applied; /* events that it dropped or changed */
    uint64_t errors;  /* what it could not do */
};
size_t engine_enrich_counters(const struct engine *engine, struct engine_enrich_counters *out,
                              size_t max);

/* How many events of a tenant were refused because of its quota, of what was read since this start.
 * Those that were cut first have a row each, the rest share one, whose name is "(others)". In the
 * order of their names. */
enum { ENGINE_TENANT_BYTES = 64, ENGINE_QUOTA_ROWS = 256 };
struct engine_quota_counters {
    char tenant[ENGINE_TENANT_BYTES];
    uint64_t refused;
};
size_t engine_quota_counters(const struct engine *engine, struct engine_quota_counters *out,
                             size_t max);

struct engine_part_counters {
    const char *topic;
    int32_t partition;
    int64_t start_offset, read_offset, low_offset, lag;
    int64_t passed_ms; /* everything before this has come */
    int64_t first_ms;  /* effective time of the first event; INT64_MAX: none yet */
    uint64_t records, gaps, redelivered, rejected;
    uint64_t pauses; /* times that it began not to be read because memory is short */
    /* Events that were left out because it was behind, and times that this began; and how far it
     * was behind when that was looked at last, live and where shedding is configured. */
    uint64_t shed, shed_spells;
    int64_t behind_ms;
    enum feed_state state;
    bool blind, is_paused; /* is_paused: it is not read now, because memory is short */
    bool is_shedding;
};
size_t engine_part_counters(const struct engine *engine, struct engine_part_counters *out,
                            size_t max);

#endif
