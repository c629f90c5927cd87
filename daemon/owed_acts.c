/*
 * owed_acts.c - see owed_acts.h.
 */
#include "daemon/owed_acts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "base/vector.h"
#include "ingest/intake_act.h"

struct owed_acts {
    pthread_mutex_t lock;
    VECTOR_OF(struct owed_act *) act; /* under it, as the next */
    bool is_stopped;
    uint64_t next; /* positions before are of runs before */
};

struct owed_acts *owed_acts_create(void)
{
    struct owed_acts *acts = calloc(1, sizeof(*acts));

    if (acts != NULL)
        pthread_mutex_init(&acts->lock, NULL);
    return acts;
}

void owed_act_free(struct owed_act *act)
{
    free(act->who);
    free(act->from);
    free(act->answer);
    free(act);
}

void owed_act_answer(struct owed_act *act)
{
    size_t bytes;
    char *text;

    if (act->reply == NULL)
        return;
    bytes = strlen(act->answer) + 64;
    text = malloc(bytes);
    if (act->is_told && !act->was_open) {
        admin_answer_sentence(act->reply, 409, "the incident was not open any more");
        free(text);
    } else {
        if (text != NULL)
            snprintf(text, bytes, "%s,\"applied\":%s}\n", act->answer,
                     act->is_told ? "true" : "false");
        admin_answer(act->reply, act->is_told ? 200 : 202, ADMIN_JSON, text,
                     text != NULL ? strlen(text) : 0);
    }
    act->reply = NULL;
}

void owed_acts_stop(struct owed_acts *acts)
{
    pthread_mutex_lock(&acts->lock);
    acts->is_stopped = true;
    for (size_t i = 0; i < acts->act.count; i++) {
        acts->act.at[i]->is_told = false; /* it may not be durable */
        owed_act_answer(acts->act.at[i]);
    }
    pthread_mutex_unlock(&acts->lock);
}

void owed_acts_destroy(struct owed_acts *acts)
{
    if (acts == NULL)
        return;
    owed_acts_stop(acts);
    for (size_t i = 0; i < acts->act.count; i++)
        owed_act_free(acts->act.at[i]);
    free(acts->act.at);
    pthread_mutex_destroy(&acts->lock);
    free(acts);
}

/* Under the lock, as the next. SIZE_MAX: there is none. */
static size_t find(const struct owed_acts *acts, uint64_t position)
{
    for (size_t i = 0; i < acts->act.count; i++)
        if (acts->act.at[i]->position == position)
            return i;
    return SIZE_MAX;
}

static struct owed_act *get(struct owed_acts *acts, uint64_t position)
{
    size_t i = find(acts, position);
    struct owed_act *act;

    if (i != SIZE_MAX)
        return acts->act.at[i];
    act = memory_alloc(sizeof(*act));
    *act = (struct owed_act){.position = position};
    return vector_add(&acts->act) = act;
}

static char *copy(const char *text, size_t bytes)
{
    char *to = memory_alloc(bytes + 1);

    memcpy(to, text, bytes);
    to[bytes] = '\0';
    return to;
}

void owed_acts_read(struct owed_acts *acts, const struct intake_record *record)
{
    struct intake_act_read *read = intake_act_read(record);

    if (read != NULL && acts->act.count < OWED_ACTS_MAX) {
        struct owed_act *act = get(acts, record->position);
        act->closes = intake_act_of(read)->closes;
        act->who = copy(record->who.at, record->who.len);
        act->from = copy(record->from.at, record->from.len);
    }
    intake_act_free(read);
    if (record->kind != INTAKE_OUTCOME)
        return;
    size_t i = find(acts, record->of);
    if (i == SIZE_MAX)
        return;
    owed_act_free(acts->act.at[i]);
    acts->act.at[i] = acts->act.at[--acts->act.count];
}

void owed_acts_begin(struct owed_acts *acts, uint64_t first, uint64_t next)
{
    size_t kept = 0;

    acts->next = next;
    for (size_t i = 0; i < acts->act.count; i++)
        if (acts->act.at[i]->position < first)
            owed_act_free(acts->act.at[i]);
        else
            acts->act.at[kept++] = acts->act.at[i];
    acts->act.count = kept;
}

uint64_t owed_acts_oldest(struct owed_acts *acts)
{
    uint64_t oldest = UINT64_MAX;

    pthread_mutex_lock(&acts->lock);
    for (size_t i = 0; i < acts->act.count; i++)
        if (acts->act.at[i]->position < oldest)
            oldest = acts->act.at[i]->position;
    pthread_mutex_unlock(&acts->lock);
    return oldest;
}

bool owed_acts_has_room(struct owed_acts *acts)
{
    bool has_room;

    pthread_mutex_lock(&acts->lock);
    has_room = acts->act.count < OWED_ACTS_MAX && !acts->is_stopped;
    pthread_mutex_unlock(&acts->lock);
    return has_room;
}

void owed_acts_add(struct owed_acts *acts, const struct owed_act *from)
{
    struct owed_act *act;

    pthread_mutex_lock(&acts->lock);
    act = get(acts, from->position);
    act->closes = from->closes;
    act->who = copy(from->who, strlen(from->who));
    act->from = copy(from->from, strlen(from->from));
    act->reply = from->reply;
    act->answer = from->answer;
    act->end_ns = from->end_ns;
    if (acts->is_stopped) {
        act->is_told = false;
        owed_act_answer(act);
    }
    pthread_mutex_unlock(&acts->lock);
}

void owed_acts_told(struct owed_acts *acts, const struct engine_acted *acted)
{
    uint64_t position = (uint64_t)acted->position;

    pthread_mutex_lock(&acts->lock);
    /* One of a run before that has its outcome is told again, and nobody asks. */
    if (position >= acts->next || find(acts, position) != SIZE_MAX) {
        struct owed_act *act = get(acts, position);
        act->is_told = true;
        act->was_open = acted->was_open;
        act->at_ms = acted->at_ms;
    }
    pthread_mutex_unlock(&acts->lock);
}

bool owed_acts_look(struct owed_acts *acts, int64_t durable_ms,
                    void (*settle)(void *self, struct owed_act *act), void *self)
{
    uint64_t now_ns = host_mono_ns();
    bool is_wanted = false;
    size_t kept = 0;

    pthread_mutex_lock(&acts->lock);
    for (size_t i = 0; i < acts->act.count; i++) {
        struct owed_act *act = acts->act.at[i];
        if (act->is_told && act->who != NULL && durable_ms > act->at_ms) {
            settle(self, act);
            continue;
        }
        if (act->reply != NULL && now_ns >= act->end_ns) {
            bool is_told = act->is_told;
            act->is_told = false; /* not durable: it is not known yet */
            owed_act_answer(act);
            act->is_told = is_told;
        }
        is_wanted |= act->is_told || act->reply != NULL;
        acts->act.at[kept++] = act;
    }
    acts->act.count = kept;
    pthread_mutex_unlock(&acts->lock);
    return is_wanted;
}
