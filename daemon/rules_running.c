/* rules_running.c - see rules_running.h. */
#include "daemon/rules_running.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "rules/mute.h"

/* Rows that the engine may have beside those of the newest set. */
enum { FORMS_MAX = 65536 };

static const size_t arena_bytes_max = (size_t)1 << 30;

static int out_of_memory(struct rules_running *running, struct error *err)
{
    rules_running_release(running);
    error_set(err, "out of memory");
    return -ENOMEM;
}

static bool make_room(struct rules_running *out, size_t rules, size_t mutes)
{
    *out = (struct rules_running){.rules = calloc(rules + 1, sizeof(*out->rules)),
                                  .mutes = calloc(mutes + 1, sizeof(*out->mutes)),
                                  .alerts = -1,
                                  .flapping = -1,
                                  .arena = arena_create(arena_bytes_max)};
    return out->rules != NULL && out->mutes != NULL && out->arena != NULL;
}

void rules_running_release(struct rules_running *running)
{
    free(running->rules);
    free(running->mutes);
    arena_destroy(running->arena);
    *running = (struct rules_running){.rules = NULL};
}

/* ---- of a set ---- */

static const char *keep(struct rules_running *running, const char *text)
{
    return arena_copy(running->arena, text, strlen(text));
}

static bool keep_settings(struct rules_running *running, const struct rule *rule,
                          const struct rule_setting **out)
{
    struct rule_setting *setting =
        arena_alloc_many(running->arena, SETTING_COUNT, sizeof(*setting));

    *out = setting;
    for (int kind = 0; setting != NULL && kind < SETTING_COUNT; kind++) {
        setting[kind].digest = rule->setting[kind].digest;
        if (rule->setting[kind].text == NULL)
            continue;
        setting[kind].text = keep(running, rule->setting[kind].text);
        if (setting[kind].text == NULL)
            return false;
    }
    return setting != NULL;
}

int rules_running_of_set(const struct rule_set *set, struct rules_running *out, struct error *err)
{
    size_t room = LISTS_BYTES_MAX;

    if (!make_room(out, rule_set_count(set), rule_set_mute_count(set)))
        return out_of_memory(out, err);
    for (uint32_t i = 0; i < rule_set_count(set); i++) {
        const struct rule *rule = rule_set_rule(set, i);
        struct running_rule *row = &out->rules[out->count++];
        snprintf(row->held.rule_id, sizeof(row->held.rule_id), "%s", rule->id);
        row->held.form = rule->form;
        row->held.key_kind = rule->key_kind;
        row->held.current = true;
        if (!keep_settings(out, rule, &row->setting) ||
            !shape_keep(rule->shape, rule->shape_count, out->arena, &row->shape) ||
            !list_keep(rule, out->arena, &room, &row->list))
            return out_of_memory(out, err);
    }
    for (uint32_t i = 0; i < rule_set_mute_count(set); i++) {
        const struct mute *mute = rule_set_mute(set, i);
        struct running_mute *row = &out->mutes[out->mute_count++];
        row->kind = mute_kind_name(mute->kind);
        row->id = keep(out, mute->id);
        row->digest = mute->digest;
        if (row->id == NULL || !shape_keep(mute->shape, mute->shape_count, out->arena, &row->shape))
            return out_of_memory(out, err);
    }
    return enrich_steps_of_set(set, out->arena, &out->steps) ? 0 : out_of_memory(out, err);
}

/* ---- with what the engine holds ---- */

static int by_rule_id(const void *a, const void *b)
{
    const struct running_rule *x = a, *y = b;

    return strcmp(x->held.rule_id, y->held.rule_id);
}

/* Marks the forms of the newest set as current and adds those that the engine does not know yet. */
static bool merge(const struct rules_running *loaded, struct rules_running *out)
{
    size_t *place = calloc(loaded->count + 1, sizeof(*place)); /* in out->rules, plus one */

    if (place == NULL)
        return false;
    for (size_t i = 0; i < out->count; i++) {
        const struct running_rule *found =
            loaded->count == 0 ? NULL
                               : bsearch(&out->rules[i], loaded->rules, loaded->count,
                                         sizeof(*loaded->rules), by_rule_id);
        size_t *at = found != NULL ? &place[found - loaded->rules] : NULL;
        /* A form that came back has two rows; the later is the one that is in force. */
        if (at != NULL && id128_equal(found->held.form, out->rules[i].held.form) &&
            (*at == 0 || !out->rules[*at - 1].held.current))
            *at = i + 1;
    }
    for (size_t i = 0; i < out->count; i++)
        out->rules[i].held.current = false;
    for (size_t k = 0; k < loaded->count; k++) {
        if (place[k] == 0) {
            out->rules[out->count++] = loaded->rules[k];
            continue;
        }
        out->rules[place[k] - 1].held.current = true;
        out->rules[place[k] - 1].setting = loaded->rules[k].setting;
        out->rules[place[k] - 1].shape = loaded->rules[k].shape;
        out->rules[place[k] - 1].list = loaded->rules[k].list;
    }
    free(place);
    return true;
}

