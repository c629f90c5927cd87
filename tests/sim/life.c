/* life.c - see life.h. */
#include "sim/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/host.h"
#include "correlate/core.h"
#include "daemon/command.h"
#include "daemon/service_parts.h"
#include "ingest/intake_source.h"
#include "sim/broker.h"
#include "sim/disk.h"
#include "sim/fibers.h"
#include "sim/pair.h"
#include "sim/people.h"
#include "sim/sql_disk.h"
#include "store/intake_log.h"
#include "store/journal.h"
#include "store/segment_log.h"

enum { LOOK_PARTS_MAX = 16, SINKS_MAX = 8, SIM_SEGMENT_BYTES = SEGMENT_BYTES_MIN };

/* ---- the host table ---- */

static uint64_t mono_ns(void *self)
{
    (void)self;
    fibers_turn();
    world->now_ns += 20;
    return world_mono_ns();
}

static int64_t wall_ms(void *self)
{
    (void)self;
    return world_wall_ms();
}

static void random_bytes(void *self, void *to, size_t bytes)
{
    (void)self;
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)to)[i] = (unsigned char)dice_throw(&world->randoms);
}

static int waker_create(void *self)
{
    (void)self;
    return fibers_waker_create();
}

static void waker_wake(void *self, int waker)
{
    (void)self;
    fibers_waker_wake(waker);
}

static void waker_sleep(void *self, int waker, uint64_t timeout_ns)
{
    (void)self;
    fibers_sleep(waker, world->now_ns + timeout_ns, true);
}

static void take_host(void)
{
    static struct host table;

    table.mono_ns = mono_ns;
    table.wall_ms = wall_ms;
    table.random = random_bytes;
    table.waker_create = waker_create;
    table.waker_wake = waker_wake;
    table.waker_sleep = waker_sleep;
    disk_fill_host(&table);
    host_set(&table);
}

/* ---- in place of others ---- */

/* It stands in the directory's lock file. */
pid_t __wrap_getpid(void);
pid_t __wrap_getpid(void)
{
    return (pid_t)(1000 + world->life);
}

/* Small segments, so that many are begun. */
int __real_segment_log_open(const struct segment_config *config, const struct segment_end *end,
                            struct segment_log **out, struct error *err);
int __wrap_segment_log_open(const struct segment_config *config, const struct segment_end *end,
                            struct segment_log **out, struct error *err);
int __wrap_segment_log_open(const struct segment_config *config, const struct segment_end *end,
                            struct segment_log **out, struct error *err)
{
    struct segment_config small = *config;

    small.segment_bytes = SIM_SEGMENT_BYTES;
    return __real_segment_log_open(&small, end, out, err);
}

static void note_op(struct world_folds *folds, const char *id)
{
    if (folds->count < WORLD_FOLDS_MAX)
        folds->op[folds->count++] = hash64(id, strlen(id), 0);
}

/* For the trace, for what nobody has to be told, and for what was refused for good. */
uint64_t __real_journal_op_state(struct journal *journal, const struct journal_op_state *state);
uint64_t __wrap_journal_op_state(struct journal *journal, const struct journal_op_state *state);
uint64_t __wrap_journal_op_state(struct journal *journal, const struct journal_op_state *state)
{
    char id[ID128_TEXT_BYTES];

    id128_format(state->op, id);
    world_note("outbox", "op %s: fate %d %s %s", id, state->fate, state->reference, state->reason);
    if (world->report.is_catching_up && state->fate == JOURNAL_FATE_TAKEN_IN)
        note_op(&world->folds, id);
    if (state->fate == JOURNAL_FATE_DEAD)
        note_op(&world->refused, id);
    return __real_journal_op_state(journal, state);
}

/* For the count alone. */
int __real_engine_load_image(struct engine *engine, const void *image, size_t bytes,
                             struct rule_set *const *sets, size_t count, struct error *err);
