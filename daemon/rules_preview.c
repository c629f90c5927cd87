/* rules_preview.c - see rules_preview.h. */
#include "daemon/rules_preview.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/drain_words.h"
#include "rules/rule_shape.h"

static const size_t arena_bytes_max = (size_t)1 << 30;

static const char *const state_names[PREVIEW_STATES] = {
    [PREVIEW_CARRIES_ON] = "carries on",
    [PREVIEW_STARTS_EMPTY] = "starts empty",
    [PREVIEW_DRAINS] = "drains",
    [PREVIEW_NEW] = "new",
    [PREVIEW_GONE] = "gone",
};

static const char *preview_state_name(enum preview_state state)
{
    return state_names[state];
}

/* ---- rules ---- */

static int row_order(const void *a, const void *b)
{
    const struct preview_row *x = a, *y = b;
    int order = strcmp(x->rule_id, y->rule_id);

    return order != 0 ? order : (int)x->state - (int)y->state;
}

/* Ids of a set are in order. */
static const struct running_rule *find_rule(const struct rules_running *set, const char *id)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(set->rules[middle].held.rule_id, id);
        if (order == 0)
            return &set->rules[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct preview_row *add_row(struct rules_preview *preview, const char *id,
                                   enum preview_state state,
                                   const struct engine_rule_counters *held)
{
    struct preview_row *row = &preview->rows[preview->count++];

    *row = (struct preview_row){.state = state};
    snprintf(row->rule_id, sizeof(row->rule_id), "%s", id);
    if (held != NULL) {
        row->keys = held->keys;
        row->open = held->open;
    }
    return row;
}

static enum preview_drain drain_of(const struct engine_rule_counters *held,
                                   const struct running_rule *next)
{
    const struct id128 unknown = {0, 0};

    if (next == NULL)
        return DRAIN_ALONE;
    if (id128_equal(held->key_kind, unknown) || id128_equal(next->held.key_kind, unknown))
        return DRAIN_UNKNOWN;
    return id128_equal(held->key_kind, next->held.key_kind) ? DRAIN_KEEPS : DRAIN_BESIDE;
}

static bool is_absence(const struct shape *shape)
{
    for (uint32_t i = 0; shape->at != NULL && i < shape->count; i++)
        if (strcmp(shape->at[i].key, "expect") == 0)
            return true;
    return false;
}

/* A form that is not in force behind the reload; `current` is in force now. A daemon of before does
 * not tell what one that drains has written: where keys can be compared, both are absences or
 * neither. False: memory is short. */
static bool add_drain(struct rules_preview *preview, enum preview_state state,
                      const struct running_rule *now, const struct running_rule *current,
                      const struct running_rule *next)
{
    static const struct rule_shape nothing;
    const struct shape gone = {&nothing, 0};
    struct preview_row *row = add_row(preview, now->held.rule_id, state, &now->held);

    row->drain = drain_of(&now->held, next);
    row->expects =
        is_absence(row->drain == DRAIN_KEEPS && now->shape.count == 0 ? &next->shape : &now->shape);
    row->fires = drain_fires(&now->shape);
    row->lists = row->drain == DRAIN_KEEPS && row->expects && list_is_of(next);
    row->relists =
        row->lists && !(list_is_of(current) && id128_equal(current->setting[SETTING_KEYS].digest,
                                                           next->setting[SETTING_KEYS].digest));
    if (now->held.current || now->shape.count == 0 ||
        (next != NULL && id128_equal(now->held.form, next->held.form)))
        return true;
    return shape_compare(&now->shape, next != NULL ? &next->shape : &gone, preview->arena,
                         &row->changes);
}

/* False: there is nothing to say about what the row holds. A rule that lists keys has no more than
 * its bound. */
static bool row_sentence(const struct rules_preview *preview, const struct preview_row *row,
                         char sentence[PREVIEW_SENTENCE_BYTES])
{
    if (row->drain != DRAIN_NONE)
        return drain_words(preview, row, sentence);
    return list_sentence(preview, row, sentence) || bound_sentence_of_row(preview, row, sentence);
}

static const char *keep(struct rules_preview *preview, const char *text)
{
    return arena_copy(preview->arena, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static bool is_listed(const struct preview_changes *changes, const char *key)
{
    for (uint32_t i = 0; i < changes->count; i++)
        if (strcmp(changes->at[i].key, key) == 0)
            return true;
    return false;
}

/* What is new about a rule beside its form, behind what the row has: who is told, and how urgently,
 * is as new where the rule starts empty as where it carries on. False: memory is short. */
static bool list_settings(struct rules_preview *preview, struct preview_row *row,
                          const struct rule_setting *before, const struct rule_setting *after)
{
    const struct preview_changes form = row->changes;
    struct preview_change *changes;
    uint32_t count = form.count;

    if (before == NULL)
        return true; /* not known */
    changes = arena_alloc_many(preview->arena, form.count + SETTING_COUNT, sizeof(*changes));
    if (changes == NULL)
        return false;
    for (uint32_t i = 0; i < form.count; i++)
        changes[i] = form.at[i];
    for (int kind = 0; kind < SETTING_COUNT; kind++) {
        const char *key = rule_setting_name((enum rule_setting_kind)kind);
        if (id128_equal(before[kind].digest, after[kind].digest) || is_listed(&form, key))
            continue;
        changes[count] = (struct preview_change){key, keep(preview, before[kind].text),
                                                 keep(preview, after[kind].text), false};
        if (changes[count].from == NULL || changes[count].to == NULL)
            return false;
        count++;
    }
    row->changes = (struct preview_changes){changes, count};
    return true;
}

/* A form that is in force now, against the set that comes. */
static bool compare(struct rules_preview *preview, const struct running_rule *now,
                    const struct running_rule *next)
{
    const char *id = now->held.rule_id;
    struct preview_row *row;

    if (next == NULL) {
        if (!add_drain(preview, PREVIEW_GONE, now, now, NULL))
            return false;
    } else if (!id128_equal(next->held.form, now->held.form)) {
        row = add_row(preview, id, PREVIEW_STARTS_EMPTY, NULL);
        if (!shape_compare(&now->shape, &next->shape, preview->arena, &row->changes) ||
            !list_settings(preview, row, now->setting, next->setting))
            return false;
        if (!add_drain(preview, PREVIEW_DRAINS, now, now, next))
            return false;
    } else {
        row = add_row(preview, id, PREVIEW_CARRIES_ON, &now->held);
        bound_effects_find(now, next, row);
        if (!list_effect_find(now, next, &row->list) ||
            !list_settings(preview, row, now->setting, next->setting))
            return false;
        if (row->changes.count == 0)
            return true;
    }
    preview->rules_changed++;
    return true;
}

static int current_order(const void *a, const void *b)
{
    const struct running_rule *const *x = a, *const *y = b;

    return strcmp((*x)->held.rule_id, (*y)->held.rule_id);
}

/* Those in force, by id: what an engine counts is in no order. NULL: memory is short. */
static const struct running_rule **list_current(const struct rules_running *running, size_t *count)
{
    const struct running_rule **list = calloc(running->count + 1, sizeof(*list));

    *count = 0;
    for (size_t i = 0; list != NULL && i < running->count; i++)
        if (running->rules[i].held.current)
            list[(*count)++] = &running->rules[i];
    if (*count > 1)
        qsort(list, *count, sizeof(*list), current_order);
    return list;
}

/* NULL: none. */
static const struct running_rule *current_of(const struct running_rule **current, size_t count,
                                             const struct running_rule *rule)
{
    const struct running_rule **found =
        count == 0 ? NULL : bsearch(&rule, current, count, sizeof(*current), current_order);

    return found != NULL ? *found : NULL;
}

static bool compare_rules(struct rules_preview *preview, const struct rules_running *running,
                          const struct rules_running *next)
{
    bool *is_known = calloc(next->count + 1, sizeof(*is_known));
    size_t count;
    const struct running_rule **current = list_current(running, &count);
    bool is_good = is_known != NULL && current != NULL;

    for (size_t i = 0; is_good && i < running->count; i++) {
        const struct running_rule *now = &running->rules[i];
        const struct running_rule *found = find_rule(next, now->held.rule_id);
        if (now->held.current) {
            if (found != NULL)
                is_known[found - next->rules] = true;
            is_good = compare(preview, now, found);
        } else if (now->held.keys > 0) {
            /* Of an earlier reload: no set changes anything about its form. */
            is_good =
                add_drain(preview, PREVIEW_DRAINS, now, current_of(current, count, now), found);
        }
    }
    for (size_t i = 0; is_good && i < next->count; i++)
        if (!is_known[i]) {
            add_row(preview, next->rules[i].held.rule_id, PREVIEW_NEW, NULL);
            preview->rules_changed++;
        }
    free(is_known);
    free(current);
    if (preview->count > 1)
        qsort(preview->rows, preview->count, sizeof(*preview->rows), row_order);
    return is_good;
}

/* ---- mutes ---- */

static int mute_order(const void *a, const void *b)
{
    const struct preview_mute *x = a, *y = b;
    int order = strcmp(x->kind, y->kind);

    return order != 0 ? order : strcmp(x->id, y->id);
}

static const struct running_mute *find_mute(const struct rules_running *set,
                                            const struct running_mute *like)
{
    for (size_t i = 0; i < set->mute_count; i++)
        if (strcmp(set->mutes[i].kind, like->kind) == 0 && strcmp(set->mutes[i].id, like->id) == 0)
            return &set->mutes[i];
    return NULL;
}

/* `next`: what comes in its place, where it has changed. */
static bool add_mute(struct rules_preview *preview, const struct running_mute *mute,
                     const char *state, const struct running_mute *next)
{
    struct preview_mute *row = &preview->mutes[preview->mute_count++];

    *row = (struct preview_mute){.kind = keep(preview, mute->kind),
                                 .id = keep(preview, mute->id),
                                 .state = state,
                                 .incidents = mute->incidents};
    preview->mutes_changed += strcmp(state, "unchanged") != 0;
    if (next != NULL && !shape_compare(&mute->shape, &next->shape, preview->arena, &row->changes))
        return false;
    return row->kind != NULL && row->id != NULL;
}

static bool compare_mutes(struct rules_preview *preview, const struct rules_running *running,
                          const struct rules_running *next)
{
    bool is_good = true;

    for (size_t i = 0; is_good && i < running->mute_count; i++) {
        const struct running_mute *now = &running->mutes[i], *found = find_mute(next, now);
        bool has_changed = found != NULL && !id128_equal(found->digest, now->digest);
        is_good = add_mute(preview, now,
                           found == NULL ? "gone"
                           : has_changed ? "changed"
                                         : "unchanged",
                           has_changed ? found : NULL);
    }
    for (size_t i = 0; is_good && i < next->mute_count; i++)
        if (find_mute(running, &next->mutes[i]) == NULL)
            is_good = add_mute(preview, &next->mutes[i], "new", NULL);
    if (preview->mute_count > 1)
        qsort(preview->mutes, preview->mute_count, sizeof(*preview->mutes), mute_order);
    return is_good;
}

int rules_preview_make(const struct rules_running *running, const struct rules_running *next,
                       const struct rule_set *set, struct rules_preview *out, struct error *err)
{
    /* A form that changes has two rows. */
    size_t rows = running->count + running->count + next->count;

    *out = (struct rules_preview){
        .rows = calloc(rows + 1, sizeof(*out->rows)),
        .mutes = calloc(running->mute_count + next->mute_count + 1, sizeof(*out->mutes)),
        .is_counted = running->is_counted,
        .restart = "",
        .arena = arena_create(arena_bytes_max)};
    if (out->rows != NULL && out->mutes != NULL && out->arena != NULL &&
        compare_rules(out, running, next) && compare_mutes(out, running, next) &&
        enrich_steps_compare(&running->steps, &next->steps, out->arena, &out->steps) &&
        step_effects_find(running, next, set, out->arena, &out->steps)) {
        bound_effects_count(running, set, out);
        return 0;
    }
    rules_preview_release(out);
    error_set(err, "out of memory");
    return -ENOMEM;
}

void rules_preview_terms(struct rules_preview *preview, const struct engine_terms *running,
                         const struct engine_terms *next)
{
    preview->term_count = terms_changes(running, next, preview->terms);
}

bool rules_preview_needs_restart(struct rules_preview *preview, const char *names)
{
    preview->restart = keep(preview, names);
    return preview->restart != NULL;
}

void rules_preview_release(struct rules_preview *preview)
{
    free(preview->rows);
    free(preview->mutes);
    arena_destroy(preview->arena);
    *preview = (struct rules_preview){.rows = NULL};
}

/* ---- for people ---- */

/* "a reload would change 2 rules, 1 mute and 1 enrich step" */
static void print_sum(const struct rules_preview *preview, const char *what, FILE *to)
{
    const struct {
        size_t count;
        const char *what, *of;
    } parts[] = {{preview->rules_changed, "rule", ""},
                 {preview->mutes_changed, "mute", ""},
                 {preview->steps.changed, "enrich step", ""},
                 {preview->term_count, "setting", " of the engine"}};
    size_t left = 0, told = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        left += parts[i].count > 0;
    fprintf(to, "%s would change ", what);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].count == 0)
            continue;
        fprintf(to, "%s%zu %s%s%s",
                told == 0          ? ""
                : told + 1 == left ? " and "
                                   : ", ",
                parts[i].count, parts[i].what, plural(parts[i].count), parts[i].of);
        told++;
    }
    fputs(told == 0 ? "nothing\n" : "\n", to);
}