static bool count_mutes(const struct rules_running *loaded, const struct engine *engine,
                        struct rules_running *out)
{
    struct engine_mute_counters *counters = calloc(MUTES_MAX, sizeof(*counters));
    size_t count = counters != NULL ? engine_mute_counters(engine, counters, MUTES_MAX) : 0;

    if (counters == NULL)
        return false;
    out->mute_count = loaded->mute_count;
    for (size_t i = 0; i < loaded->mute_count; i++) {
        out->mutes[i] = loaded->mutes[i];
        for (size_t k = 0; k < count; k++)
            if (strcmp(counters[k].kind, out->mutes[i].kind) == 0 &&
                strcmp(counters[k].id, out->mutes[i].id) == 0)
                out->mutes[i].incidents = counters[k].incidents;
    }
    free(counters);
    return true;
}

static bool count_steps(const struct rules_running *loaded, const struct engine *engine,
                        struct rules_running *out)
{
    out->steps.at = arena_alloc_many(out->arena, loaded->steps.count + 1, sizeof(*out->steps.at));
    if (out->steps.at == NULL)
        return false;
    out->steps.count = loaded->steps.count;
    memcpy(out->steps.at, loaded->steps.at, loaded->steps.count * sizeof(*out->steps.at));
    return enrich_steps_count(&out->steps, engine);
}

struct seeing {
    struct rules_running *out;
    bool is_short; /* of memory */
};

/* A form that is not in force is in no file any more: what it says is the engine's to tell. */
static void see_form(void *self, const struct engine_rule_counters *row, const struct rule *rule)
{
    struct seeing *seeing = self;
    struct rules_running *out = seeing->out;
    struct running_rule *to = &out->rules[out->count];

    if (out->count == FORMS_MAX)
        return;
    out->count++;
    to->held = *row;
    if (row->keys > 0 && !shape_keep(rule->shape, rule->shape_count, out->arena, &to->shape))
        seeing->is_short = true;
}

int rules_running_count(const struct rules_running *loaded, const struct engine *engine,
                        struct rules_running *out, struct error *err)
{
    struct seeing seeing = {.out = out};
    struct engine_counters counters;

    if (!make_room(out, FORMS_MAX + loaded->count, loaded->mute_count))
        return out_of_memory(out, err);
    out->is_counted = true;
    engine_counters(engine, &counters);
    out->alerts = (int64_t)counters.alerts;
    out->flapping = (int64_t)counters.flapping;
    engine_rules_see(engine, see_form, &seeing);
    return !seeing.is_short && merge(loaded, out) && count_mutes(loaded, engine, out) &&
                   count_steps(loaded, engine, out)
               ? 0
               : out_of_memory(out, err);
}

/* ---- as JSON, and back ---- */

static json_t *json_digest(struct id128 digest)
{
    char text[ID128_TEXT_BYTES];

    id128_format(digest, text);
    return json_string(text);
}

static json_t *json_settings(const struct rule_setting *setting)
{
    json_t *object = json_object();

    for (int kind = 0; setting != NULL && kind < SETTING_COUNT; kind++)
        if (setting[kind].text != NULL)
            json_object_set_new(
                object, rule_setting_name((enum rule_setting_kind)kind),
                json_pack("[s,o]", setting[kind].text, json_digest(setting[kind].digest)));
    return object;
}

static json_t *json_rule(const struct running_rule *rule)
{
    const struct engine_rule_counters *held = &rule->held;
    json_t *listed = list_json(&rule->list);
    json_t *object = json_pack("{s:s,s:o,s:o,s:b,s:I,s:I,s:o,s:o}", "rule", held->rule_id, "form",
                               json_digest(held->form), "key_kind", json_digest(held->key_kind),
                               "current", (int)held->current, "keys", (json_int_t)held->keys,
                               "open", (json_int_t)held->open, "settings",
                               json_settings(rule->setting), "shape", shape_json(&rule->shape));

    if (listed != NULL)
        json_object_set_new(object, "listed", listed);
    return object;
}

