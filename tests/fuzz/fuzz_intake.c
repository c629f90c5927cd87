/*
 * Aim: no bytes, however made, do more to what reads the intake than a sentence. Method: the input
 * is a frame's payload, whose records have to lie in it; the body of a push, whose records have to
 * lie in it one after the other, and be records as a topic takes them; and what people ask of
 * silences: what is taken comes to the same rule file when it is read back from the log.
 */
#include <stdlib.h>
#include <string.h>
#include "daemon/intake_body.h"
#include "daemon/silences.h"
#include "store/intake_log.h"

static void owe_a_sentence(const struct error *err)
{
    if (strlen(err->text) < 10)
        abort();
}

static void lie_in(struct text text, const char *at, size_t bytes)
{
    if (text.at < at || text.at + text.len > at + bytes)
        abort();
}

static void read_frame(const char *bytes, size_t count)
{
    struct intake_cursor cursor;
    struct intake_record record;
    struct error err = {""};
    int rc = intake_frame_begin(&cursor, bytes, count, &err);

    while (rc == 0 && (rc = intake_frame_next(&cursor, &record, &err)) == 1) {
        lie_in(record.who, bytes, count);
        lie_in(record.from, bytes, count);
        lie_in(record.what, bytes, count);
        lie_in(record.body, bytes, count);
        rc = 0;
    }
    if (rc < 0)
        owe_a_sentence(&err);
}

struct pushed {
    struct decoder *decoder;
    const char *at, *end;
};

static void take(void *self, const char *at, size_t bytes)
{
    struct pushed *pushed = self;

    if (at < pushed->at || at + bytes > pushed->end)
        abort();
    pushed->at = at + bytes;
}

static void read_push(const char *bytes, size_t count)
{
    static struct decoder *decoder;
    struct pushed pushed;
    struct error err = {""};
    uint64_t events = 0;

    if (decoder == NULL)
        decoder = decoder_create();
    pushed = (struct pushed){decoder, bytes, bytes + count};
    if (intake_body_read(decoder, FORMAT_AUTO, bytes, count, take, &pushed, &events, &err) != 0)
        owe_a_sentence(&err);
    else if (events == 0)
        abort();
}

static void read_silence(const char *bytes, size_t count)
{
    struct silences list = {.made = 0};
    struct error err = {""};
    json_t *made = NULL;
    char *body, *before, *after;

    if (silences_read_add(&list, bytes, count, "ada", 1769940000000, &made, &err) != 0) {
        owe_a_sentence(&err);
        return;
    }
    body = json_dumps(made, JSON_COMPACT);
    before = silences_text(&list, made, NULL);
    silences_take(&list,
                  &(struct intake_record){.kind = INTAKE_ACT,
                                          .at_ms = 1769940000000,
                                          .what = {ACT_SILENCE_ADD, sizeof(ACT_SILENCE_ADD) - 1},
                                          .body = {body, (uint32_t)strlen(body)}});
    after = silences_text(&list, NULL, NULL);
    if (before == NULL || after == NULL || strcmp(before, after) != 0 || list.item.count != 1)
        abort();
    free(before);
    free(after);
    free(body);
    json_decref(made);
    silences_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes;

    if (size < 1)
        return 0;
    bytes = malloc(size > 1 ? size - 1 : 1); /* so that a byte behind it is found */
    memcpy(bytes, data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        read_frame(bytes, size - 1);
        break;
    case 1:
        read_push(bytes, size - 1);
        break;
    default:
        read_silence(bytes, size - 1);
        break;
    }
    free(bytes);
    return 0;
}
