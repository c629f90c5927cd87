/* enrich_steps.c - see enrich_steps.h. */
#include "daemon/enrich_steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "rules/names_read.h"

static const char *keep(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

static bool make_room(struct running_steps *out, size_t count, struct arena *arena)
{
    *out = (struct running_steps){.at = arena_alloc_many(arena, count + 1, sizeof(*out->at))};
    return out->at != NULL;
}

/* A copy. False: memory is short. */
static bool keep_names(const struct enrich_set *steps, uint32_t index, struct arena *arena,
                       struct step_names *out)
{
    const uint32_t max = enrich_step_names(steps, index, NULL, 0);

    out->at = arena_alloc_many(arena, max + 1, sizeof(*out->at));
    if (out->at == NULL)
        return false;
    out->count = enrich_step_names(steps, index, out->at, max);
    for (size_t i = 0; i < out->count; i++) {
        out->at[i] = keep(arena, out->at[i]);
        if (out->at[i] == NULL)
            return false;
    }
    return true;
}

bool enrich_steps_of_set(const struct rule_set *set, struct arena *arena, struct running_steps *out)
{
    const struct enrich_set *steps = rule_set_enrich(set);

    if (!make_room(out, enrich_count(steps), arena))
        return false;
    for (uint32_t i = 0; i < enrich_count(steps); i++) {
        const struct enrich_step *step = enrich_step_at(steps, i);
        out->at[out->count] =
            (struct running_step){.id = keep(arena, step->id), .digest = step->digest};
        if (out->at[out->count].id == NULL ||
            !shape_keep(step->shape, step->shape_count, arena, &out->at[out->count].shape) ||
            !keep_names(steps, i, arena, &out->at[out->count].names))
            return false;
        out->count++;
    }
    return true;
}

bool enrich_steps_count(struct running_steps *steps, const struct engine *engine)
{
    struct engine_enrich_counters *counters = calloc(ENRICH_STEPS_MAX, sizeof(*counters));
    size_t count =
        counters != NULL ? engine_enrich_counters(engine, counters, ENRICH_STEPS_MAX) : 0;

    for (size_t i = 0; i < steps->count; i++)
        for (size_t k = 0; k < count; k++)
            if (strcmp(counters[k].step, steps->at[i].id) == 0) {
                steps->at[i].applied = counters[k].applied;
                steps->at[i].errors = counters[k].errors;
            }
    free(counters);
    return counters != NULL;
}

/* ---- as JSON, and back ---- */

static json_t *names_json(const struct step_names *names)
{
    json_t *list = json_array();

    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(list, json_string(names->at[i]));
    return list;
}

/* A daemon of before tells none. False: memory is short. */
static bool read_names(const json_t *from, struct arena *arena, struct step_names *out)
{
    *out = (struct step_names){
        .at = arena_alloc_many(arena, json_array_size(from) + 1, sizeof(*out->at))};
    for (size_t i = 0; out->at != NULL && i < json_array_size(from); i++) {
        const char *name = json_string_value(json_array_get(from, i));
        if (name == NULL)
            continue;
        out->at[out->count] = keep(arena, name);
        if (out->at[out->count++] == NULL)
            return false;
    }
    return out->at != NULL;
}

json_t *enrich_steps_json(const struct running_steps *steps)
{
    json_t *list = json_array();
    char digest[ID128_TEXT_BYTES];

    for (size_t i = 0; i < steps->count; i++) {
        const struct running_step *step = &steps->at[i];
        id128_format(step->digest, digest);
        json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o,s:o,s:I,s:I}", "step", step->id,
                                              "digest", digest, "shape", shape_json(&step->shape),
                                              "means", shape_means_json(&step->shape), "sets",
                                              names_json(&step->names), "applied",
                                              (json_int_t)step->applied, "errors",
                                              (json_int_t)step->errors));
    }
    return list;
}

static uint64_t read_number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

int enrich_steps_read(const json_t *from, struct arena *arena, struct running_steps *out)
{
    if (!make_room(out, json_array_size(from), arena))
        return -ENOMEM;
    for (size_t i = 0; i < json_array_size(from); i++) {
        const json_t *object = json_array_get(from, i);
        const char *id = json_string_value(json_object_get(object, "step"));
        struct running_step *step = &out->at[out->count++];
        if (id == NULL ||
            !id128_parse(json_string_value(json_object_get(object, "digest")), &step->digest))
            return -EINVAL;
        step->id = keep(arena, id);
        step->applied = read_number(object, "applied");
        step->errors = read_number(object, "errors");
        if (step->id == NULL ||
            !shape_read(json_object_get(object, "shape"), json_object_get(object, "means"), arena,
                        &step->shape) ||
            !read_names(json_object_get(object, "sets"), arena, &step->names))
            return -ENOMEM;
    }
    return 0;
}