json_t *rules_running_json(const struct rules_running *running)
{
    json_t *root = json_object(), *rules = json_array(), *mutes = json_array();

    for (size_t i = 0; i < running->count; i++)
        json_array_append_new(rules, json_rule(&running->rules[i]));
    for (size_t i = 0; i < running->mute_count; i++) {
        const struct running_mute *mute = &running->mutes[i];
        json_array_append_new(mutes, json_pack("{s:s,s:s,s:o,s:o,s:I}", "kind", mute->kind, "id",
                                               mute->id, "digest", json_digest(mute->digest),
                                               "shape", shape_json(&mute->shape), "incidents",
                                               (json_int_t)mute->incidents));
    }
    json_object_set_new(root, "version", json_string(TOCSIN_VERSION));
    json_object_set_new(root, "rules", rules);
    json_object_set_new(root, "mutes", mutes);
    if (running->alerts >= 0)
        json_object_set_new(root, "alerts", json_integer(running->alerts));
    if (running->flapping >= 0)
        json_object_set_new(root, "flapping", json_integer(running->flapping));
    json_object_set_new(root, "enrich", enrich_steps_json(&running->steps));
    return root;
}

static uint64_t read_number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static int read_settings(struct rules_running *running, const json_t *from,
                         const struct rule_setting **out)
{
    struct rule_setting *setting =
        arena_alloc_many(running->arena, SETTING_COUNT, sizeof(*setting));

    *out = setting;
    for (int kind = 0; setting != NULL && kind < SETTING_COUNT; kind++) {
        const json_t *pair = json_object_get(from, rule_setting_name((enum rule_setting_kind)kind));
        const char *text = json_string_value(json_array_get(pair, 0));
        if (pair == NULL)
            continue;
        if (text == NULL ||
            !id128_parse(json_string_value(json_array_get(pair, 1)), &setting[kind].digest))
            return -EINVAL;
        setting[kind].text = keep(running, text);
        if (setting[kind].text == NULL)
            return -ENOMEM;
    }
    return setting != NULL ? 0 : -ENOMEM;
}

static int read_rule(struct rules_running *running, const json_t *object)
{
    struct running_rule *row = &running->rules[running->count++];
    const char *id = json_string_value(json_object_get(object, "rule"));

    if (id == NULL || strlen(id) >= sizeof(row->held.rule_id) ||
        !id128_parse(json_string_value(json_object_get(object, "form")), &row->held.form))
        return -EINVAL;
    const char *key_kind = json_string_value(json_object_get(object, "key_kind"));
    if (key_kind != NULL && !id128_parse(key_kind, &row->held.key_kind))
        return -EINVAL; /* a daemon of before tells none */
    memcpy(row->held.rule_id, id, strlen(id));
    row->held.current = json_is_true(json_object_get(object, "current"));
    row->held.keys = read_number(object, "keys");
    row->held.open = read_number(object, "open");
    if (!shape_read(json_object_get(object, "shape"), NULL, running->arena, &row->shape) ||
        !list_read(json_object_get(object, "listed"), running->arena, &row->list))
        return -ENOMEM;
    return row->held.current
               ? read_settings(running, json_object_get(object, "settings"), &row->setting)
               : 0;
}

static int read_mute(struct rules_running *running, const json_t *object)
{
    struct running_mute *row = &running->mutes[running->mute_count++];
    const char *id = json_string_value(json_object_get(object, "id"));
    const char *kind = json_string_value(json_object_get(object, "kind"));

    if (id == NULL || kind == NULL ||
        !id128_parse(json_string_value(json_object_get(object, "digest")), &row->digest))
        return -EINVAL;
    row->id = keep(running, id);
    row->kind = keep(running, kind);
    row->incidents = read_number(object, "incidents");
    return row->id != NULL && row->kind != NULL &&
                   shape_read(json_object_get(object, "shape"), NULL, running->arena, &row->shape)
               ? 0
               : -ENOMEM;
}

int rules_running_read(const char *text, struct rules_running *out, struct error *err)
{
    json_t *root = json_loads(text, 0, NULL); /* ours; the rest is borrowed */
    const json_t *rules = json_object_get(root, "rules"), *mutes = json_object_get(root, "mutes");
    int rc = json_is_array(rules) && json_is_array(mutes) ? 0 : -EINVAL;

    if (!make_room(out, json_array_size(rules), json_array_size(mutes)))
        rc = -ENOMEM;
    out->is_counted = true;
    if (json_is_integer(json_object_get(root, "alerts")))
        out->alerts = json_integer_value(json_object_get(root, "alerts"));
    if (json_is_integer(json_object_get(root, "flapping")))
        out->flapping = json_integer_value(json_object_get(root, "flapping"));
    for (size_t i = 0; rc == 0 && i < json_array_size(rules); i++)
        rc = read_rule(out, json_array_get(rules, i));
    for (size_t i = 0; rc == 0 && i < json_array_size(mutes); i++)
        rc = read_mute(out, json_array_get(mutes, i));
    if (rc == 0)
        rc = enrich_steps_read(json_object_get(root, "enrich"), out->arena, &out->steps);
    json_decref(root);
    if (rc == 0)
        return 0;
    rules_running_release(out);
    error_set(err, rc == -EINVAL ? "the daemon's answer is not a list of rules" : "out of memory");
    return rc;
}
