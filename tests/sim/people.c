/* people.c - see people.h. */
#include "sim/people.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/service_parts.h"
#include "sim/disk.h"
#include "sim/fibers.h"

enum { SWITCHES_MAX = 20 };

static struct {
    const struct scenario *scenario;
    struct service *service;
    pthread_t thread;
    int waker;
    bool is_there, must_end, has_other;
} people;

/* ---- answers ---- */

struct sim_reply {
    const char *what;
    uint32_t number;
    unsigned char *state; /* in the world; NULL: nobody looks */
    int kept;             /* the answer that says it is there to stay, beside 200 */
    bool has_silence;     /* the answer names one */
};

static struct admin_reply *reply_make(const struct sim_reply *from)
{
    struct sim_reply *reply = malloc(sizeof(*reply));

    if (reply == NULL)
        abort();
    *reply = *from;
    return (struct admin_reply *)reply;
}

static void take_answer(struct sim_reply *reply, int code)
{
    world_note("people", "%s %u is answered with %d", reply->what, (unsigned)reply->number, code);
    /* Of what met a fault nobody knows whether it is there. */
    if (reply->state != NULL && (code == 200 || code == reply->kept))
        *reply->state = WORLD_TAKEN;
    else if (reply->state != NULL && code != 202 && !world->report.was_fault_met)
        *reply->state = WORLD_REFUSED;
    free(reply);
    if (++world->report.answers == world->plan.die_answer)
        world_die("as somebody is answered");
}

static void take_silence(const char *text)
{
    static const char name[] = "\"id\":\"";
    const char *at = text != NULL ? strstr(text, name) : NULL;
    char *to = world->acts.silence;

    if (at == NULL)
        return;
    at += sizeof(name) - 1;
    snprintf(to, WORLD_SILENCE_BYTES, "%.*s", (int)strcspn(at, "\""), at);
}

void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes);
void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes)
{
    struct sim_reply *ours = (struct sim_reply *)reply;

    (void)type, (void)bytes;
    if (ours->has_silence)
        take_silence(text);
    free(text);
    take_answer(ours, code);
}

void __wrap_admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence);
void __wrap_admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence)
{
    world_note("people", "%s", sentence);
    take_answer((struct sim_reply *)reply, code);
}

/* ---- acts ---- */

static void push(struct dice *dice)
{
    struct world_pushes *pushes = &world->pushes;
    char body[256];
    const struct admin_pick pick = {.peer = "192.0.2.7:4711",
                                    .is_local = true,
                                    .wait = dice_percent(dice, 50) ? "2s" : NULL,
                                    .body = body};
    struct admin_pick given = pick;

    if (pushes->count == WORLD_PUSHES_MAX)
        return;
    snprintf(body, sizeof(body),
             "{\"tenant\":\"pushed\",\"source\":\"p\",\"resource\":\"p%u\",\"check\":\"pushed\","
             "\"severity\":\"major\"}",
             pushes->count);
    given.bytes = strlen(body);
    world_note("people", "push %u", pushes->count);
    service_take_events(people.service, &given,
                        reply_make(&(struct sim_reply){.what = "push",
                                                       .number = pushes->count,
                                                       .state = &pushes->state[pushes->count],
                                                       .kept = 202}));
    pushes->count++;
}

static void reload(void)
{
    struct rules_preview preview = {.rules_changed = 0};
    const char *rules;
    struct error err = {""};
    int rc;

    people.has_other = !people.has_other;
    rules = people.has_other ? people.scenario->other_rules : people.scenario->rules;
    disk_put(DISK_RULES, rules, strlen(rules));
    rc = service_reload(people.service, &preview, &err);
    if (rc == 0)
        rules_preview_release(&preview);
    world_note("people", "reload: %d %s", rc, err.text);
}

static void add_silence(struct dice *dice)
{
    const struct sim_reply reply = {.what = "silence", .has_silence = true};
    char body[128];
    struct admin_pick pick = {.peer = "192.0.2.7:4711", .is_local = true, .body = body};

    snprintf(body, sizeof(body),
             "{\"where\": \"host == \\\"h%u\\\"\", \"for\": \"%us\", \"comment\": \"c\"}",
             (unsigned)dice_below(dice, 8), (unsigned)dice_between(dice, 1, 20));
    pick.bytes = strlen(body);
    world_note("people", "silence %s", body);
    service_add_silence(people.service, &pick, reply_make(&reply));
}