void rules_preview_print(const struct rules_preview *preview, const char *what, FILE *to)
{
    char sentence[PREVIEW_SENTENCE_BYTES];

    print_sum(preview, what, to);
    if (preview->restart[0] != '\0')
        fprintf(to, "%s would not change %s: %s the restart of the daemon\n", what,
                preview->restart,
                strchr(preview->restart, ',') != NULL ? "these keys need" : "this key needs");
    for (size_t i = 0; i < preview->count; i++) {
        const struct preview_row *row = &preview->rows[i];
        if (preview->is_counted && row->state != PREVIEW_NEW && row->state != PREVIEW_STARTS_EMPTY)
            fprintf(to, "  %-34s %-12s keys %" PRIu64 ", open incidents %" PRIu64 "\n",
                    row->rule_id, preview_state_name(row->state), row->keys, row->open);
        else
            fprintf(to, "  %-34s %s\n", row->rule_id, preview_state_name(row->state));
        if (row_sentence(preview, row, sentence))
            fprintf(to, "      %s\n", sentence);
        preview_changes_print(&row->changes, to);
    }
    for (size_t i = 0; i < preview->mute_count; i++) {
        const struct preview_mute *mute = &preview->mutes[i];
        int used = fprintf(to, "  %s %s", mute->kind, mute->id);
        int gap = used < 36 ? 36 - used : 0;
        if (preview->is_counted && strcmp(mute->state, "new") != 0)
            fprintf(to, "%*s %-12s muted incidents %" PRIu64 "\n", gap, "", mute->state,
                    mute->incidents);
        else
            fprintf(to, "%*s %s\n", gap, "", mute->state);
        preview_changes_print(&mute->changes, to);
    }
    enrich_steps_print(&preview->steps, preview->is_counted, to);
    for (size_t i = 0; i < preview->term_count; i++) {
        fprintf(to, "  %s \"%s\" -> \"%s\"\n", preview->terms[i].key, preview->terms[i].from,
                preview->terms[i].to);
        if (bound_sentence_of_terms(preview, &preview->terms[i], sentence))
            fprintf(to, "      %s\n", sentence);
    }
}

