/* shape_change.c - see shape_change.h. */
#include "daemon/shape_change.h"

#include <string.h>
#include "rules/rule_shape.h"

enum { SHOWN_BYTES = 120 }; /* of a setting; JSON has it whole */

static const char *keep(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

bool shape_keep(const struct rule_shape *at, uint32_t count, struct arena *arena, struct shape *out)
{
    struct rule_shape *copy = arena_alloc_many(arena, count + 1, sizeof(*copy));

    for (uint32_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = (struct rule_shape){keep(arena, at[i].key), keep(arena, at[i].text)};
        if (copy[i].key == NULL || copy[i].text == NULL)
            return false;
    }
    *out = (struct shape){copy, count};
    return copy != NULL;
}

json_t *shape_json(const struct shape *shape)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < shape->count; i++)
        json_object_set_new(object, shape->at[i].key, json_string(shape->at[i].text));
    return object;
}

bool shape_read(const json_t *from, struct arena *arena, struct shape *out)
{
    struct rule_shape *shape = arena_alloc_many(arena, RULE_SHAPE_MAX, sizeof(*shape));
    const char *key;
    json_t *text; /* borrowed */

    *out = (struct shape){from != NULL ? shape : NULL, 0};
    json_object_foreach ((json_t *)from, key, text) {
        if (shape == NULL || out->count == RULE_SHAPE_MAX || !json_is_string(text))
            break;
        shape[out->count] =
            (struct rule_shape){keep(arena, key), keep(arena, json_string_value(text))};
        if (shape[out->count].key == NULL || shape[out->count].text == NULL)
            return false;
        out->count++;
    }
    return shape != NULL;
}

/* ---- comparing ---- */

static const char *text_of_key(const struct shape *shape, const char *key)
{
    for (uint32_t i = 0; i < shape->count; i++)
        if (strcmp(shape->at[i].key, key) == 0)
            return shape->at[i].text;
    return "";
}

/* Keys that can name something else: a variable, a table, a set of times. */
static bool can_name(const char *key)
{
    static const char *const keys[] = {"where",  "when", "sequence", "all",           "source",
                                       "target", "set",  "extract",  "time_intervals"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* `room` has place for all keys of both. */
static void add(struct preview_change *room, uint32_t *count, const char *key, const char *from,
                const char *to, bool wants_same)
{
    bool is_same = strcmp(from, to) == 0;

    if (is_same == wants_same && (!is_same || can_name(key)))
        room[(*count)++] = (struct preview_change){key, from, to};
}

static uint32_t list(const struct shape *now, const struct shape *next, bool wants_same,
                     struct preview_change *room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < next->count; i++)
        add(room, &count, next->at[i].key, text_of_key(now, next->at[i].key), next->at[i].text,
            wants_same);
    for (uint32_t i = 0; i < now->count; i++)
        if (text_of_key(next, now->at[i].key)[0] == '\0')
            add(room, &count, now->at[i].key, now->at[i].text, "", wants_same);
    return count;
}

bool shape_compare(const struct shape *now, const struct shape *next, struct arena *arena,
                   struct preview_changes *out)
{
    struct preview_change *room;

    *out = (struct preview_changes){NULL, 0};
    if (now->at == NULL || next->at == NULL)
        return true; /* the daemon does not say */
    room = arena_alloc_many(arena, now->count + next->count + 1, sizeof(*room));
    if (room == NULL)
        return false;
    out->count = list(now, next, false, room);
    if (out->count == 0)
        out->count = list(now, next, true, room);
    for (uint32_t i = 0; i < out->count; i++) {
        room[i] = (struct preview_change){keep(arena, room[i].key), keep(arena, room[i].from),
                                          keep(arena, room[i].to)};
        if (room[i].key == NULL || room[i].from == NULL || room[i].to == NULL)
            return false;
    }
    out->at = room;
    return true;
}

/* ---- telling ---- */

static void print_shown(const char *text, FILE *to)
{
    size_t bytes = strlen(text), cut = bytes > SHOWN_BYTES ? SHOWN_BYTES : bytes;

    while (cut < bytes && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    for (size_t i = 0; i < cut; i++)
        fputc((unsigned char)text[i] < 0x20 ? ' ' : text[i], to);
    if (cut < bytes)
        fputs("...", to);
}

static void print_value(const char *text, FILE *to)
{
    fputc('"', to);
    print_shown(text, to);
    fputc('"', to);
}

void preview_changes_print(const struct preview_changes *changes, FILE *to)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct preview_change *change = &changes->at[i];
        fprintf(to, "      %s ", change->key);
        print_value(change->from, to);
        if (strcmp(change->from, change->to) == 0) {
            fputs(strcmp(change->key, rule_setting_name(SETTING_KEYS)) == 0
                      ? ": others than before"
                      : ": what it names means something else",
                  to);
        } else {
            fputs(" -> ", to);
            print_value(change->to, to);
        }
        fputc('\n', to);
    }
}

json_t *preview_changes_json(const struct preview_changes *changes)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < changes->count; i++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "key", changes->at[i].key, "from",
                                              changes->at[i].from, "to", changes->at[i].to));
    return list;
}