int __wrap_engine_load_image(struct engine *engine, const void *image, size_t bytes,
                             struct rule_set *const *sets, size_t count, struct error *err);
int __wrap_engine_load_image(struct engine *engine, const void *image, size_t bytes,
                             struct rule_set *const *sets, size_t count, struct error *err)
{
    world->report.is_from_image = true;
    return __real_engine_load_image(engine, image, bytes, sets, count, err);
}

/* Position behind the last record that was handed to the engine, or will be: what the disk had at
 * the start, and what has come since. */
static uint64_t intake_end;

int __real_intake_source_create(struct source *inner, const struct intake_source_config *config,
                                struct source **out, struct error *err);
int __wrap_intake_source_create(struct source *inner, const struct intake_source_config *config,
                                struct source **out, struct error *err);
int __wrap_intake_source_create(struct source *inner, const struct intake_source_config *config,
                                struct source **out, struct error *err)
{
    intake_end = config->next;
    return __real_intake_source_create(inner, config, out, err);
}

void __real_intake_source_give(struct source *source, char *payload, size_t bytes);
void __wrap_intake_source_give(struct source *source, char *payload, size_t bytes);
void __wrap_intake_source_give(struct source *source, char *payload, size_t bytes)
{
    struct intake_cursor frame;
    struct error err;

    if (payload != NULL && intake_frame_begin(&frame, payload, bytes, &err) == 0)
        intake_end = frame.position + frame.left;
    __real_intake_source_give(source, payload, bytes);
}

size_t __real_outbox_stop(struct outbox *outbox, unsigned flush_ms);
size_t __wrap_outbox_stop(struct outbox *outbox, unsigned flush_ms);
size_t __wrap_outbox_stop(struct outbox *outbox, unsigned flush_ms)
{
    struct sink_counters sinks[SINKS_MAX];
    size_t left = __real_outbox_stop(outbox, flush_ms), count;

    world->report.undelivered = left;
    count = outbox_counters(outbox, sinks, SINKS_MAX);
    for (size_t i = 0; i < count && i < SINKS_MAX; i++) {
        world->report.ops += sinks[i].ops;
        world->report.done += sinks[i].done;
        world->report.dead += sinks[i].dead;
        world->report.superseded += sinks[i].superseded;
        world->report.waiting += sinks[i].waiting;
        world->report.redriven += sinks[i].redriven;
        world->report.possible_repeats += sinks[i].possible_repeats;
        world->report.duplicates += sinks[i].duplicates;
    }
    return left;
}

/* ---- a life ---- */

/* Nobody is told yet (S4). */
static bool is_catching_up(const struct service *service)
{
    struct unit_counters counters = {.is_catching_up = false};

    if (service->unit != NULL)
        unit_counters(service->unit, &counters);
    return counters.is_catching_up;
}

/* What was pushed is stamped by the clock that the daemon had then, which may be ahead of all
 * records: their end is not its own. By one that is years ahead nobody waits for it. */
static int64_t wanted_of(const struct scenario *scenario, const struct engine_part_counters *part)
{
    if (strcmp(part->topic, BROKER_TOPIC) == 0)
        return (int64_t)world->partition[part->partition].count;
    return scenario->is_ahead ? 0 : (int64_t)intake_end;
}