/* ---- for programs ---- */

static json_t *json_known(bool is_known, uint64_t value)
{
    return is_known ? json_integer((json_int_t)value) : json_null();
}

static json_t *json_held(bool is_known, json_t *object, uint64_t keys, uint64_t open)
{
    json_object_set_new(object, "keys", json_known(is_known, keys));
    json_object_set_new(object, "open", json_known(is_known, open));
    return object;
}

static json_t *json_row(const struct rules_preview *preview, const struct preview_row *row)
{
    char sentence[PREVIEW_SENTENCE_BYTES];
    bool is_said = row_sentence(preview, row, sentence);
    json_t *object = json_object();

    json_object_set_new(object, "rule", json_string(row->rule_id));
    json_object_set_new(object, "state", json_string(preview_state_name(row->state)));
    json_held(preview->is_counted, object, row->keys, row->open);
    json_object_set_new(object, "beside",
                        is_said && row->drain != DRAIN_NONE
                            ? json_boolean(row->drain == DRAIN_BESIDE)
                            : json_null());
    json_object_set_new(object, "meaning", is_said ? json_string(sentence) : json_null());
    json_object_set_new(object, "changes", preview_changes_json(&row->changes));
    return object;
}

static json_t *json_mutes(const struct rules_preview *preview)
{
    json_t *mutes = json_array();

    for (size_t i = 0; i < preview->mute_count; i++) {
        const struct preview_mute *mute = &preview->mutes[i];
        json_array_append_new(mutes, json_pack("{s:s,s:s,s:s,s:o,s:o}", "kind", mute->kind, "id",
                                               mute->id, "state", mute->state, "incidents",
                                               json_known(preview->is_counted, mute->incidents),
                                               "changes", preview_changes_json(&mute->changes)));
    }
    return mutes;
}

