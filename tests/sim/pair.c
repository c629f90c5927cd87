/* pair.c - see pair.h. */
#include "sim/pair.h"

#include <stdio.h>
#include <stdlib.h>

static struct world_machine *mine; /* of a life that is one of two; NULL: it lives alone */
static struct world_machine *other;

static void put_away(struct world_life *to)
{
    *to = (struct world_life){.life = world->life,
                              .machine = world->machine,
                              .plan = world->plan,
                              .report = world->report,
                              .turns = world->turns,
                              .wire = world->wire,
                              .fetches = world->fetches,
                              .steps = world->steps,
                              .randoms = world->randoms,
                              .redis_dice = world->redis_dice,
                              .began_ns = world->began_ns};
}

static void bring_back(const struct world_life *from)
{
    world->life = from->life;
    world->machine = from->machine;
    world->plan = from->plan;
    world->report = from->report;
    world->turns = from->turns;
    world->wire = from->wire;
    world->fetches = from->fetches;
    world->steps = from->steps;
    world->randoms = from->randoms;
    world->redis_dice = from->redis_dice;
    world->began_ns = from->began_ns;
}

static void must(int rc)
{
    if (rc == 0)
        return;
    perror("tocsin_sim: a turn");
    exit(70);
}

/* ---- in the judge ---- */

void pair_reset(void)
{
    for (int i = 0; i < WORLD_MACHINES; i++) {
        world->pair.machine[i].is_alive = false;
        must(sem_init(&world->pair.machine[i].turn, 1, 0));
    }
    world->pair.dice = dice_of(world->seed, 25);
    world->pair.is_done = false;
    world->pair.owner = world->pair.done_by = 0;
    world->pair.lease_end_ns = 0;
    world->pair.strays.count = 0;
}

void pair_put_away(unsigned machine, uint64_t begin_ns)
{
    struct world_machine *to = &world->pair.machine[machine];

    put_away(&to->away);
    to->next_ns = begin_ns;
    to->is_alive = true;
}

void pair_is_over(unsigned machine)
{
    world->pair.machine[machine].is_alive = false;
}

bool pair_give_turn(void)
{
    struct world_machine *next = NULL;

    for (int i = 0; i < WORLD_MACHINES; i++) {
        struct world_machine *one = &world->pair.machine[i];
        if (one->is_alive && (next == NULL || one->next_ns < next->next_ns))
            next = one;
    }
    if (next != NULL)
        must(sem_post(&next->turn));
    return next != NULL;
}

/* ---- in a life ---- */

static void wait_for_turn(void)
{
    while (sem_wait(&mine->turn) != 0)
        ; /* a signal */
    bring_back(&mine->away);
}

void pair_begin(unsigned machine)
{
    mine = &world->pair.machine[machine];
    other = &world->pair.machine[1 - machine];
    wait_for_turn();
    if (world->now_ns < mine->next_ns)
        world->now_ns = mine->next_ns;
}

static void hand_over(uint64_t due_ns)
{
    mine->next_ns = due_ns;
    put_away(&mine->away);
    must(sem_post(&other->turn));
    wait_for_turn();
}

bool pair_yield(uint64_t due_ns)
{
    if (mine == NULL || !other->is_alive || other->next_ns > due_ns)
        return false;
    /* Due at the same moment to come: were it handed over, so would it be by the other. */
    if (other->next_ns == due_ns && due_ns > world->now_ns)
        return false;
    if (due_ns <= world->now_ns && dice_percent(&world->pair.dice, 50))
        return false;
    hand_over(due_ns);
    return true;
}

void pair_freeze(uint64_t until_ns)
{
    world_note("world", "machine %u is frozen", world->machine);
    while (world->now_ns < until_ns && mine != NULL && other->is_alive && other->next_ns < until_ns)
        hand_over(until_ns);
    if (world->now_ns < until_ns)
        world->now_ns = until_ns;
    world->pair.thaws++;
    world_note("world", "machine %u goes on", world->machine);
}

bool pair_has_other(void)
{
    return mine != NULL;
}

bool pair_is_apart(enum apart what)
{
    if (mine == NULL)
        return false;
    for (int i = 0; i < WORLD_APARTS; i++) {
        const struct world_apart *apart = &world->pair.apart[i];
        if (apart->what == what && apart->machine == world->machine &&
            world->now_ns >= apart->from_ns && world->now_ns < apart->to_ns)
            return true;
    }
    return false;
}
