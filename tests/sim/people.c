/* people.c - see people.h. */
#include "sim/people.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/service_parts.h"
#include "sim/disk.h"
#include "sim/fibers.h"

#define NOBODY UINT32_MAX

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
    uint32_t push;
};

static struct sim_reply *reply_make(uint32_t push)
{
    struct sim_reply *reply = malloc(sizeof(*reply));

    if (reply == NULL)
        abort();
    reply->push = push;
    return reply;
}

static void take_answer(struct sim_reply *reply, int code)
{
    world_note("people", "push %d is answered with %d", (int)reply->push, code);
    /* Of what met a fault nobody knows whether it is there. */
    if (reply->push != NOBODY && (code == 200 || code == 202))
        world->pushes.state[reply->push] = WORLD_PUSH_TAKEN;
    else if (reply->push != NOBODY && !world->report.was_fault_met)
        world->pushes.state[reply->push] = WORLD_PUSH_REFUSED;
    free(reply);
}

void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes);
void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes)
{
    (void)type, (void)bytes;
    free(text);
    take_answer((struct sim_reply *)reply, code);
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
    service_take_events(people.service, &given, (struct admin_reply *)reply_make(pushes->count++));
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
    char body[128];
    struct admin_pick pick = {.peer = "192.0.2.7:4711", .is_local = true, .body = body};

    snprintf(body, sizeof(body),
             "{\"where\": \"host == \\\"h%u\\\"\", \"for\": \"%us\", \"comment\": \"c\"}",
             (unsigned)dice_below(dice, 8), (unsigned)dice_between(dice, 1, 20));
    pick.bytes = strlen(body);
    world_note("people", "silence %s", body);
    service_add_silence(people.service, &pick, (struct admin_reply *)reply_make(NOBODY));
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
        add_silence(dice);
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

void people_redrive(struct service *service)
{
    const struct outbox_pick all = {.sink = -1};
    struct outbox_redriven redriven = {0};

    outbox_redrive(service->outbox, &all, &redriven);
    if (redriven.redriven > 0)
        world_note("people", "redrive: %llu", (unsigned long long)redriven.redriven);
}
