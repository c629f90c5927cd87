/*
 * redis_wire.c - the line to the Redis of the world, in place of hiredis (store/redis_link.h):
 * commands take their time, answers get lost, and it is away for a while, or comes back as it was
 * some time ago.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "base/arena.h"
#include "sim/fibers.h"
#include "sim/pair.h"
#include "sim/redis_desk.h"
#include "sim/world.h"
#include "store/redis_link.h"

struct sim_link {
    struct shared_link link;      /* first */
    unsigned answer_ms, restarts; /* of the Redis that it has met */
    struct arena *replies;
};

/* Each once. */
static void pass_moments(void)
{
    struct world_redis *redis = &world->redis;

    if (redis->save_ns != 0 && world->now_ns >= redis->save_ns) {
        redis->save_ns = 0;
        world_note("redis", "what is there is kept");
        redis_desk_save();
    }
    if (redis->restart_ns != 0 && world->now_ns >= redis->restart_ns) {
        redis->restart_ns = 0;
        redis->restarts++;
        world_note("redis", "it comes back as it was");
        redis_desk_restart();
    }
}

static const struct world_redis_away *away_now(void)
{
    static const struct world_redis_away apart = {.is_silent = true};

    if (pair_is_apart(APART_REDIS))
        return &apart;
    for (int i = 0; i < WORLD_REDIS_AWAYS; i++)
        if (world->now_ns >= world->redis.away[i].from_ns &&
            world->now_ns < world->redis.away[i].to_ns)
            return &world->redis.away[i];
    return NULL;
}

/* ---- replies ---- */

struct rest {
    const char *at, *end;
};

static void read_reply(struct sim_link *link, struct rest *rest, struct shared_reply *to)
{
    struct redis_part part;
    struct shared_reply *item;

    assert((size_t)(rest->end - rest->at) >= sizeof(part));
    memcpy(&part, rest->at, sizeof(part));
    rest->at += sizeof(part);
    *to = (struct shared_reply){.kind = (enum shared_reply_kind)part.kind, .number = part.number};
    to->text = (struct text){arena_copy(link->replies, rest->at, part.bytes), part.bytes};
    rest->at += part.bytes;
    if (to->kind != SHARED_REPLY_LIST)
        return;
    item = arena_alloc_many(link->replies, part.items + 1, sizeof(*item));
    for (uint32_t i = 0; i < part.items; i++)
        read_reply(link, rest, &item[i]);
    to->item = item;
    to->count = part.items;
}

static const struct shared_reply *carry_out(struct sim_link *link, const struct text *word,
                                            size_t count)
{
    struct shared_reply *reply;
    size_t bytes;
    char *text = redis_desk_ask(word, count, world->now_ns, &bytes);

    world_hash(hash64(text, bytes, bytes));
    arena_destroy(link->replies);
    link->replies = arena_create(2 * (size_t)REDIS_REPLY_BYTES_MAX);
    reply = arena_alloc(link->replies, sizeof(*reply));
    read_reply(link, &(struct rest){text, text + bytes}, reply);
    free(text);
    return reply;
}

/* ---- a command ---- */

static int lose(struct sim_link *link, struct error *err)
{
    fibers_pause(dice_below(&world->redis_dice, link->answer_ms + 1) * MILLI_NS);
    error_set(err, "redis: the line is dead");
    return -ECONNRESET;
}

static int ask(struct shared_link *self, const struct text *word, size_t count,
               const struct shared_reply **reply, struct error *err)
{
    static const struct shared_reply loading = {
        SHARED_REPLY_ERROR, 0, {"LOADING Redis is loading the dataset in memory", 46}, NULL, 0};
    struct sim_link *link = (struct sim_link *)self;
    struct dice *dice = &world->redis_dice;
    bool is_calm = world->now_ns >= world->redis.calm_ns;

    fibers_pause(dice_below(dice, world->redis.way_ns + 1));
    pass_moments();
    const struct world_redis_away *away = away_now();
    world_note("redis", "%.*s %.*s%s", (int)word[0].len, word[0].at,
               count > 3 ? (int)word[3].len : 0, count > 3 ? word[3].at : "",
               away != NULL ? ": it is away" : "");
    if (away != NULL && away->is_silent) {
        fibers_pause(link->answer_ms * MILLI_NS);
        error_set(err, "redis: no answer within %u ms", link->answer_ms);
        return -ETIMEDOUT;
    }
    if (away != NULL) {
        error_set(err, "redis: connection refused");
        return -ECONNREFUSED;
    }
    /* A line does not outlive what it went to; who lives alone finds out from what is there. */
    if (pair_has_other() && link->restarts != world->redis.restarts) {
        link->restarts = world->redis.restarts;
        return lose(link, err);
    }
    if (!is_calm && dice_percent(dice, world->redis.lost)) {
        if (dice_percent(dice, 30)) {
            *reply = &loading;
            return 0;
        }
        if (dice_percent(dice, 60))
            carry_out(link, word, count);
        return lose(link, err);
    }
    *reply = carry_out(link, word, count);
    fibers_pause(dice_below(dice, world->redis.way_ns + 1));
    return 0;
}

static void destroy(struct shared_link *self)
{
    struct sim_link *link = (struct sim_link *)self;

    arena_destroy(link->replies);
    free(link);
}

int __wrap_redis_link_create(const struct redis_config *config, struct shared_link **out,
                             struct error *err);
int __wrap_redis_link_create(const struct redis_config *config, struct shared_link **out,
                             struct error *err)
{
    struct sim_link *link = calloc(1, sizeof(*link));

    (void)err;
    assert(link != NULL);
    link->link = (struct shared_link){ask, destroy};
    link->answer_ms = config->answer_ms;
    link->restarts = world->redis.restarts;
    *out = &link->link;
    return 0;
}
