/*
 * Aim (C6, C7, C12): no bytes, however made, do more to the readers of a snapshot, of what stands
 * inside of it, and of the line by which the shared store names one, than a refusal. Method: what
 * the first byte says:
 *
 *   0  [sets - 1] [text of each set] image   an engine with these rules loads the image
 *   1  known                                 what the journal knew is loaded, and saved again
 *   2  file                                  a file as it is
 *   3  [lies] facts | known | image          a file of three parts, with 0xFF 0x00 between them,
 *                                            and the checksums, sizes and numbers that a hostile
 *                                            writer would give it, or one of these wrong
 *   4  line                                  that names a mirrored image
 *
 * Checksums would stop the fuzzer at the door, so the third makes them right. An image of the
 * engine has none: they are the file's. Seeds are images of small runs (test_snapshot corpus DIR),
 * and what a file of such a run holds.
 */
#include <stdlib.h>
#include <string.h>
#include "correlate/engine.h"
#include "store/crc32c.h"
#include "store/journal_recall.h"
#include "store/shared_image.h"
#include "store/snapshot_format.h"
#include "tests/memory_host.h"
#include "tests/snapshot_rules.h"

enum { SETS_MAX = 8, NUMBER = 12 };

static const struct snapshot_folder folder = {"snapshots", {3, 4}};

static void owe_a_sentence(const struct error *err)
{
    if (strlen(err->text) < 10)
        abort();
}

/* ---- an engine's image ---- */

static size_t no_changes(struct source *source, struct source_change *out, size_t max)
{
    (void)source, (void)out, (void)max;
    return 0;
}

static struct rule_set *parse(unsigned text)
{
    const char *rules = snapshot_rules[text % SNAPSHOT_TEXTS];
    struct rule_set *set = NULL;
    struct error err = {""};

    if (rule_set_parse("r.yaml", rules, strlen(rules), &set, &err) != 0)
        abort();
    return set;
}

static void load_image(const uint8_t *data, size_t bytes)
{
    static const struct source_ops ops = {.changes = no_changes};
    static const char *sinks[] = {"pager"};
    const struct engine_listener listener = {.self = NULL};
    struct source source = {.ops = &ops};
    struct rule_set *set[SETS_MAX];
    struct engine_config config;
    struct engine *engine;
    struct error err = {""};
    size_t count = bytes > 0 ? 1 + data[0] % SETS_MAX : 1;

    if (bytes < 1 + count)
        return;
    engine_config_init(&config);
    config.workers = 1;
    config.seed = 7;
    config.sink_names = sinks;
    config.sink_count = 1;
    for (size_t i = 0; i < count; i++)
        set[i] = parse(data[1 + i]);
    if (engine_create(&config, &source, set[0], &listener, &engine, &err) != 0)
        abort();
    if (engine_load_image(engine, data + 1 + count, bytes - 1 - count, set, count, &err) != 0)
        owe_a_sentence(&err);
    engine_destroy(engine);
    rule_set_destroy(set[0]);
}

/* ---- what the journal knew ---- */

static void load_known(const void *data, size_t bytes)
{
    struct journal_buffer again = {0};
    struct journal_recall *recall;
    struct journal_summary sum;
    struct error err = {""};

    if (journal_recall_load(data, bytes, &recall, &err) != 0) {
        owe_a_sentence(&err);
        return;
    }
    journal_recall_summary(recall, &sum);
    journal_recall_forget(recall, sum.to_ms, NULL, 0);
    journal_recall_save(recall, &again);
    journal_buffer_release(&again);
    journal_recall_destroy(recall);
}

/* ---- a file ---- */