/* ---- what a reload would do ---- */

/* Adds those that are not there yet; there is room. */
static void add_names(struct step_names *to, const struct step_names *from)
{
    for (size_t i = 0; i < from->count; i++) {
        size_t k = 0;
        while (k < to->count && strcmp(to->at[k], from->at[i]) != 0)
            k++;
        if (k == to->count)
            to->at[to->count++] = from->at[i];
    }
}

/* Of both; NULL: there is no such step. False: memory is short. */
static bool join_names(const struct running_step *now, const struct running_step *next,
                       struct arena *arena, struct step_names *out)
{
    const struct step_names none = {NULL, 0};
    const struct step_names *before = now != NULL ? &now->names : &none,
                            *after = next != NULL ? &next->names : &none;
    struct step_names both = {
        .at = arena_alloc_many(arena, before->count + after->count + 1, sizeof(*both.at))};

    if (both.at == NULL)
        return false;
    add_names(&both, before);
    add_names(&both, after);
    for (size_t i = 0; i < both.count; i++) {
        both.at[i] = keep(arena, both.at[i]);
        if (both.at[i] == NULL)
            return false;
    }
    *out = both;
    return true;
}

/* Its place, or the count where there is none. */
static size_t find(const struct running_steps *steps, const char *id)
{
    size_t i = 0;

    while (i < steps->count && strcmp(steps->at[i].id, id) != 0)
        i++;
    return i;
}

bool enrich_steps_compare(const struct running_steps *running, const struct running_steps *next,
                          struct arena *arena, struct preview_steps *out)
{
    size_t behind = 0; /* the furthest place of one that stays and is not moved, plus one */

    *out = (struct preview_steps){
        .at = arena_alloc_many(arena, running->count + next->count + 1, sizeof(*out->at))};
    if (out->at == NULL)
        return false;
    for (size_t i = 0; i < running->count; i++) {
        const struct running_step *now = &running->at[i];
        size_t place = find(next, now->id);
        const char *state = "gone";
        if (place < next->count) {
            state = !id128_equal(next->at[place].digest, now->digest) ? "changed"
                    : place < behind                                  ? "moved"
                                                                      : "unchanged";
            behind = place >= behind ? place + 1 : behind;
        }
        struct preview_step *row = &out->at[out->count++];
        *row = (struct preview_step){.id = keep(arena, now->id),
                                     .state = state,
                                     .applied = now->applied,
                                     .errors = now->errors};
        if (!join_names(now, place < next->count ? &next->at[place] : NULL, arena, &row->names))
            return false;
        if (strcmp(state, "changed") == 0 &&
            !shape_compare(&now->shape, &next->at[place].shape, arena, &row->changes))
            return false;
        out->changed += strcmp(state, "unchanged") != 0;
    }
    for (size_t i = 0; i < next->count; i++)
        if (find(running, next->at[i].id) == running->count) {
            struct preview_step *row = &out->at[out->count++];
            *row = (struct preview_step){.id = keep(arena, next->at[i].id), .state = "new"};
            if (!join_names(NULL, &next->at[i], arena, &row->names))
                return false;
            out->changed++;
        }
    for (size_t i = 0; i < out->count; i++)
        if (out->at[i].id == NULL)
            return false;
    return true;
}

void enrich_steps_print(const struct preview_steps *steps, bool is_counted, FILE *to)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct preview_step *step = &steps->at[i];
        int used = fprintf(to, "  enrich %s", step->id);
        int gap = used < 36 ? 36 - used : 0;
        if (is_counted && strcmp(step->state, "new") != 0)
            fprintf(to, "%*s %-12s applied %" PRIu64 ", errors %" PRIu64 "\n", gap, "", step->state,
                    step->applied, step->errors);
        else
            fprintf(to, "%*s %s\n", gap, "", step->state);
        preview_changes_print(&step->changes, to);
        step_effects_print(&step->effects, is_counted, to);
    }
}

static json_t *known(bool is_known, uint64_t value)
{
    return is_known ? json_integer((json_int_t)value) : json_null();
}

json_t *enrich_steps_preview_json(const struct preview_steps *steps, bool is_counted)
{
    json_t *list = json_array();

    for (size_t i = 0; i < steps->count; i++) {
        const struct preview_step *step = &steps->at[i];
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "step", step->id, "state",
                                        step->state, "applied", known(is_counted, step->applied),
                                        "errors", known(is_counted, step->errors), "changes",
                                        preview_changes_json(&step->changes), "effects",
                                        step_effects_json(&step->effects, is_counted)));
    }
    return list;
}
