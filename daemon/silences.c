/*
 * silences.c - see silences.h.
 *
 * Texts are written into the rule file as JSON strings, which YAML reads as they are.
 */
#include "daemon/silences.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/units.h"

enum { DAY_MS = 86400000, ID_BYTES_MAX = 80 };

static const char *const fields[] = {"id", "where", "from", "to", "comment", "by"};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

void silences_release(struct silences *list)
{
    for (size_t i = 0; i < list->item.count; i++)
        json_decref(list->item.at[i]);
    free(list->item.at);
    *list = (struct silences){.made = 0};
}

static size_t find(const struct silences *list, const char *id)
{
    size_t i = 0;

    while (i < list->item.count && strcmp(text_of(list->item.at[i], "id"), id) != 0)
        i++;
    return i;
}

static void take_out(struct silences *list, size_t i)
{
    if (i >= list->item.count)
        return;
    json_decref(list->item.at[i]);
    list->item.count--;
    memmove(list->item.at + i, list->item.at + i + 1,
            (list->item.count - i) * sizeof(list->item.at[0]));
}

/* It ended at least a day before `at_ms`: what is behind by less than that is muted still. */
static bool is_long_over(const json_t *silence, int64_t at_ms)
{
    int64_t to_ms;

    return unit_parse_time(text_of(silence, "to"), &to_ms, NULL) == 0 && to_ms < at_ms - DAY_MS;
}

static bool is_what(const struct intake_record *record, const char *what)
{
    return record->kind == INTAKE_ACT && record->what.len == strlen(what) &&
           memcmp(record->what.at, what, record->what.len) == 0;
}

json_t *silences_checkpoint(const struct silences *list)
{
    json_t *root = json_object(), *array = json_array();

    for (size_t i = 0; i < list->item.count; i++)
        json_array_append(array, list->item.at[i]);
    json_object_set_new(root, "made", json_integer((json_int_t)list->made));
    json_object_set_new(root, "silences", array);
    return root;
}

void silences_of_checkpoint(const struct intake_record *record, struct silences *out)
{
    json_t *root = json_loadb(record->body.at, record->body.len, 0, NULL), *silence; /* borrowed */
    size_t i;

    *out = (struct silences){.made = (uint64_t)json_integer_value(json_object_get(root, "made"))};
    json_array_foreach (json_object_get(root, "silences"), i, silence)
        vector_add(&out->item) = json_incref(silence);
    json_decref(root);
}

void silences_take(struct silences *list, const struct intake_record *record)
{
    bool is_add = is_what(record, ACT_SILENCE_ADD);
    json_t *body;

    if (record->kind == INTAKE_CHECKPOINT) {
        silences_release(list);
        silences_of_checkpoint(record, list);
        return;
    }
    if (!is_add && !is_what(record, ACT_SILENCE_END))
        return;
    body = json_loadb(record->body.at, record->body.len, 0, NULL);
    take_out(list, find(list, text_of(body, "id")));
    if (!is_add || body == NULL) {
        json_decref(body);
        return;
    }
    for (size_t i = list->item.count; i > 0; i--)
        if (is_long_over(list->item.at[i - 1], record->at_ms))
            take_out(list, i - 1);
    json_object_set_new(body, SILENCE_MADE_MS, json_integer(record->at_ms));
    vector_add(&list->item) = body;
    list->made++;
}

/* ---- what is asked for ---- */

/* An object of texts with known names alone. Ours to free, or NULL with a sentence. */
static json_t *read_object(const char *body, size_t bytes, const char *const *names, size_t count,
                           struct error *err)
{
    json_error_t fault;
    json_t *object = NULL, *value; /* the latter borrowed */
    const char *key;

    if (bytes > SILENCE_BYTES_MAX) {
        error_set(err, "a silence is described in at most %d bytes", SILENCE_BYTES_MAX);
        return NULL;
    }
    object = json_loadb(body, bytes, JSON_REJECT_DUPLICATES, &fault);
    if (!json_is_object(object)) {
        if (object == NULL)
            error_set(err, "the body is no JSON: line %d, column %d: %s", fault.line, fault.column,
                      fault.text);
        else
            error_set(err, "the body is an object like {\"where\": \"host == \\\"db-1\\\"\", "
                           "\"for\": \"2h\"}");
        goto refuse;
    }
    json_object_foreach (object, key, value) {
        size_t i = 0;
        while (i < count && strcmp(key, names[i]) != 0)
            i++;
        if (i == count) {
            error_set(err, "there is no field '%.64s' here", key);
            goto refuse;
        }
        if (!json_is_string(value)) {
            error_set(err, "%s is a text", key);
            goto refuse;
        }
    }
    return object;
refuse:
    json_decref(object);
    return NULL;
}

static int read_id(const struct silences *list, json_t *object, struct error *err)
{
    char made[32];
    const char *id = text_of(object, "id");

    if (json_object_get(object, "id") == NULL) {
        snprintf(made, sizeof(made), "by-hand-%" PRIu64, list->made + 1);
        id = made;
        json_object_set_new(object, "id", json_string(made));
    }
    if (*id == '\0' || strlen(id) > ID_BYTES_MAX) {
        error_set(err, "id has 1 to %d bytes", ID_BYTES_MAX);
        return -EINVAL;
    }
    if (find(list, id) < list->item.count) {
        error_set(err, "there is a silence '%s' already; end it first, or give this one another id",
                  id);
        return -EEXIST;
    }
    return 0;
}

