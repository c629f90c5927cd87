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
        copy[i] = (struct rule_shape){keep(arena, at[i].key), keep(arena, at[i].text), at[i].means};
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

static const struct id128 unknown = {0, 0};

json_t *shape_means_json(const struct shape *shape)
{
    json_t *object = json_object();
    char digest[ID128_TEXT_BYTES];

    for (uint32_t i = 0; i < shape->count; i++)
        if (!id128_equal(shape->at[i].means, unknown)) {
            id128_format(shape->at[i].means, digest);
            json_object_set_new(object, shape->at[i].key, json_string(digest));
        }
    return object;
}

bool shape_read(const json_t *from, const json_t *means, struct arena *arena, struct shape *out)
{
    struct rule_shape *shape = arena_alloc_many(arena, RULE_SHAPE_MAX, sizeof(*shape));
    const char *key;
    json_t *text; /* borrowed */

    *out = (struct shape){from != NULL ? shape : NULL, 0};
    json_object_foreach ((json_t *)from, key, text) {
        if (shape == NULL || out->count == RULE_SHAPE_MAX || !json_is_string(text))
            break;
        const char *digest = json_string_value(json_object_get(means, key));
        shape[out->count] =
            (struct rule_shape){keep(arena, key), keep(arena, json_string_value(text)), unknown};
        if (digest != NULL && !id128_parse(digest, &shape[out->count].means))
            shape[out->count].means = unknown;
        if (shape[out->count].key == NULL || shape[out->count].text == NULL)
            return false;
        out->count++;
    }
    return shape != NULL;
}

/* ---- comparing ---- */

static const struct rule_shape *find_key(const struct shape *shape, const char *key)
{
    static const struct rule_shape none = {"", "", {0, 0}};

    for (uint32_t i = 0; i < shape->count; i++)
        if (strcmp(shape->at[i].key, key) == 0)
            return &shape->at[i];
    return &none;
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

static bool is_same(const struct rule_shape *now, const struct rule_shape *next)
{
    return strcmp(now->text, next->text) == 0;
}

/* Is it known what the key comes to in both? */
static bool is_known(const struct rule_shape *now, const struct rule_shape *next)
{
    return !id128_equal(now->means, unknown) && !id128_equal(next->means, unknown);
}

static bool names_another(const struct rule_shape *now, const struct rule_shape *next)
{
    return is_same(now, next) && is_known(now, next) && !id128_equal(now->means, next->means);
}

/* What is known to differ; `room` has place for all keys of both. */
static uint32_t list_changed(const struct shape *now, const struct shape *next,
                             struct preview_change *room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < next->count; i++) {
        const struct rule_shape *to = &next->at[i], *from = find_key(now, to->key);
        if (!is_same(from, to) || names_another(from, to))
            room[count++] = (struct preview_change){to->key, from->text, to->text, false};
    }
    for (uint32_t i = 0; i < now->count; i++)
        if (find_key(next, now->at[i].key)->text[0] == '\0')
            room[count++] = (struct preview_change){now->at[i].key, now->at[i].text, "", false};
    return count;
}

/* What may name something else, as one of them does. */
static uint32_t list_guessed(const struct shape *now, const struct shape *next,
                             struct preview_change *room)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < next->count; i++) {
        const struct rule_shape *to = &next->at[i];
        if (can_name(to->key) && !is_known(find_key(now, to->key), to))
            room[count++] = (struct preview_change){to->key, to->text, to->text, true};
    }
    if (count == 1)
        room[0].is_guess = false;
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
    out->count = list_changed(now, next, room);
    if (out->count == 0)
        out->count = list_guessed(now, next, room);
    for (uint32_t i = 0; i < out->count; i++) {
        room[i] = (struct preview_change){keep(arena, room[i].key), keep(arena, room[i].from),
                                          keep(arena, room[i].to), room[i].is_guess};
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
            fputs(strcmp(change->key, rule_setting_name(SETTING_KEYS)) == 0 ? ": others than before"
                  : change->is_guess ? ": this, or another of these, names something else"
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
