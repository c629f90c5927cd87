/* judge.c - see judge.h. */
#include "sim/judge.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/command.h"
#include "sim/desk.h"
#include "sim/disk.h"
#include "sim/life.h"
#include "sim/pair.h"
#include "sim/past.h"
#include "sim/redis_desk.h"
#include "sim/scenario.h"
#include "sim/told.h"

/* A life may wait for an hour with its input paused: 24 s of a processor, without sanitizers. */
enum { MEMORY_KIB_MAX = 400 << 10, LIFE_PROCESSOR_SECONDS = 400, AGAIN_MAX = 20 };

/* Behind the end of a lease: asked for within a second, and a start takes no longer than C10 says.
 */
#define TAKE_NS_MAX (2 * SECOND_NS)
#define READY_NS_MAX (8 * SECOND_NS)

/* One telling of the seed: what came of it. */
struct run {
    const struct scenario *scenario;
    struct told told;           /* the incident log, as the journal has it */
    struct told late;           /* where that began late and was completed: as it was before */
    struct told durable;        /* as it was after the last power cut */
    unsigned durable_on;        /* machine whose disk has that */
    struct life_report report;  /* of the last life */
    struct judge_counts counts; /* of this one */
    bool has_power_cut, has_fault;
    bool has_shown; /* a seal or a cap, in some life: who tells it anew tells otherwise */
    uint64_t hash;
    bool is_failed;
};

__attribute__((format(printf, 2, 3))) static void fail(struct run *run, const char *form, ...)
{
    va_list args;

    printf("seed %" PRIu64 ": ", run->scenario->seed);
    va_start(args, form);
    vprintf(form, args);
    va_end(args);
    printf("\n");
    run->is_failed = true;
}

/* ---- lives ---- */

static void set_dice(unsigned life)
{
    uint64_t base = 100 + 10 * life;

    world->turns = dice_of(world->seed, base);
    world->wire = dice_of(world->seed, base + 1);
    world->fetches = dice_of(world->seed, base + 2);
    world->steps = dice_of(world->seed, base + 3);
    world->randoms = dice_of(world->seed, base + 4);
    world->redis_dice = dice_of(world->seed, base + 5);
}

/* Its process. */
static pid_t begin_process(const struct scenario *scenario, const struct wire_plan *wire,
                           bool is_pair)
{
    const struct itimerval most = {.it_value = {.tv_sec = LIFE_PROCESSOR_SECONDS}};
    unsigned machine = world->machine;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid < 0) {
        perror("tocsin_sim");
        exit(70);
    }
    if (pid > 0)
        return pid;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setitimer(ITIMER_PROF, &most, NULL);
    if (is_pair)
        pair_begin(machine);
    wire_begin(wire);
    life_run(scenario);
}

