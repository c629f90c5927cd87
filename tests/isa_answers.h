/*
 * isa_answers.h - what the hot path answers, as one number an item, by whichever instruction set is
 * chosen (base/isa.h). Items follow from a seed alone, so they are the same on any machine: sets
 * of one processor are compared item by item (test_isa.c), processors by a sum of all items
 * (isa_digest.c).
 *
 * Four chapters: the index of a record's quotes; whole records, well formed and spoiled, decoded,
 * packed and hashed; drafts packed that no record would give; checksums. What is read and what is
 * written lies up against pages that must not be touched, before it or behind it.
 */
#ifndef TESTS_ISA_ANSWERS_H
#define TESTS_ISA_ANSWERS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/event.h"
#include "base/hash.h"
#include "base/isa.h"
#include "ingest/decoder.h"
#include "ingest/json_index.h"
#include "store/crc32c.h"

enum {
    ISA_ITEMS = 4000, /* of each chapter */
    ISA_WALLED_BYTES = 128 << 10,
    ISA_RECORD_BYTES = 24 << 10, /* of the largest that is made */
    ISA_INDEX_BYTES = 5 * 64 + 1,
    ISA_LABELS = 80,
    ISA_WORD_BYTES = 320,
};

/* ---- what all chapters share ---- */

struct isa_random {
    uint64_t state;
};

static inline uint64_t isa_next(struct isa_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static inline uint32_t isa_below(struct isa_random *random, uint32_t limit)
{
    return (uint32_t)(isa_next(random) % limit);
}

/* Room between two pages that end the program when they are touched. The program's to the end. */
static inline char *isa_walled(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = ISA_WALLED_BYTES + 2 * page;
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED || mprotect(map, page, PROT_NONE) != 0 ||
        mprotect(map + page + ISA_WALLED_BYTES, page, PROT_NONE) != 0) {
        perror("isa_answers: no memory between two pages");
        exit(1);
    }
    return map + page;
}

/* The bytes, up against the page before them or the one behind, at 0 to 63 bytes from it; what lies
 * around them in the room must not count. */
static inline char *isa_placed(char *walled, const char *bytes, size_t count,
                               struct isa_random *random)
{
    uint32_t kind = isa_below(random, 4), shift = kind < 2 ? 0 : isa_below(random, 64);
    char *at = kind % 2 == 0 ? walled + ISA_WALLED_BYTES - count - shift : walled + shift;

    memset(at - (at - walled < 64 ? at - walled : 64), "\"\\{\xc3"[kind], 64);
    if (walled + ISA_WALLED_BYTES - (at + count) >= 64)
        memset(at + count, "\\\"}\x01"[kind], 64);
    if (count > 0)
        memcpy(at, bytes, count);
    return at;
}

/* ---- the index ---- */

/* Dense ones have what matters in every few bytes, others a thing or two, or none; and a run of
 * backslashes where one block ends. */
static inline uint32_t isa_index_record(struct isa_random *random, char *to)
{
    static const char some[] = "\"\"\"\\\\\n\x1f\xc3\x80\x7f !#[]{}:,az";
    uint32_t bytes = isa_below(random, ISA_INDEX_BYTES), kind = isa_below(random, 4);

    for (uint32_t i = 0; i < bytes; i++) {
        bool matters = kind == 0 || (kind < 3 && isa_below(random, kind == 1 ? 6 : 60) == 0);
        to[i] =
            matters ? some[isa_below(random, sizeof(some) - 1)] : "abc 0:,"[isa_below(random, 7)];
    }
    if (bytes >= 70 && isa_below(random, 3) == 0) {
        uint32_t before = isa_below(random, 5), run = 1 + isa_below(random, 6);
        memset(to + 64 - before, '\\', run);
    }
    return bytes;
}

static inline void isa_answer_index(uint64_t seed, uint64_t answer[ISA_ITEMS])
{
    struct isa_random random = {seed};
    char *walled = isa_walled(), *results = isa_walled(), record[ISA_INDEX_BYTES];
    json_index_fn run = json_index_of(isa_chosen());

    for (uint32_t i = 0; i < ISA_ITEMS; i++) {
        uint32_t bytes = isa_index_record(&random, record);
        const char *at = isa_placed(walled, record, bytes, &random);
        /* Exactly as much room as is promised. */
        size_t room = (bytes + JSON_INDEX_SLACK) * sizeof(uint32_t);
        uint32_t *out = (uint32_t *)(void *)(results + ISA_WALLED_BYTES - room);
        struct json_index index;
        run(at, bytes, out, &index);
        answer[i] = hash64(out, index.count * sizeof(*out), index.count) ^
                    hash_mix((uint64_t)index.control_at << 1 | index.has_high);
    }
}

