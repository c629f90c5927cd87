/* intake_act.c - see intake_act.h. */
#include "ingest/intake_act.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "base/text.h"

struct intake_act_read {
    struct act act;
    json_t *root; /* what the texts lie in */
};

bool intake_act_is(const struct intake_record *record)
{
    return record->kind == INTAKE_ACT && (texts_equal(record->what, text_of(ACT_ACKNOWLEDGE)) ||
                                          texts_equal(record->what, text_of(ACT_CLOSE)));
}

static struct text text_in(const json_t *object)
{
    return json_is_string(object)
               ? (struct text){json_string_value(object), (uint32_t)json_string_length(object)}
               : (struct text){"", 0};
}

static bool read_body(struct act *act, const json_t *root)
{
    const json_t *key = json_object_get(root, "key"), *value; /* borrowed */
    size_t i;

    act->comment = text_in(json_object_get(root, "comment"));
    act->rule = text_in(json_object_get(root, "rule"));
    json_array_foreach (key, i, value) {
        if (i == ACT_KEY_MAX || !json_is_string(value))
            return false;
        act->key[i] = text_in(value);
    }
    act->key_count = (uint32_t)json_array_size(key);
    return act->rule.len > 0 && act->key_count > 0 &&
           id128_parse(json_string_value(json_object_get(root, "id")), &act->incident);
}

struct intake_act_read *intake_act_read(const struct intake_record *record)
{
    struct intake_act_read *read;

    if (!intake_act_is(record))
        return NULL;
    read = memory_alloc(sizeof(*read));
    *read = (struct intake_act_read){
        .act = {.closes = texts_equal(record->what, text_of(ACT_CLOSE)), .who = record->who},
        .root = json_loadb(record->body.at, record->body.len, JSON_ALLOW_NUL, NULL)};
    if (read_body(&read->act, read->root))
        return read;
    intake_act_free(read);
    return NULL;
}

void intake_act_free(struct intake_act_read *read)
{
    if (read == NULL)
        return;
    json_decref(read->root);
    free(read);
}

const struct act *intake_act_of(const struct intake_act_read *read)
{
    return &read->act;
}
