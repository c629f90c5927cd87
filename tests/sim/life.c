/* life.c - see life.h. */
#include "sim/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/service_parts.h"
#include "sim/broker.h"
#include "sim/disk.h"
#include "sim/fibers.h"
#include "sim/people.h"
#include "store/journal.h"
#include "store/segment_log.h"

enum { PARTS_MAX = 16, SINKS_MAX = 8, SIM_SEGMENT_BYTES = SEGMENT_BYTES_MIN };

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

/* For the trace alone. */
uint64_t __real_journal_op_state(struct journal *journal, const struct journal_op_state *state);
uint64_t __wrap_journal_op_state(struct journal *journal, const struct journal_op_state *state);
uint64_t __wrap_journal_op_state(struct journal *journal, const struct journal_op_state *state)
{
    char id[ID128_TEXT_BYTES];

    id128_format(state->op, id);
    world_note("outbox", "op %s: fate %d %s %s", id, state->fate, state->reference, state->reason);
    return __real_journal_op_state(journal, state);
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

/* Nothing more can come of the records: all are read, and all that they began is over. */
static bool is_worked_off(const struct service *service, uint64_t end_ns)
{
    struct engine_part_counters part[PARTS_MAX];
    size_t count, seen = 0;

    if (world->now_ns < end_ns || !durable_is_recovered(service->durable))
        return false;
    if (engine_told(service->engine) < WORLD_WALL_MS + (int64_t)(world->last_record_ns / MILLI_NS))
        return false;
    count = engine_part_counters(service->engine, part, PARTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (strcmp(part[i].topic, BROKER_TOPIC) == 0) {
            seen++;
            if (part[i].low_offset < world->partition[part[i].partition].count)
                return false;
        }
    return seen == world->partition_count;
}

static void report(const struct service *service)
{
    struct rusage usage;

    engine_counters(service->engine, &world->report.engine);
    world->report.watermark_ms = engine_told(service->engine);
    world->report.has_counters = true;
    getrusage(RUSAGE_SELF, &usage);
    world->report.memory_kib = (uint64_t)usage.ru_maxrss;
}

static void live(const struct scenario *scenario, struct service *service)
{
    struct error why = {""};
    int code;

    world->report.has_begun = true;
    people_begin(scenario, service);
    do {
        fibers_pause(SECOND_NS / 5);
        service_tick(service);
        if (scenario->has_refusals && world->now_ns >= scenario->end_ns)
            people_redrive(service);
    } while (service_verdict(service, &why) == EXIT_OK && world->now_ns < world->plan.end_ns &&
             !is_worked_off(service, scenario->end_ns));
    people_end();
    code = service_stop(service);
    service_verdict(service, &why);
    report(service);
    service_destroy(service);
    world_end(code, "%.480s", code == EXIT_OK ? "stopped" : why.text);
}

void life_run(const struct scenario *scenario)
{
    static const struct option_list no_rules;
    const struct service_options options = {.config_path = DISK_CONFIG, .rules = &no_rules};
    struct service *service = NULL;
    struct error err = {""};
    int code;

    take_host();
    fibers_begin();
    code = service_create(&options, &service, &err);
    if (code != EXIT_OK)
        world_end(code, "%.480s", err.text);
    live(scenario, service);
    abort(); /* live() does not come back */
}