/* ---- packing ---- */

static inline uint64_t isa_hash_of(struct text text, uint64_t seed)
{
    return hash64(text.len > 0 ? text.at : "", text.len, seed);
}

/* Packs into exactly as many bytes as it takes, which end at a page. */
static inline uint64_t isa_pack(char *walled, const struct event_draft *draft)
{
    size_t bytes = event_text_bytes(draft);

    if (bytes > ISA_WALLED_BYTES) {
        fprintf(stderr, "isa_answers: an event of %zu bytes\n", bytes);
        exit(1);
    }
    const struct event_text *text =
        event_text_pack(walled + ISA_WALLED_BYTES - bytes, bytes, draft, draft->time_ms);
    uint64_t hash = hash_mix((uint64_t)text->ts_ms) ^ text->bytes ^ text->label_count;
    if (text->has_value)
        hash = hash64(&text->value, sizeof(text->value), hash);
    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        hash = isa_hash_of(event_text_field(text, (enum event_field)f), hash);
    for (uint32_t i = 0; i < text->label_count; i++) {
        struct event_label label = event_text_label(text, i);
        hash = isa_hash_of(label.value, isa_hash_of(label.name, hash));
    }
    struct id128 id = event_fingerprint(text, 7);
    return hash ^ id.hi ^ hash_mix(id.lo) ^ event_attr_hash(text, draft->severity, draft->state, 7);
}

/* A word of a length that any step of a copy may begin or end at; none at all lies nowhere. */
static inline struct text isa_word(struct isa_random *random, char *to)
{
    static const char *const stems[] = {
        "", "a", "label_ap", "label_app_kubernetes_io_", "job", "\xc3\xa9t\xc3\xa9"};
    const char *stem = stems[isa_below(random, 6)];
    uint32_t len = (uint32_t)strlen(stem), kind = isa_below(random, 8);
    uint32_t more = kind == 0 ? 0 : isa_below(random, kind == 1 ? 250 : kind < 5 ? 12 : 40);

    memcpy(to, stem, len);
    for (uint32_t i = 0; i < more; i++)
        to[len++] = (char)('a' + isa_below(random, isa_below(random, 2) == 0 ? 2 : 26));
    return (struct text){len > 0 || isa_below(random, 2) == 0 ? to : NULL, len};
}

/* One of the words lies up against a page, the others anywhere. */
static inline void isa_answer_packing(uint64_t seed, uint64_t answer[ISA_ITEMS])
{
    static char words[(EVENT_FIELD_COUNT + 2 * ISA_LABELS) * ISA_WORD_BYTES];
    struct isa_random random = {seed};
    char *walled = isa_walled(), *packed = isa_walled();

    for (uint32_t i = 0; i < ISA_ITEMS; i++) {
        struct event_label labels[ISA_LABELS];
        struct text *word[EVENT_FIELD_COUNT + 2 * ISA_LABELS];
        uint16_t order[ISA_LABELS];
        uint32_t count = 0;
        struct event_draft draft = {
            .labels = labels,
            .label_count = isa_below(&random, isa_below(&random, 4) == 0 ? ISA_LABELS + 1 : 12),
            .severity = (uint8_t)isa_below(&random, SEVERITY_COUNT),
            .state = (uint8_t)isa_below(&random, 2),
            .has_value = isa_below(&random, 2) == 0,
            .time_ms = (int64_t)(isa_next(&random) >> 20),
        };
        if (draft.has_value)
            draft.value = (double)isa_below(&random, 1000000) / 8;
        for (int f = 0; f < EVENT_FIELD_COUNT; f++)
            word[count++] = &draft.field[f];
        for (uint32_t k = 0; k < draft.label_count; k++) {
            word[count++] = &labels[k].name;
            word[count++] = &labels[k].value;
            order[k] = (uint16_t)(draft.label_count - 1 - k);
        }
        for (uint32_t k = 0; k < count; k++)
            *word[k] = isa_word(&random, words + (size_t)k * ISA_WORD_BYTES);
        if (isa_below(&random, 4) == 0)
            draft.label_order = order;
        struct text *at_page = word[isa_below(&random, count)];
        if (at_page->at != NULL)
            at_page->at = isa_placed(walled, at_page->at, at_page->len, &random);
        answer[i] = isa_pack(packed, &draft);
    }
}