static void read_file(const char *file, size_t bytes)
{
    struct snapshot_content content;
    enum snapshot_refusal why;
    struct error err = {""};
    uint64_t sum = 0;

    memory_host_file = file;
    memory_host_bytes = bytes;
    if (snapshot_file_read(&folder, NUMBER, &content, &why, &err) != 0) {
        owe_a_sentence(&err);
        return;
    }
    for (uint32_t i = 0; i < content.facts.set_count; i++)
        sum += content.facts.sets[i].lo;
    for (uint32_t i = 0; i < content.facts.kept_count; i++)
        sum += content.facts.kept[i].lo;
    for (uint32_t i = 0; i < content.facts.stand_count; i++)
        sum += (uint64_t)content.facts.stands[i].offset;
    load_known(content.known, content.known_bytes);
    if (sum != 1 && engine_look_image(content.image, content.image_bytes, &err) != 0)
        owe_a_sentence(&err);
    snapshot_content_release(&content);
}

/* Ends of parts that the input says, or its end. */
static size_t part_end(const uint8_t *data, size_t from, size_t bytes)
{
    while (from + 1 < bytes && (data[from] != 0xFF || data[from + 1] != 0))
        from++;
    return from + 1 < bytes ? from : bytes;
}

static void make_file(const uint8_t *data, size_t bytes)
{
    uint8_t lies = bytes > 0 ? data[0] : 0;
    struct snapshot_head head = {.magic = SNAPSHOT_HEAD_MAGIC,
                                 .version = 1 + (lies & 1),
                                 .block_bytes = SNAPSHOT_BLOCK_BYTES,
                                 .directory = folder.directory,
                                 .number = NUMBER};
    struct snapshot_tail tail = {.magic = SNAPSHOT_TAIL_MAGIC};
    size_t at = sizeof(head), from = bytes > 0 ? 1 : 0;
    char *file = malloc(bytes + sizeof(head) + sizeof(tail) +
                        SNAPSHOT_PARTS * sizeof(struct snapshot_block));

    for (uint32_t part = 0; part < SNAPSHOT_PARTS; part++) {
        size_t end = part + 1 < SNAPSHOT_PARTS ? part_end(data, from, bytes) : bytes;
        struct snapshot_block block = {
            .part = part, .bytes = (uint32_t)(end - from), .packed = (uint32_t)(end - from)};
        if (lies >> 5 == part + 1) /* packed, it says */
            block.bytes += 1 + (lies >> 1 & 15) * 1000u;
        head.part_bytes[part] = block.bytes + (lies >> 5 == part + 5 ? lies : 0u);
        if (end > from) {
            block.crc = crc32c(0, &block, offsetof(struct snapshot_block, crc));
            block.crc = crc32c(block.crc, data + from, end - from);
            memcpy(file + at, &block, sizeof(block));
            memcpy(file + at + sizeof(block), data + from, end - from);
            at += sizeof(block) + (end - from);
            tail.chain = crc32c(tail.chain, &block.crc, sizeof(block.crc));
            tail.blocks++;
        }
        from = end + 2 < bytes ? end + 2 : bytes;
    }
    tail.crc = crc32c(0, &tail, offsetof(struct snapshot_tail, crc));
    memcpy(file + at, &tail, sizeof(tail));
    head.crc = crc32c(0, &head, offsetof(struct snapshot_head, crc));
    memcpy(file, &head, sizeof(head));
    read_file(file, at + sizeof(tail));
    free(file);
}

static void read_line(const uint8_t *data, size_t bytes)
{
    struct shared_image image = {.chunks = 0};

    if (shared_image_read_line((struct text){(const char *)data, (uint32_t)bytes}, &image) &&
        (strlen(image.name) >= sizeof(image.name) || image.blob_count > SHARED_IMAGE_BLOBS_MAX))
        abort();
    shared_image_release(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    if (data[0] % 5 == 0) {
        load_image(data + 1, bytes - 1);
        return 0;
    }
    memory_host_begin();
    if (data[0] % 5 == 1)
        load_known(data + 1, bytes - 1);
    else if (data[0] % 5 == 2)
        read_file((const char *)data + 1, bytes - 1);
    else if (data[0] % 5 == 3)
        make_file(data + 1, bytes - 1);
    else
        read_line(data + 1, bytes - 1);
    host_set(NULL);
    return 0;
}