/* Also one that is over, or has been ended before. */
static void end_silence(void)
{
    const struct sim_reply reply = {.what = "end of silence"};
    char body[128];
    struct admin_pick pick = {.peer = "192.0.2.7:4711", .is_local = true, .body = body};

    pick.bytes = (size_t)snprintf(body, sizeof(body), "{\"id\": \"%s\"}", world->acts.silence);
    world_note("people", "end of silence %s", body);
    service_end_silence(people.service, &pick, reply_make(&reply));
}

/* One that the incident log names, mostly of its last lines; people look at what they were told. */
static bool find_incident(struct dice *dice, char id[ID128_TEXT_BYTES])
{
    static const char name[] = "\"incident\":\"";
    enum { LAST_BYTES = 6 << 10 };
    size_t bytes = 0, from;
    const char *text = disk_look(disk_incidents(), &bytes), *at;

    if (text == NULL || bytes == 0)
        return false;
    from = dice_percent(dice, 75) && bytes > LAST_BYTES ? bytes - LAST_BYTES : 0;
    from += dice_below(dice, bytes - from);
    at = memmem(text + from, bytes - from, name, sizeof(name) - 1);
    if (at == NULL || (size_t)(text + bytes - at) < sizeof(name) - 1 + ID128_TEXT_BYTES)
        return false;
    memcpy(id, at + sizeof(name) - 1, ID128_TEXT_BYTES - 1);
    id[ID128_TEXT_BYTES - 1] = '\0';
    return true;
}

static void say_of_incident(struct dice *dice)
{
    struct world_acts *acts = &world->acts;
    char id[ID128_TEXT_BYTES], body[64];
    struct admin_pick pick = {
        .peer = "192.0.2.7:4711", .is_local = true, .incident = id, .body = body};
    bool closes = dice_percent(dice, 50);
    struct admin_reply *reply;

    if (acts->count == WORLD_ACTS_MAX || !find_incident(dice, id))
        return;
    reply = reply_make(&(struct sim_reply){.what = closes ? "close" : "acknowledgement",
                                           .number = acts->count,
                                           .state = &acts->state[acts->count]});
    pick.bytes =
        (size_t)snprintf(body, sizeof(body), "{\"comment\":\"act-%u\"}", (unsigned)acts->count);
    world_note("people", "%s %u of incident %s", closes ? "close" : "acknowledgement",
               (unsigned)acts->count, id);
    acts->count++;
    if (closes)
        service_close_incident(people.service, &pick, reply);
    else
        service_acknowledge(people.service, &pick, reply);
}

static void act(struct dice *dice)
{
    const struct people_plan *plan = &people.scenario->people;
    uint64_t what = dice_below(dice, 100);

    /* Each set is kept in files of its own. */
    if (what < plan->reloads + plan->silences && world->switches++ > SWITCHES_MAX)
        return;
    if (what < plan->reloads)
        reload();
    else if (what < plan->reloads + plan->silences)
        world->acts.silence[0] != '\0' && dice_percent(dice, 30) ? end_silence()
                                                                 : add_silence(dice);
    else if (plan->by_hand > 0 && dice_percent(dice, plan->by_hand))
        say_of_incident(dice);
    else if (plan->has_pushes)
        push(dice);
}

static void *do_things(void *self)
{
    struct dice dice = dice_of(world->seed, 500 + world->life);

    (void)self;
    pthread_setname_np(pthread_self(), "people");
    while (!people.must_end) {
        fibers_sleep(people.waker,
                     world->now_ns + dice_below(&dice, 2 * people.scenario->people.every_ns), true);
        if (!people.must_end && world->now_ns < world->last_record_ns)
            act(&dice);
    }
    return NULL;
}

void people_begin(const struct scenario *scenario, struct service *service)
{
    people.scenario = scenario;
    people.service = service;
    people.is_there = scenario->people.every_ns > 0;
    if (!people.is_there)
        return;
    people.waker = fibers_waker_create();
    pthread_create(&people.thread, NULL, do_things, NULL);
}

void people_end(void)
{
    if (!people.is_there)
        return;
    people.must_end = true;
    fibers_waker_wake(people.waker);
    pthread_join(people.thread, NULL);
}

bool people_redrive(struct service *service)
{
    const struct outbox_pick all = {.sink = -1};
    struct sink_counters sinks[SCENARIO_SINKS];
    struct outbox_redriven redriven = {0};
    uint64_t owed = 0;
    size_t count;

    outbox_redrive(service->outbox, &all, &redriven);
    if (redriven.redriven > 0)
        world_note("people", "redrive: %llu", (unsigned long long)redriven.redriven);
    count = outbox_counters(service->outbox, sinks, SCENARIO_SINKS);
    for (size_t i = 0; i < count && i < SCENARIO_SINKS; i++)
        owed += sinks[i].waiting;
    return owed > 0;
}