/* ---- records ---- */

struct isa_text {
    char at[ISA_RECORD_BYTES];
    uint32_t bytes;
};

static inline void isa_add(struct isa_text *text, const char *what)
{
    size_t bytes = strlen(what);

    if (text->bytes + bytes > ISA_RECORD_BYTES) {
        fprintf(stderr, "isa_answers: a record is too large\n");
        exit(1);
    }
    memcpy(text->at + text->bytes, what, bytes);
    text->bytes += (uint32_t)bytes;
}

/* A string as it stands in a record, with what must be unescaped or looked at now and then. */
static inline void isa_add_string(struct isa_random *random, struct isa_text *text)
{
    static const char *const rare[] = {
        "\\\"",           "\\\\", "\\n", "\\u00e9", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "\\ud83d\\ude00", "{",    ":,"};
    uint32_t parts = isa_below(random, isa_below(random, 16) == 0 ? 60 : 6);
    bool is_plain = isa_below(random, 4) != 0;
    char word[ISA_WORD_BYTES];

    isa_add(text, "\"");
    for (uint32_t i = 0; i < parts; i++) {
        struct text plain = isa_word(random, word);
        word[plain.len < 24 ? plain.len : 24] = '\0';
        /* Not within a character. */
        isa_add(text, (unsigned char)word[0] < 0x80 ? word : "x");
        if (!is_plain && isa_below(random, 3) == 0)
            isa_add(text, rare[isa_below(random, 10)]);
    }
    isa_add(text, "\"");
}

static inline void isa_add_field(struct isa_random *random, struct isa_text *text, uint32_t field)
{
    static const char *const severities[] = {"\"critical\"", "\"Warning\"", "\"info\"", "3",
                                             "\"hihg\""};
    static const char *const times[] = {"\"2026-11-21T22:01:02.345Z\"",
                                        "\"2026-02-30T00:00:00Z\"",
                                        "1769940000",
                                        "1769940000.265",
                                        "1769940000265",
                                        "\"2026-11-21T22:01:02+02:00\""};
    static const char *const values[] = {"0",   "-12.25", "1e3",  "123456.789",
                                         "0.1", "1e-310", "null", "01"};
    static const char *const texts[] = {"source",    "resource", "check",
                                        "dedup_key", "message",  "tenant"};
    char name[64];

    if (field < 6) {
        snprintf(name, sizeof(name), "\"%s\":", texts[field]);
        isa_add(text, name);
        isa_add_string(random, text);
        return;
    }
    switch (field) {
    case 6:
        isa_add(text, "\"severity\":");
        isa_add(text, severities[isa_below(random, isa_below(random, 8) == 0 ? 5 : 3)]);
        return;
    case 7:
        isa_add(text, "\"state\":");
        isa_add(text, isa_below(random, 2) == 0 ? "\"problem\"" : "\"resolved\"");
        return;
    case 8:
        isa_add(text, "\"time\":");
        isa_add(text, times[isa_below(random, 6)]);
        return;
    case 9:
        isa_add(text, "\"value\" : ");
        isa_add(text, values[isa_below(random, isa_below(random, 8) == 0 ? 8 : 7)]);
        return;
    default:
        isa_add(text, "\"other\": [1, {\"deep\":");
        isa_add_string(random, text);
        isa_add(text, "}, null, true ]");
    }
}

static inline void isa_add_event(struct isa_random *random, struct isa_text *text)
{
    enum { FIELDS = 11 };
    uint32_t order[FIELDS], labels = isa_below(random, isa_below(random, 5) == 0 ? 60 : 10);
    char name[64];

    for (uint32_t f = 0; f < FIELDS; f++) {
        uint32_t other = isa_below(random, f + 1);
        order[f] = order[other];
        order[other] = f;
    }
    isa_add(text, "{");
    for (uint32_t f = 0; f < FIELDS; f++) {
        /* What identifies an event is nearly always there. */
        if (isa_below(random, order[f] == 1 || order[f] == 2 ? 40 : 3) == 0)
            continue;
        isa_add_field(random, text, order[f]);
        isa_add(text, isa_below(random, 8) == 0 ? " ,\n" : ",");
    }
    isa_add(text, "\"labels\":{");
    for (uint32_t i = 0; i < labels; i++) {
        snprintf(name, sizeof(name), "%s\"%s%x\":", i > 0 ? "," : "",
                 (i + labels) % 3 == 0 ? "label_app_kubernetes_io_" : "l", i * 7919 % 1009);
        isa_add(text, name);
        isa_add_string(random, text);
    }
    isa_add(text, "}}");
}

