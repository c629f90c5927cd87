/*
 * Aim: no bytes, however made, do more to the readers of segments and of the journal than a
 * sentence. Method: the input is the payload of a group for the reader of records; and it is a
 * segment, as it is and with the checksums, numbers and chain that a hostile writer would give it,
 * which a recovery reads to its end.
 */
#include <stdlib.h>
#include <string.h>
#include "store/journal_recall.h"
#include "store/segment_format.h"
#include "tests/memory_host.h"

static const struct segment_config config = {
    .folder = "journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = 1 << 20};

static int list_one(void *self, const char *path, void (*take)(void *user, const char *name),
                    void *user)
{
    (void)self, (void)path;
    take(user, "0000000000000001.seg");
    return 0;
}

static void owe_a_sentence(const struct error *err)
{
    if (strlen(err->text) < 10)
        abort();
}

static void read_group(const char *bytes, size_t count)
{
    struct journal_cursor cursor = {bytes, bytes + count, false};
    struct journal_record record;
    struct journal_buffer again = {0};
    struct error err = {""};
    int rc;

    while ((rc = journal_get(&cursor, &record, &err)) == 1)
        journal_put(&again, &record); /* looks at everything that it points at */
    journal_buffer_release(&again);
    if (rc < 0)
        owe_a_sentence(&err);
}

static void read_segment(const char *bytes, size_t count)
{
    struct journal_reader *reader;
    struct journal_recall *recall;
    enum segment_refusal why;
    struct error err = {""};

    memory_host_file = bytes;
    memory_host_bytes = count;
    if (journal_reader_create(&config, &reader, &why, &err) != 0) {
        owe_a_sentence(&err);
        return;
    }
    if (journal_recall_create(reader, NULL, &recall, &err) == 0)
        journal_recall_destroy(recall);
    else
        owe_a_sentence(&err);
    journal_reader_destroy(reader);
}

/* Cuts the input into frames: two bytes say how long a payload is and of which kind. */
static size_t segment_make(const char *from, size_t bytes, char *to)
{
    struct segment_head head = {.magic = SEGMENT_MAGIC,
                                .version = SEGMENT_VERSION,
                                .kind = "journal",
                                .engine = "tocsin x",
                                .directory = config.directory,
                                .sequence = 1,
                                .first_frame = 1};
    size_t at = SEGMENT_HEAD_BYTES, used = 0;
    uint64_t number = 1;
    uint32_t chain = 0;

    while (bytes - used >= 2) {
        size_t payload = (size_t)(unsigned char)from[used] * 8 + (unsigned char)from[used + 1] / 4;
        struct frame_head frame = {.magic = FRAME_MAGIC,
                                   .kind = (unsigned char)from[used + 1] & 3u,
                                   .directory = config.directory,
                                   .number = number++,
                                   .chain = chain};
        struct frame_tail tail;
        used += 2;
        payload = payload < bytes - used ? payload : bytes - used;
        frame.bytes = tail.bytes = (uint32_t)payload;
        frame.crc = frame_head_crc(&frame);
        size_t span = (size_t)frame_span(payload);
        memset(to + at, 0, span);
        memcpy(to + at, &frame, sizeof(frame));
        memcpy(to + at + sizeof(frame), from + used, payload);
        tail.crc = chain = crc32c(0, to + at, span - sizeof(tail));
        memcpy(to + at + span - sizeof(tail), &tail, sizeof(tail));
        at += span;
        used += payload;
    }
    head.bytes = (uint32_t)at;
    head.crc = segment_head_crc(&head);
    memset(to, 0, SEGMENT_HEAD_BYTES);
    memcpy(to, &head, sizeof(head));
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *input = (const char *)data;
    char *segment = malloc(SEGMENT_HEAD_BYTES + 40 * (bytes + 2));
    struct host fake;

    memory_host_begin();
    fake = *host();
    fake.list = list_one;
    host_set(&fake);
    read_group(input, bytes);
    read_segment(input, bytes);
    read_segment(segment, segment_make(input, bytes, segment));
    free(segment);
    host_set(NULL);
    return 0;
}