static int read_times(json_t *object, int64_t now_ms, struct error *err)
{
    const char *from = text_of(object, "from"), *to = text_of(object, "to");
    const char *length = text_of(object, "for");
    char text[UNIT_TEXT_BYTES];
    int64_t from_ms = now_ms, to_ms, length_ms;
    struct error why;

    if (*from != '\0' && unit_parse_time(from, &from_ms, &why) != 0) {
        error_set(err, "from: %s", why.text);
        return -EINVAL;
    }
    if ((*to == '\0') == (*length == '\0')) {
        error_set(err, "say how long it holds: either \"to\", a time, or \"for\", a duration");
        return -EINVAL;
    }
    if (*to != '\0' && unit_parse_time(to, &to_ms, &why) != 0) {
        error_set(err, "to: %s", why.text);
        return -EINVAL;
    }
    if (*length != '\0') {
        if (unit_parse_duration(length, &length_ms, &why) != 0) {
            error_set(err, "for: %s", why.text);
            return -EINVAL;
        }
        if (length_ms <= 0 || length_ms > 366 * (int64_t)DAY_MS) {
            error_set(err, "for: a silence holds for more than nothing and at most 366d");
            return -EINVAL;
        }
        to_ms = from_ms + length_ms;
    }
    if (to_ms <= from_ms || to_ms <= now_ms) {
        error_set(err, "it would be over before it begins to hold");
        return -EINVAL;
    }
    if (*from != '\0')
        json_object_set_new(object, "from", json_string(unit_format_time(from_ms, text)));
    else
        json_object_del(object, "from");
    json_object_set_new(object, "to", json_string(unit_format_time(to_ms, text)));
    json_object_del(object, "for");
    return 0;
}

int silences_read_add(const struct silences *list, const char *body, size_t bytes, const char *who,
                      int64_t now_ms, json_t **out, struct error *err)
{
    static const char *const names[] = {"id", "where", "from", "to", "for", "comment"};
    json_t *object = read_object(body, bytes, names, sizeof(names) / sizeof(names[0]), err);
    int rc;

    if (object == NULL)
        return -EINVAL;
    if (list->item.count >= SILENCES_MAX) {
        error_set(err, "there are %d silences already, and there may not be more: end some",
                  SILENCES_MAX);
        json_decref(object);
        return -ENOSPC;
    }
    rc = read_id(list, object, err);
    if (rc == 0 && *text_of(object, "where") == '\0') {
        error_set(err, "where is missing: which incidents are silenced, like host == \"db-1\"");
        rc = -EINVAL;
    }
    if (rc == 0)
        rc = read_times(object, now_ms, err);
    if (rc != 0) {
        json_decref(object);
        return rc;
    }
    json_object_set_new(object, "by", json_string(who));
    *out = object;
    return 0;
}

int silences_read_end(const struct silences *list, const char *body, size_t bytes, json_t **out,
                      struct error *err)
{
    static const char *const names[] = {"id", "comment"};
    json_t *object = read_object(body, bytes, names, sizeof(names) / sizeof(names[0]), err);

    if (object == NULL)
        return -EINVAL;
    if (find(list, text_of(object, "id")) == list->item.count) {
        error_set(err,
                  "there is no silence '%.*s' that was made by hand; `tocsin "
                  "silence list` or GET /silences lists them",
                  ID_BYTES_MAX, text_of(object, "id"));
        json_decref(object);
        return -ENOENT;
    }
    *out = object;
    return 0;
}

/* ---- as text ---- */

static void write_one(FILE *to, const json_t *silence)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const json_t *value = json_object_get(silence, fields[i]);
        char *text = json_is_string(value) ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
        /* A time is no text in a rule file. */
        bool is_time = strcmp(fields[i], "from") == 0 || strcmp(fields[i], "to") == 0;
        if (text != NULL)
            fprintf(to, "%s%s: %s\n", i == 0 ? "  - " : "    ", fields[i],
                    is_time ? json_string_value(value) : text);
        free(text);
    }
}

char *silences_text(const struct silences *list, const json_t *more, const char *less)
{
    char *text = NULL;
    size_t bytes = 0, written = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to == NULL)
        return NULL;
    for (size_t i = 0; i <= list->item.count; i++) {
        const json_t *silence = i < list->item.count ? list->item.at[i] : more;
        if (silence == NULL || (less != NULL && strcmp(text_of(silence, "id"), less) == 0))
            continue;
        if (written++ == 0)
            fputs("silences:\n", to);
        write_one(to, silence);
    }
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

json_t *silences_json(const struct silences *list)
{
    json_t *root = json_object(), *array = json_array();

    for (size_t i = 0; i < list->item.count; i++) {
        json_t *silence = json_copy(list->item.at[i]);
        json_object_del(silence, SILENCE_MADE_MS);
        json_array_append_new(array, silence);
    }
    json_object_set_new(root, "silences", array);
    return root;
}

int silences_read_list(const char *answer, struct silences *out, struct error *err)
{
    json_t *root = json_loads(answer, 0, NULL);
    json_t *array = json_object_get(root, "silences"), *silence; /* borrowed */
    size_t i;

    *out = (struct silences){.made = 0};
    if (!json_is_array(array)) {
        json_decref(root);
        error_set(err, "the daemon's answer is not a list of silences");
        return -EINVAL;
    }
    json_array_foreach (array, i, silence)
        vector_add(&out->item) = json_incref(silence);
    json_decref(root);
    return 0;
}