/* What JSON is made of, put where it need not belong; bytes taken out, doubled, cut off. */
static inline void isa_spoil(struct isa_random *random, struct isa_text *text)
{
    static const char some[] = "\"\\{}[],:\n\t\x01\x1f\x7f\x80\xc3\xff 0eE+-.tnu";
    uint32_t times = 1 + isa_below(random, 3);

    while (times-- > 0 && text->bytes > 1) {
        uint32_t at = isa_below(random, text->bytes), kind = isa_below(random, 8);
        if (kind == 0)
            text->bytes = at;
        else if (kind == 1)
            memmove(text->at + at, text->at + at + 1, --text->bytes - at);
        else if (kind == 2)
            memcpy(text->at, text->at + at, text->bytes - at > at ? at : text->bytes - at);
        else
            text->at[at] = some[isa_below(random, sizeof(some) - 1)];
    }
}

static inline void isa_make_record(struct isa_random *random, struct isa_text *text)
{
    uint32_t events = isa_below(random, 8) == 0 ? 2 + isa_below(random, 2) : 1;

    text->bytes = 0;
    if (events > 1)
        isa_add(text, "[");
    for (uint32_t i = 0; i < events; i++) {
        if (i > 0)
            isa_add(text, ", ");
        if (text->bytes < ISA_RECORD_BYTES / 2)
            isa_add_event(random, text);
        else
            isa_add(text, "{}");
    }
    if (events > 1)
        isa_add(text, "]");
    if (isa_below(random, 3) == 0)
        isa_spoil(random, text);
}

static inline void isa_answer_records(uint64_t seed, uint64_t answer[ISA_ITEMS])
{
    static struct isa_text text;
    struct isa_random random = {seed};
    char *walled = isa_walled(), *packed = isa_walled();
    struct decoder *decoder = decoder_create();

    if (decoder == NULL) {
        fprintf(stderr, "isa_answers: no memory for a decoder\n");
        exit(1);
    }
    for (uint32_t i = 0; i < ISA_ITEMS; i++) {
        isa_make_record(&random, &text);
        const char *at = isa_placed(walled, text.at, text.bytes, &random);
        const struct decode_result *got =
            decoder_decode(decoder, FORMAT_AUTO, at, text.bytes, (struct text){"t0", 2});
        uint64_t hash = (uint64_t)got->reason << 32 | got->draft_count;
        if (got->reason != REJECT_NONE)
            hash = hash64(got->why, strlen(got->why), hash ^ hash_mix(got->at));
        for (uint32_t k = 0; k < got->draft_count; k++) {
            const struct event_draft *draft = &got->drafts[k];
            hash = hash_mix(hash + isa_pack(packed, draft)) + draft->has_time;
        }
        answer[i] = hash;
    }
    decoder_destroy(decoder);
}

/* ---- checksums ---- */

static inline void isa_answer_checksums(uint64_t seed, uint64_t answer[ISA_ITEMS])
{
    struct isa_random random = {seed};
    char *walled = isa_walled(), bytes[1024];

    for (uint32_t i = 0; i < ISA_ITEMS; i++) {
        uint32_t count = isa_below(&random, isa_below(&random, 4) == 0 ? sizeof(bytes) : 40);
        for (uint32_t k = 0; k < count; k++)
            bytes[k] = (char)isa_next(&random);
        const char *at = isa_placed(walled, bytes, count, &random);
        answer[i] = crc32c(i % 2 == 0 ? 0 : (uint32_t)isa_next(&random), at, count);
    }
}

static const struct isa_chapter {
    const char *name;
    void (*answer)(uint64_t seed, uint64_t answer[ISA_ITEMS]);
} isa_chapters[] = {
    {"index", isa_answer_index},
    {"packing", isa_answer_packing},
    {"records", isa_answer_records},
    {"checksums", isa_answer_checksums},
};

enum { ISA_CHAPTERS = sizeof(isa_chapters) / sizeof(isa_chapters[0]) };

#endif