/* Nothing more can come of the records: all are read, and all that they began is over. */
static bool is_worked_off(const struct scenario *scenario, const struct service *service)
{
    struct engine_part_counters part[LOOK_PARTS_MAX];
    /* By a clock that is behind, and that nothing journaled holds, records are of its time at most.
     */
    int64_t last_ms = WORLD_WALL_MS + (int64_t)(world->last_record_ns / MILLI_NS) +
                      (world->plan.skew_ms < 0 ? world->plan.skew_ms : 0);
    size_t count;

    if (world->now_ns < scenario->end_ns || !durable_is_recovered(service->durable) ||
        is_catching_up(service))
        return false;
    if (engine_told(service->engine) < last_ms)
        return false;
    count = engine_part_counters(service->engine, part, LOOK_PARTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (part[i].low_offset < wanted_of(scenario, &part[i]))
            return false;
    return count == world->partition_count + 1; /* and the intake */
}

/* Where another lives, the owner alone decides: one that is not any more has yet to hear of it. */
static bool may_end(const struct scenario *scenario, const struct service *service)
{
    if (!is_worked_off(scenario, service))
        return false;
    if (!pair_has_other())
        return true;
    if (world->pair.owner != world->machine)
        return false;
    world->pair.done_by = world->machine;
    world->pair.is_done |= world->plan.end_ns == UINT64_MAX;
    return true;
}

static void note_ready(const struct service *service)
{
    if (world->report.taken_ns > 0 && world->report.ready_ns == 0 &&
        durable_is_recovered(service->durable))
        world->report.ready_ns = world->now_ns;
}

/* Of one that is killed, for the judge alone; nothing is waited for any more. */
static const struct service *looked_at;

static void last_look(void)
{
    const struct engine *engine = looked_at->engine;

    for (unsigned w = 0; engine != NULL && w < engine->worker_count; w++) {
        const struct tally *tally = &engine->workers[w].tally;
        world->report.engine.late_by_seal += tally_get(&tally->late_by_seal);
        world->report.engine.capped += tally_get(&tally->capped);
    }
}

static void report(const struct service *service)
{
    struct rusage usage;

    if (service->engine == NULL)
        return; /* it has only stood by */
    engine_counters(service->engine, &world->report.engine);
    world->report.watermark_ms = engine_told(service->engine);
    world->report.has_counters = true;
    getrusage(RUSAGE_SELF, &usage);
    world->report.memory_kib = (uint64_t)usage.ru_maxrss;
}

/* One that stands by is told when it may go on. False: it is over before it began, with this code.
 */
static bool stand_by(struct service **service, int waker, int *code, struct error *why)
{
    *code = EXIT_OK;
    while (*code == EXIT_OK && (*service)->stands_by && world->now_ns < world->plan.end_ns &&
           !world->pair.is_done) {
        fibers_pause(SECOND_NS / 20);
        service_tick(*service);
        if (fibers_waker_is_woken(waker)) {
            *code = service_go_on(service, why);
            looked_at = *service;
        }
    }
    return *code == EXIT_OK && !(*service)->stands_by;
}

static void live(const struct scenario *scenario, struct service *service, int waker)
{
    struct error why = {""};
    int code;

    looked_at = service;
    world_last_look = last_look;
    if (stand_by(&service, waker, &code, &why)) {
        world->report.has_begun = true;
        bool is_owed;
        people_begin(scenario, service);
        do {
            fibers_pause(SECOND_NS / 5);
            service_tick(service);
            note_ready(service);
            is_owed = scenario->has_refusals && world->now_ns >= scenario->end_ns &&
                      people_redrive(service);
        } while (service_verdict(service, &why) == EXIT_OK && world->now_ns < world->plan.end_ns &&
                 (is_owed || !may_end(scenario, service)));
        people_end();
    }
    if (code == EXIT_OK) {
        code = service_stop(service);
        service_verdict(service, &why);
        report(service);
    }
    world_last_look = NULL;
    service_destroy(service);
    world_end(code, "%.480s", code == EXIT_OK ? "stopped" : why.text);
}

void life_run(const struct scenario *scenario)
{
    static const struct option_list no_rules;
    struct service_options options = {.config_path = disk_config(), .rules = &no_rules};
    struct service *service = NULL;
    struct error err = {""};
    int code;

    take_host();
    sql_disk_begin();
    fibers_begin();
    options.waker = fibers_waker_create();
    code = service_create(&options, &service, &err);
    if (code != EXIT_OK)
        world_end(code, "%.480s", err.text);
    live(scenario, service, options.waker);
    abort(); /* live() does not come back */
}
