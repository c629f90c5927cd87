/* rules_preview.c - see rules_preview.h. */
#include "daemon/rules_preview.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[PREVIEW_STATES] = {
    [PREVIEW_CARRIES_ON] = "carries on",
    [PREVIEW_STARTS_EMPTY] = "starts empty",
    [PREVIEW_DRAINS] = "drains",
    [PREVIEW_NEW] = "new",
    [PREVIEW_GONE] = "gone",
};

const char *preview_state_name(enum preview_state state)
{
    return state_names[state];
}

/* ---- rows ---- */

static int row_order(const void *a, const void *b)
{
    const struct preview_row *x = a, *y = b;
    int order = strcmp(x->rule_id, y->rule_id);

    return order != 0 ? order : (int)x->state - (int)y->state;
}

/* Ids of a set are in order. */
static const struct rule *find_rule(const struct rule_set *set, const char *id)
{
    uint32_t low = 0, high = rule_set_count(set);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct rule *rule = rule_set_rule(set, middle);
        int order = strcmp(rule->id, id);
        if (order == 0)
            return rule;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void add_row(struct rules_preview *preview, const char *id, enum preview_state state,
                    const struct engine_rule_counters *held)
{
    struct preview_row *row = &preview->rows[preview->count++];

    *row = (struct preview_row){.state = state};
    snprintf(row->rule_id, sizeof(row->rule_id), "%s", id);
    if (held != NULL) {
        row->keys = held->keys;
        row->open = held->open;
    }
}

int rules_preview_make(const struct engine_rule_counters *running, size_t count, bool is_counted,
                       const struct rule_set *next, struct rules_preview *out, struct error *err)
{
    uint32_t next_count = rule_set_count(next);
    bool *is_known = calloc(next_count + 1, sizeof(*is_known));

    *out = (struct rules_preview){.rows = calloc(count + next_count + 1, sizeof(*out->rows)),
                                  .is_counted = is_counted};
    if (out->rows == NULL || is_known == NULL) {
        error_set(err, "out of memory");
        free(is_known);
        rules_preview_release(out);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = find_rule(next, running[i].rule_id);
        if (!running[i].current) {
            /* Of an earlier reload: no set changes anything about it. */
            if (running[i].keys > 0)
                add_row(out, running[i].rule_id, PREVIEW_DRAINS, &running[i]);
            continue;
        }
        out->is_changed |= rule == NULL || !id128_equal(rule->form, running[i].form);
        if (rule == NULL) {
            add_row(out, running[i].rule_id, PREVIEW_GONE, &running[i]);
            continue;
        }
        is_known[rule->index] = true;
        if (id128_equal(rule->form, running[i].form)) {
            add_row(out, rule->id, PREVIEW_CARRIES_ON, &running[i]);
        } else {
            add_row(out, rule->id, PREVIEW_STARTS_EMPTY, NULL);
            add_row(out, rule->id, PREVIEW_DRAINS, &running[i]);
        }
    }
    for (uint32_t i = 0; i < next_count; i++)
        if (!is_known[i]) {
            add_row(out, rule_set_rule(next, i)->id, PREVIEW_NEW, NULL);
            out->is_changed = true;
        }
    free(is_known);
    if (out->count > 1)
        qsort(out->rows, out->count, sizeof(*out->rows), row_order);
    return 0;
}

void rules_preview_release(struct rules_preview *preview)
{
    free(preview->rows);
    *preview = (struct rules_preview){.rows = NULL};
}

/* ---- for people and programs ---- */

void rules_preview_print(const struct rules_preview *preview, FILE *to)
{
    for (size_t i = 0; i < preview->count; i++) {
        const struct preview_row *row = &preview->rows[i];
        fprintf(to, "  %-34s %-12s", row->rule_id, preview_state_name(row->state));
        if (preview->is_counted && row->state != PREVIEW_NEW && row->state != PREVIEW_STARTS_EMPTY)
            fprintf(to, " keys %" PRIu64 ", open incidents %" PRIu64, row->keys, row->open);
        fputc('\n', to);
    }
}

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

json_t *rules_preview_json(const struct rules_preview *preview)
{
    json_t *root = json_object(), *rules = json_array(), *totals = json_object();
    uint64_t count[PREVIEW_STATES] = {0}, keys[PREVIEW_STATES] = {0}, open[PREVIEW_STATES] = {0};

    for (size_t i = 0; i < preview->count; i++) {
        const struct preview_row *row = &preview->rows[i];
        json_t *object = json_object();
        json_object_set_new(object, "rule", json_string(row->rule_id));
        json_object_set_new(object, "state", json_string(preview_state_name(row->state)));
        json_array_append_new(rules, json_held(preview->is_counted, object, row->keys, row->open));
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
    json_object_set_new(root, "changed", json_boolean(preview->is_changed));
    json_object_set_new(root, "rules", rules);
    json_object_set_new(root, "totals", totals);
    return root;
}

/* ---- what runs ---- */

json_t *rules_running_json(const struct engine_rule_counters *running, size_t count)
{
    json_t *root = json_object(), *rules = json_array();
    char form[ID128_TEXT_BYTES];

    for (size_t i = 0; i < count; i++) {
        id128_format(running[i].form, form);
        json_array_append_new(rules, json_pack("{s:s,s:s,s:b,s:I,s:I}", "rule", running[i].rule_id,
                                               "form", form, "current", (int)running[i].current,
                                               "keys", (json_int_t)running[i].keys, "open",
                                               (json_int_t)running[i].open));
    }
    json_object_set_new(root, "version", json_string(TOCSIN_VERSION));
    json_object_set_new(root, "rules", rules);
    return root;
}

static bool read_form(const char *text, struct id128 *form)
{
    char high[17] = {0};
    char *end;

    if (text == NULL || strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return false;
    memcpy(high, text, 16);
    form->hi = strtoull(high, &end, 16);
    form->lo = strtoull(text + 16, &end, 16);
    return true;
}

int rules_running_read(const char *text, struct engine_rule_counters **out, size_t *count,
                       struct error *err)
{
    json_t *root = json_loads(text, 0, NULL); /* ours; the rest is borrowed */
    json_t *rules = json_object_get(root, "rules");
    struct engine_rule_counters *running = calloc(json_array_size(rules) + 1, sizeof(*running));
    int rc = 0;

    if (running == NULL) {
        error_set(err, "out of memory");
        rc = -ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < json_array_size(rules); i++) {
        json_t *object = json_array_get(rules, i);
        const char *id = json_string_value(json_object_get(object, "rule"));
        const char *form = json_string_value(json_object_get(object, "form"));
        if (id == NULL || strlen(id) >= sizeof(running[i].rule_id) ||
            !read_form(form, &running[i].form)) {
            rc = -EINVAL;
            break;
        }
        memcpy(running[i].rule_id, id, strlen(id));
        running[i].current = json_is_true(json_object_get(object, "current"));
        running[i].keys = (uint64_t)json_integer_value(json_object_get(object, "keys"));
        running[i].open = (uint64_t)json_integer_value(json_object_get(object, "open"));
    }
    if (rc == 0 && !json_is_array(rules))
        rc = -EINVAL;
    if (rc == -EINVAL)
        error_set(err, "the daemon's answer is not a list of rules");
    if (rc == 0) {
        *out = running;
        *count = json_array_size(rules);
        running = NULL;
    }
    free(running);
    json_decref(root);
    return rc;
}

int rules_running_of_set(const struct rule_set *set, struct engine_rule_counters **out,
                         size_t *count, struct error *err)
{
    struct engine_rule_counters *running = calloc(rule_set_count(set) + 1, sizeof(*running));

    if (running == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < rule_set_count(set); i++) {
        const struct rule *rule = rule_set_rule(set, i);
        snprintf(running[i].rule_id, sizeof(running[i].rule_id), "%s", rule->id);
        running[i].form = rule->form;
        running[i].current = true;
    }
    *out = running;
    *count = rule_set_count(set);
    return 0;
}