/* What is left when the process has ended like this. Its exit code, or 128 and the signal. */
static int end_process(int status, struct dice *dice)
{
    desk_deliver(dice);
    disk_let_go();
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for this one, or any with -1. */
static pid_t wait_for_process(pid_t pid, int *status)
{
    pid = waitpid(pid, status, 0);
    if (pid < 0) {
        perror("tocsin_sim");
        exit(70);
    }
    return pid;
}

static void check_ledger(struct run *run)
{
    const struct life_report *report = &world->report;
    const struct engine_counters *e = &report->engine;

    if (report->ops + report->redriven !=
        report->done + report->dead + report->superseded + report->waiting)
        fail(run,
             "L5: %" PRIu64 " ops are not %" PRIu64 " done, %" PRIu64 " dead, %" PRIu64
             " superseded and %" PRIu64 " waiting",
             report->ops, report->done, report->dead, report->superseded, report->waiting);
    if (report->has_counters && e->opened != e->closed + e->open)
        fail(run, "L4: %" PRIu64 " opened are not %" PRIu64 " closed and %" PRIu64 " open",
             e->opened, e->closed, e->open);
}

/* Whether a life that ended with this code may have: killed, stopped, or broken off by a fault. */
static void check_end(struct run *run, int code)
{
    bool may_break =
        world->report.was_fault_met || (world->report.was_full_met && !world->report.has_begun);

    check_ledger(run);
    if (world->report.memory_kib > run->counts.memory_kib)
        run->counts.memory_kib = world->report.memory_kib;
    if (world->report.memory_kib > MEMORY_KIB_MAX)
        fail(run, "life %u took %" PRIu64 " KiB", world->life, world->report.memory_kib);
    if (code == LIFE_WAS_KILLED || code == EXIT_OK || (may_break && code == EXIT_IO))
        return;
    if (code == EXIT_OVERTAKEN && run->scenario->is_pair)
        return;
    if (may_break && code == EXIT_CONFIG && !world->report.has_begun)
        return; /* the look at the directory before the start met it */
    if (code >= 128)
        fail(run, "life %u was ended by signal %d%s", world->life, code - 128,
             code == 128 + SIGPROF ? ": it went on and on" : "");
    else
        fail(run, "life %u ended with %d: %s", world->life, code, world->report.sentence);
}

/* Neither a kill nor the power leaves a history behind that cannot be gone on with. */
static void check_aside(struct run *run)
{
    if (world->report.is_history_aside && !run->has_fault && !run->scenario->is_shared)
        fail(run, "life %u could not go on with the history", world->life);
    run->has_fault |= world->report.was_fault_met;
}

static void begin_life(const struct scenario *scenario, unsigned number,
                       const struct life_plan *plan, uint64_t began_ns)
{
    char config[WORLD_CONFIG_BYTES];

    world->life = number;
    world->machine = plan->machine;
    world->plan = *plan;
    world->began_ns = began_ns;
    if (plan->end_ns != UINT64_MAX)
        world->plan.end_ns += began_ns;
    if (plan->full_from_ns != UINT64_MAX) {
        world->plan.full_from_ns += began_ns;
        world->plan.full_to_ns += began_ns;
    }
    if (plan->freeze_from_ns != UINT64_MAX)
        world->plan.freeze_from_ns += began_ns;
    world->report = (struct life_report){.watermark_ms = INT64_MIN};
    set_dice(number);
    scenario_config(scenario, plan, config);
    disk_put(disk_config(), config, strlen(config));
}

/* What left was committed before (C3), and what was durable is still there. */
static void check_left(struct run *run, bool is_cut)
{
    const struct scenario *scenario = run->scenario;
    /* One that went on without the store told what the next owner comes to by itself. */
    bool is_all_there = !scenario->is_shared || !scenario->has_redis_faults;
    char format[WORLD_PATH_BYTES];
    size_t bytes = 0, count, missing;
    const char *host, *incident, *file;
    const struct desk_told *hook = desk_told(&count);
    struct told told = {0};

    snprintf(format, sizeof(format), "%s/FORMAT", disk_data());
    if (disk_look(format, &bytes) == NULL || (scenario->is_shared && !world->report.is_owner))
        return;
    if (scenario->is_pair && world->pair.owner != world->machine)
        return; /* the other has told more since */
    if (!told_read(&told, scenario->has_images)) {
        fail(run, "behind life %u the journal cannot be read", world->life);
        return;
    }
    is_all_there = is_all_there && !told.begins_late;
    for (size_t i = 0; is_all_there && desk_ticket(i, &host, &incident) && !run->is_failed; i++)
        if (!told_has_incident(&told, incident))
            fail(run,
                 "C3: behind life %u %s has a ticket of incident %.32s, and the journal does "
                 "not know it",
                 world->life, host, incident);
    for (size_t i = 0; is_all_there && i < count && !run->is_failed; i++)
        if (told_find_op(&told, hook[i].op) == NULL)
            fail(run,
                 "C3: behind life %u the hook has been told op %s, and the journal does not "
                 "know it",
                 world->life, hook[i].op);
    file = disk_look(disk_incidents(), &bytes);
    /* The file is nobody's promise: sectors of it may be lost with the power. */
    if (!run->is_failed && !run->has_power_cut && !scenario->is_shared &&
        !told_has_lines(&told, file, bytes, &missing))
        fail(run, "C3: behind life %u the incident log has lines that the journal does not know",
             world->life);
    /* Another machine goes on from what the shared store has, and of the last groups that were
     * durable here nothing had left (S1). */
    if (run->durable_on != world->machine)
        told_release(&run->durable);
    if (!run->is_failed && is_all_there && !told_goes_on(&run->durable, &told))
        fail(run, "C2: behind life %u something is gone that had been durable", world->life);
    if (is_cut) {
        told_release(&run->durable);
        run->durable = told;
        run->durable_on = world->machine;
    } else {
        told_release(&told);
    }
}

/* The life is over, and how. */
static void take_life(struct run *run, int code)
{
    run->counts.lives++;
    run->counts.faults += world->report.was_fault_met;
    run->counts.from_images += world->report.is_from_image;
    run->counts.kills += code == LIFE_WAS_KILLED && world->plan.end != LIFE_POWER_CUT;
    run->has_shown |= world->report.engine.late_by_seal + world->report.engine.capped > 0;
    check_end(run, code);
    check_aside(run);
}

static void live_one(struct run *run, unsigned number, const struct life_plan *plan,
                     const struct wire_plan *wire, struct dice *dice)
{
    int status;

    begin_life(run->scenario, number, plan, world->now_ns);
    wait_for_process(begin_process(run->scenario, wire, false), &status);
    take_life(run, end_process(status, dice));
    if (plan->end == LIFE_POWER_CUT) {
        disk_cut_power(dice);
        run->has_power_cut = true;
        run->counts.power_cuts++;
    }
    if (!run->is_failed)
        check_left(run, plan->end == LIFE_POWER_CUT);
    world->now_ns += plan->down_ns + 1;
}

/* ---- two at once ---- */

struct pair_run {
    struct run *run;
    const struct wire_plan *wire;
    pid_t pid[WORLD_MACHINES];        /* 0: none */
    unsigned began[WORLD_MACHINES];   /* lives up to this one have */
    uint64_t down_ns[WORLD_MACHINES]; /* until the next one does */
    struct life_report report;        /* of who ended last and had the unit */
    unsigned again;                   /* lives that were begun once more */
    const struct life_plan *plan[WORLD_MACHINES];
};

static void begin_one(struct pair_run *pair, unsigned number, const struct life_plan *plan)
{
    unsigned machine = plan->machine;
    uint64_t begin_ns = world->now_ns + pair->down_ns[machine];

    pair->plan[machine] = plan;
    pair->down_ns[machine] = plan->down_ns + 1;
    begin_life(pair->run->scenario, number, plan, begin_ns);
    pair_put_away(machine, begin_ns);
    pair->pid[machine] = begin_process(pair->run->scenario, pair->wire, true);
}

/* The next life of this machine. Who was overtaken in its last one is started again
 * (EXIT_OVERTAKEN) as another. */
static void begin_next(struct pair_run *pair, unsigned machine, int code)
{
    const struct scenario *scenario = pair->run->scenario;

    for (unsigned i = pair->began[machine]; i < scenario->life_count; i++)
        if (scenario->life[i].machine == machine) {
            pair->began[machine] = i + 1;
            begin_one(pair, i + 1, &scenario->life[i]);
            return;
        }
    if (code == EXIT_OVERTAKEN && ++pair->again > AGAIN_MAX)
        fail(pair->run, "S2: life after life is overtaken");
    else if (code == EXIT_OVERTAKEN)
        begin_one(pair, scenario->life_count + 1 + pair->again, pair->plan[machine]);
}

/* Whether something held this machine up between these times. */
static bool is_hindered(const struct scenario *scenario, const struct life_plan *plan,
                        uint64_t from_ns, uint64_t to_ns)
{
    const struct world_redis *redis = &scenario->redis;
    bool is_hindered = redis->lost > 0 || redis->restart_ns > 0 || redis->way_ns > 10 * MILLI_NS ||
                       world->plan.sync_ns > 10 * MILLI_NS || scenario->ops_max < 1000 ||
                       world->report.was_fault_met || world->report.was_full_met ||
                       plan->freeze_ns != world->plan.freeze_ns;

    for (int i = 0; i < WORLD_REDIS_AWAYS; i++)
        is_hindered |= redis->away[i].to_ns > 0;
    for (int i = 0; i < WORLD_APARTS; i++) {
        const struct world_apart *apart = &scenario->apart[i];
        uint64_t behind_ns = 3 * SECOND_NS;
        if (apart->what == APART_REDIS) /* who stands by looks at the owner for a lease anew */
            behind_ns += scenario->lease_ms * MILLI_NS;
        is_hindered |= apart->machine == world->machine && apart->from_ns < to_ns &&
                       apart->to_ns + behind_ns > from_ns;
    }
    return is_hindered;
}

/* From the end of the lease on: asked for at most a second later, and then ready as any start. */
static void check_taken(struct run *run, const struct life_plan *plan)
{
    const struct scenario *scenario = run->scenario;
    const struct life_report *report = &world->report;
    uint64_t from_ns = report->former_end_ns;
    uint64_t looked_ns = world->began_ns + scenario->lease_ms * MILLI_NS;

    if (report->taken_ns == 0 || report->ready_ns == 0)
        return;
    run->counts.taken++;
    /* One that came when the lease was over already had to begin first. */
    if (from_ns < world->began_ns)
        from_ns = world->began_ns;
    if (is_hindered(scenario, plan, from_ns, report->ready_ns))
        return;
    run->counts.taken_in_time++;
    if (report->ready_ns - from_ns > run->counts.taken_ns)
        run->counts.taken_ns = report->ready_ns - from_ns;
    /* And one that has not looked at the owner for a lease by then looks on. */
    if (looked_ns < from_ns)
        looked_ns = from_ns;
    if (report->taken_ns > looked_ns + TAKE_NS_MAX || report->ready_ns > looked_ns + READY_NS_MAX)
        fail(run,
             "S3: life %u had the unit %.3f s after the lease was over, and was ready after %.3f s",
             world->life, (double)(report->taken_ns - from_ns) / 1e9,
             (double)(report->ready_ns - from_ns) / 1e9);
}

static void end_one(struct pair_run *pair, unsigned machine, int status, struct dice *dice)
{
    int code = end_process(status, dice);

    pair->pid[machine] = 0;
    pair_is_over(machine);
    take_life(pair->run, code);
    check_taken(pair->run, pair->plan[machine]);
    if (world->pair.done_by == machine && world->report.has_begun)
        pair->report = world->report;
    if (!pair->run->is_failed)
        check_left(pair->run, false);
    if (!pair->run->is_failed && !world->pair.is_done)
        begin_next(pair, machine, code);
}

static void live_pair(struct run *run, const struct wire_plan *wire, struct dice *dice)
{
    struct pair_run pair = {.run = run, .wire = wire};
    int status;

    pair_reset();
    memcpy(world->pair.apart, run->scenario->apart, sizeof(world->pair.apart));
    world->pair.is_lasting = run->scenario->redis.restart_ns == 0;
    for (unsigned machine = 0; machine < WORLD_MACHINES; machine++)
        begin_next(&pair, machine, EXIT_OK);
    while (!run->is_failed && pair_give_turn()) {
        pid_t pid = wait_for_process(-1, &status);
        end_one(&pair, pid == pair.pid[0] ? 0 : 1, status, dice);
    }
    for (int i = 0; i < WORLD_MACHINES; i++)
        if (pair.pid[i] > 0) {
            kill(pair.pid[i], SIGKILL);
            wait_for_process(pair.pid[i], &status);
        }
    world->pair.is_done = false;
    world->machine = world->pair.done_by;
    world->report = pair.report;
}

/* From an empty disk to the end of the last of these lives. */
static void tell(struct run *run, const struct life_plan *lives, unsigned count,
                 const struct wire_plan *wire, uint64_t lag_ns)
{
    struct dice dice = dice_of(run->scenario->seed, 7);

    world->now_ns = 0;
    world->hash = run->scenario->seed;
    disk_make();
    disk_put(DISK_RULES, run->scenario->rules, strlen(run->scenario->rules));
    desk_begin(lag_ns);
    world->pushes = (struct world_pushes){0};
    world->acts = (struct world_acts){0};
    world->switches = 0;
    world->redis = run->scenario->redis;
    world->folds.count = world->refused.count = 0;
    if (run->scenario->is_pair)
        live_pair(run, wire, &dice);
    for (unsigned i = 0; i < count && !run->scenario->is_pair && !run->is_failed; i++)
        live_one(run, i + 1, &lives[i], wire, &dice);
    run->report = world->report;
    run->hash = world->hash;
    if (!run->is_failed && run->report.undelivered > 0 && !run->scenario->is_set_back)
        fail(run, "%" PRIu64 " ops are undelivered in the end", run->report.undelivered);
    if (!run->is_failed && run->report.engine.records != 0 &&
        !told_read(&run->told, run->scenario->has_images))
        fail(run, "the journal cannot be read in the end");
}

/* ---- what was told, against what is ---- */

/* Over there an alert that is over opens again with whatever is said of it (D3, class A). */
static bool was_told_astray(const struct told_incident *incident)
{
    const struct world_folds *strays = &world->pair.strays;
    uint64_t hash = hash64(incident->id, 32, 0);

    for (uint32_t i = 0; i < strays->count; i++)
        if (strays->op[i] == hash)
            return true;
    return false;
}

static bool has_two_owners(const struct scenario *scenario)
{
    return scenario->is_frozen || (scenario->is_pair && scenario->redis.restart_ns > 0);
}

static void check_ticket(struct run *run, const struct told_incident *incident, int sink)
{
    static const char *const hosts[SCENARIO_SINKS] = {
        [SINK_PAGER] = "pager.example", [SINK_SNOW] = "snow.example", [SINK_ZEN] = "zen.example"};
    const struct scenario *scenario = run->scenario;
    struct desk_found found = desk_find_tickets(hosts[sink], incident->id);
    unsigned wanted = incident->sink[sink].is_opened ? 1 : 0;
    unsigned wanted_open = wanted - (incident->sink[sink].is_resolved ? 1 : 0);

    if (incident->sink[sink].may_be_folded && incident->sink[sink].is_resolved &&
        (found.made == 0 || scenario->is_shared))
        return; /* another machine may have made it, and forgotten (S4) */
    /* Over there only one is open at a time (D3, class A): what was not mirrored comes again. */
    if (scenario->is_shared && sink == SINK_PAGER && found.made > wanted)
        wanted = found.made;
    /* The same, where an opening of which nobody knew whether it had come was refused, and sent
     * again by hand while nobody knew whether its resolve had. */
    if (incident->sink[sink].was_refused && sink == SINK_PAGER && found.made > wanted)
        wanted = found.made;
    /* An owner was asleep between its look-up and its ticket (D3, class C), or the store gave the
     * unit to another within its lease, which it had forgotten: found, and closed. */
    if (has_two_owners(scenario) && sink == SINK_SNOW && found.made > wanted)
        found.made -= found.linked;
    /* One who slept longer than the settle time is not promised to be found: by the look-ups of the
     * other it did not show yet, and its own never came, for it was overtaken. */
    if (scenario->is_pair && has_two_owners(scenario) && sink == SINK_SNOW &&
        found.made == wanted + found.unseen) {
        run->counts.left_open += found.unseen;
        found.made -= found.unseen;
        found.open -= found.unseen;
    }
    if (scenario->has_refusals && found.made < wanted)
        return; /* given up, and overtaken by a later op that was taken */
    if (found.made != wanted)
        fail(run, "D3: %s has %u tickets of incident %s, and not %u", hosts[sink], found.made,
             incident->id, wanted);
    else if (scenario->is_pair && sink == SINK_PAGER && found.open > wanted_open &&
             was_told_astray(incident))
        run->counts.left_open++;
    else if (found.open != wanted_open)
        fail(run, "D1: of incident %s %s has %u open tickets, and not %u", incident->id,
             hosts[sink], found.open, wanted_open);
}

/* Every opening and every resolve came, and what came again said so. */
static void check_hook(struct run *run)
{
    size_t count;
    const struct desk_told *told = desk_told(&count);

    for (size_t i = 0; i < count && !run->is_failed; i++) {
        struct told_op *op = told_find_op(&run->told, told[i].op);
        if (op == NULL) {
            fail(run, "the hook was told op %s, which nobody made", told[i].op);
        } else if (op->came++ > 0 && !told[i].may_repeat && !run->scenario->is_pair) {
            fail(run, "D3: the hook was told op %s again, without a word of it", told[i].op);
        } else if (!told[i].may_repeat && op->came_plainly++ > 0 &&
                   run->scenario->redis.restart_ns == 0) {
            fail(run, "D3: the hook was told op %s by two, and neither says so", told[i].op);
        }
    }
    for (size_t i = 0; i < run->told.op_count && !run->is_failed; i++) {
        const struct told_op *op = &run->told.op[i];
        if (op->sink != SINK_HOOK)
            continue;
        if (op->came == 0 && strcmp(op->kind, "update") != 0 && !run->scenario->has_refusals &&
            !op->may_be_folded)
            fail(run, "D1: the hook was never told %s of incident %s", op->kind, op->incident);
    }
}

/* What was answered as taken counts, once; what was refused does not (C3). */
static void check_push(struct run *run, uint32_t i)
{
    char host[16];
    unsigned count;

    snprintf(host, sizeof(host), "p%u", (unsigned)i);
    count = told_count_pushed(&run->told, host);
    if (world->pushes.state[i] == WORLD_TAKEN && count == 0 && run->scenario->is_ahead)
        return;
    if (world->pushes.state[i] == WORLD_TAKEN && count != 1)
        fail(run, "C3: push %u was taken, and there are %u incidents of it", (unsigned)i, count);
    else if (world->pushes.state[i] == WORLD_REFUSED && count != 0)
        fail(run, "C3: push %u was refused, and there are %u incidents of it", (unsigned)i, count);
    else if (count > 1)
        fail(run, "D2: of push %u there are %u incidents", (unsigned)i, count);
}

/* What was done to an incident is told once, where it was answered so; what was refused is not. */
static void check_act(struct run *run, uint32_t i)
{
    unsigned count = run->told.act[i];

    run->counts.acts += count > 0;
    if (world->acts.state[i] == WORLD_TAKEN && count != 1)
        fail(run, "C3: act %u was done, and %u changes say so", (unsigned)i, count);
    else if (world->acts.state[i] == WORLD_REFUSED && count != 0)
        fail(run, "C3: act %u was refused, and %u changes say that it was done", (unsigned)i,
             count);
    else if (count > 1)
        fail(run, "D2: act %u is told %u times", (unsigned)i, count);
}

/* Its rows depend on the journal alone. A clock that jumps may have emptied it. */
static void check_past(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    bool is_behind;
    char why[512];

    if (!scenario->has_history || scenario->is_shared || scenario->is_ahead ||
        scenario->is_set_back)
        return;
    if (!past_is_same(&is_behind, why))
        fail(run, "the history is not that of the journal: %s", why);
    else
        run->counts.histories += !is_behind;
}

/* Everybody reads there what is open (S1), but for what is not watched any more. */
static void check_shared(struct run *run)
{
    size_t open = 0;

    if (!run->scenario->has_redis || run->told.begins_late)
        return;
    for (size_t i = 0; i < run->told.incident_count && !run->is_failed; i++) {
        const struct told_incident *incident = &run->told.incident[i];
        bool is_listed = incident->is_open && redis_desk_has_open(incident->id);
        open += is_listed || (incident->is_open && !incident->may_be_unwatched);
        if (incident->is_open && !is_listed && !incident->may_be_unwatched)
            fail(run, "S1: incident %s is open, and the shared store does not say so",
                 incident->id);
    }
    if (!run->is_failed && open != redis_desk_open())
        fail(run, "S1: %zu incidents are open, and the shared store has %zu", open,
             redis_desk_open());
    run->counts.shared++;
}

static void check_told(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    unsigned tickets[SCENARIO_SINKS] = {0};
    bool folded = false;
    static const char *const hosts[SCENARIO_SINKS] = {"", "pager.example", "snow.example",
                                                      "zen.example"};

    if (run->told.begins_late ||
        (scenario->is_shared && scenario->has_redis_faults && run->has_shown))
        return;
    for (size_t i = 0; i < run->told.incident_count && !run->is_failed; i++)
        for (int sink = SINK_PAGER; sink < SCENARIO_SINKS && !run->is_failed; sink++) {
            tickets[sink] += run->told.incident[i].sink[sink].is_opened;
            folded |= run->told.incident[i].sink[sink].may_be_folded;
            if (scenario->has_sink[sink])
                check_ticket(run, &run->told.incident[i], sink);
        }
    for (int sink = SINK_PAGER; sink < SCENARIO_SINKS && !run->is_failed; sink++)
        if (scenario->has_sink[sink] && !scenario->has_refusals && !folded &&
            !(scenario->is_shared && sink == SINK_PAGER) &&
            !(has_two_owners(scenario) && sink == SINK_SNOW) &&
            desk_tickets(hosts[sink]) != tickets[sink])
            fail(run, "%s has tickets that nobody made", hosts[sink]);
    if (scenario->has_sink[SINK_HOOK] && !run->is_failed)
        check_hook(run);
    check_shared(run);
    for (uint32_t i = 0; i < world->pushes.count && !run->is_failed; i++)
        check_push(run, i);
    for (uint32_t i = 0; i < WORLD_ACTS_MAX && !run->is_failed; i++)
        check_act(run, i);
    if (run->told.strange_acts > 0)
        fail(run, "C3: %u changes say something that nobody did", (unsigned)run->told.strange_acts);
}

/* X1b: nothing but the records decided, so both have to be told the same. */
static bool is_same_wanted(const struct run *run, const struct run *quiet)
{
    const struct engine_counters *a = &quiet->report.engine, *b = &run->report.engine;

    return !run->scenario->has_outage && !run->scenario->is_switched && !run->scenario->has_acts &&
           a->late_by_seal + b->late_by_seal + a->capped + b->capped == 0;
}

/* Who began with the other's image has a journal from there on, and the undisturbed run stands for
 * what lies before. Where the rest is not as there X1b fails, so nothing is passed off as told. */
static void complete(struct run *run, const struct run *quiet)
{
    if (!run->told.begins_late || !is_same_wanted(run, quiet))
        return;
    run->late = run->told;
    told_complete(&quiet->told, &run->late, &run->told);
    run->counts.completed++;
}

static void check_same(struct run *run, const struct run *quiet)
{
    const struct engine_counters *a = &quiet->report.engine, *b = &run->report.engine;
    int64_t to_ms = quiet->report.watermark_ms < run->report.watermark_ms
                        ? quiet->report.watermark_ms
                        : run->report.watermark_ms;
    char why[2600];

    if (run->scenario->has_outage || run->scenario->is_switched || run->scenario->has_acts)
        return;
    if (a->rejected[REJECT_PARSE] != b->rejected[REJECT_PARSE])
        fail(run,
             "L1: undisturbed %" PRIu64 " records with %" PRIu64 " events were read, and %" PRIu64
             " with %" PRIu64,
             a->records, a->events, b->records, b->events);
    world_note("judge",
               "undisturbed %" PRIu64 " late by seal, %" PRIu64 " capped; then %" PRIu64
               ", %" PRIu64,
               a->late_by_seal, a->capped, b->late_by_seal, b->capped);
    if (!is_same_wanted(run, quiet))
        return;
    run->counts.held_against++;
    if (!run->told.begins_late && !told_is_same(&quiet->told, &run->told, to_ms, why, sizeof(why)))
        fail(run, "X1b: it was told otherwise than undisturbed:\n%s", why);
}

static void tell_quietly(struct run *run)
{
    static struct scenario calm;
    const uint64_t outage_to_ns = world->outage_to_ns;
    const struct wire_plan honest = {.way_ns = MILLI_NS};
    const struct life_plan life = scenario_quiet_life();

    calm = *run->scenario;
    calm.people.every_ns = 0;
    calm.has_redis = calm.is_shared = calm.is_pair = false;
    run->scenario = &calm;
    world->outage_to_ns = 0;
    tell(run, &life, 1, &honest, 0);
    world->outage_to_ns = outage_to_ns;
}

/* X1: all of it comes again from the same records and marks, with other workers and epochs. */
static void tell_again(struct run *run)
{
    const struct life_report report = run->report;
    const struct told *before = run->late.text != NULL ? &run->late : &run->told;
    struct dice dice = dice_of(run->scenario->seed, 8);
    struct life_plan again = run->scenario->again;
    struct told told = {0};

    if (run->scenario->is_pair)
        again.machine = world->pair.done_by;
    live_one(run, run->scenario->life_count + 1, &again, &run->scenario->wire, &dice);
    if (run->is_failed || !told_read(&told, run->scenario->has_images)) {
        fail(run, "what was told in the end does not come again");
        return;
    }
    if (!told_goes_on(before, &told))
        fail(run, "C7: a start without news changed what had been told");
    told_release(&told);
    run->report = report;
}

static void tell_loudly(struct run *run)
{
    const struct scenario *scenario = run->scenario;

    tell(run, scenario->life, scenario->life_count, &scenario->wire, scenario->lag_ns);
}

static void check_hash(struct run *run)
{
    struct run again = {.scenario = run->scenario};

    tell_loudly(&again);
    if (again.hash != run->hash)
        fail(run, "the same seed went another way: %016" PRIx64 ", then %016" PRIx64, run->hash,
             again.hash);
    told_release(&again.told);
    told_release(&again.durable);
}

static void add(struct judge_counts *counts, const struct run *run)
{
    counts->seeds++;
    counts->failed += run->is_failed;
    counts->lives += run->counts.lives;
    counts->kills += run->counts.kills;
    counts->power_cuts += run->counts.power_cuts;
    counts->faults += run->counts.faults;
    counts->events += run->report.engine.events;
    counts->incidents += run->told.incident_count;
    counts->ops += run->told.op_count;
    counts->held_against += run->counts.held_against;
    counts->acts += run->counts.acts;
    counts->shared += run->counts.shared;
    counts->from_images += run->counts.from_images;
    counts->completed += run->counts.completed;
    counts->histories += run->counts.histories;
    counts->pairs += run->scenario->is_pair;
    counts->taken += run->counts.taken;
    counts->left_open += run->counts.left_open;
    counts->taken_in_time += run->counts.taken_in_time;
    if (run->counts.taken_ns > counts->taken_ns)
        counts->taken_ns = run->counts.taken_ns;
    if (run->counts.memory_kib > counts->memory_kib)
        counts->memory_kib = run->counts.memory_kib;
}

bool judge_seed(uint64_t seed, const struct judge_options *options, struct judge_counts *counts)
{
    static struct scenario scenario;
    struct run quiet = {.scenario = &scenario}, run = {.scenario = &scenario};

    world->seed = seed;
    world->is_told = options->is_told;
    world->text_bytes = 0;
    world->last_record_ns = 0;
    for (int i = 0; i < WORLD_PARTITIONS_MAX; i++)
        world->partition[i].count = 0;
    scenario_make(&scenario, seed, options->events);
    if (options->takes_pairs && !scenario.is_pair)
        return true;
    if (options->is_told)
        scenario_tell(&scenario);
    tell_quietly(&quiet);
    if (!quiet.is_failed)
        tell_loudly(&run);
    if (!quiet.is_failed && !run.is_failed)
        complete(&run, &quiet);
    if (!quiet.is_failed && !run.is_failed && run.report.undelivered == 0)
        check_told(&run);
    if (!quiet.is_failed && !run.is_failed)
        check_same(&run, &quiet);
    if (!quiet.is_failed && !run.is_failed)
        tell_again(&run);
    if (!quiet.is_failed && !run.is_failed)
        check_past(&run);
    if (!quiet.is_failed && !run.is_failed && options->is_twice)
        check_hash(&run);
    run.is_failed |= quiet.is_failed;
    if (options->keep != NULL)
        disk_keep(options->keep);
    add(counts, &run);
    told_release(&quiet.told);
    told_release(&run.told);
    told_release(&run.late);
    told_release(&run.durable);
    return !run.is_failed;
}