static json_t *json_terms(const struct rules_preview *preview)
{
    json_t *list = json_array();
    char sentence[BOUND_SENTENCE_BYTES];

    for (size_t i = 0; i < preview->term_count; i++) {
        const struct terms_change *change = &preview->terms[i];
        const bool is_said = bound_sentence_of_terms(preview, change, sentence);
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s?}", "key", change->key, "from",
                                              change->from, "to", change->to, "meaning",
                                              is_said ? sentence : NULL));
    }
    return list;
}

static json_t *json_restart(const struct rules_preview *preview)
{
    json_t *list = json_array();

    for (const char *at = preview->restart; *at != '\0'; at += *at == ',') {
        size_t bytes = strcspn(at, ",");
        json_array_append_new(list, json_stringn(at, bytes));
        at += bytes;
    }
    return list;
}

json_t *rules_preview_json(const struct rules_preview *preview)
{
    json_t *root = json_object(), *rules = json_array(), *totals = json_object();
    uint64_t count[PREVIEW_STATES] = {0}, keys[PREVIEW_STATES] = {0}, open[PREVIEW_STATES] = {0};

    for (size_t i = 0; i < preview->count; i++) {
        const struct preview_row *row = &preview->rows[i];
        json_array_append_new(rules, json_row(preview, row));
        count[row->state]++;
        keys[row->state] += row->keys;
        open[row->state] += row->open;
    }
    for (int s = 0; s < PREVIEW_STATES; s++) {
        json_t *object = json_object();
        json_object_set_new(object, "rules", json_integer((json_int_t)count[s]));
        json_object_set_new(totals, preview_state_name((enum preview_state)s),
                            json_held(preview->is_counted, object, keys[s], open[s]));
    }
    json_object_set_new(root, "changed", json_boolean(rules_preview_is_changed(preview)));
    json_object_set_new(root, "rules", rules);
    json_object_set_new(root, "mutes", json_mutes(preview));
    json_object_set_new(root, "enrich",
                        enrich_steps_preview_json(&preview->steps, preview->is_counted));
    json_object_set_new(root, "engine", json_terms(preview));
    json_object_set_new(root, "totals", totals);
    json_object_set_new(root, "restart", json_restart(preview));
    return root;
}
