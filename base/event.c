/* event.c - packing of events and the names of their scales. See event.h. */
#include "base/event.h"

#include <assert.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include "base/bytes.h"
#include "base/hash.h"
#include "base/isa.h"

static const char *const severity_names[SEVERITY_COUNT] = {"ok",    "debug", "info",    "warning",
                                                           "minor", "major", "critical"};
static const char *const state_names[] = {"problem", "clear"};
static const char *const reject_names[REJECT_REASON_COUNT] = {
    "none", "parse", "size", "depth", "utf8", "schema", "tenant", "quota", "crash"};
static const char *const field_names[EVENT_FIELD_COUNT] = {"tenant", "source",    "resource",
                                                           "check",  "dedup_key", "message"};

const char *severity_name(enum severity severity)
{
    return (unsigned)severity < SEVERITY_COUNT ? severity_names[severity] : "unknown";
}

const char *event_state_name(enum event_state state)
{
    return (unsigned)state < 2 ? state_names[state] : "unknown";
}

const char *reject_reason_name(enum reject_reason reason)
{
    return (unsigned)reason < REJECT_REASON_COUNT ? reject_names[reason] : "unknown";
}

const char *event_field_name(enum event_field field)
{
    return (unsigned)field < EVENT_FIELD_COUNT ? field_names[field] : "unknown";
}

struct text event_text_find_label(const struct event_text *text, struct text name)
{
    for (uint32_t i = 0; i < text->label_count; i++) {
        struct event_label label = event_text_label(text, i);
        if (label.name.len == name.len && memcmp(label.name.at, name.at, name.len) == 0)
            return label.value;
    }
    return (struct text){NULL, 0};
}

/* Where a label's name stands in the order: its first eight bytes as one number,
 * the first byte highest, so that most comparisons need no look at the text. */
struct label_rank {
    uint64_t head;
    uint32_t index;
};

/* Names whose first eight bytes are equal: more words of eight, then the rest. */
static bool name_is_behind(struct text a, struct text b)
{
    uint32_t common = a.len < b.len ? a.len : b.len, at = 8;

    for (; at + 8 <= common; at += 8) {
        uint64_t x = bytes_load64(a.at + at), y = bytes_load64(b.at + at);
        if (x != y)
            return __builtin_bswap64(x) > __builtin_bswap64(y);
    }
    for (; at < common; at++)
        if (a.at[at] != b.at[at])
            return (unsigned char)a.at[at] > (unsigned char)b.at[at];
    return a.len > b.len;
}

static inline bool label_is_behind(const struct event_label *labels, const struct label_rank *a,
                                   const struct label_rank *b)
{
    if (a->head != b->head)
        return a->head > b->head;
    return name_is_behind(labels[a->index].name, labels[b->index].name);
}

/* Insertion sort; the place is found by halving, so that no order of names is slow. */
static void rank_many(const struct event_label *labels, uint32_t count, struct label_rank *rank)
{
    for (uint32_t i = 1; i < count; i++) {
        struct label_rank it = rank[i];
        uint32_t from = 0, to = i;
        while (from < to) {
            uint32_t middle = (from + to) / 2;
            if (label_is_behind(labels, &rank[middle], &it))
                to = middle;
            else
                from = middle + 1;
        }
        memmove(&rank[to + 1], &rank[to], (i - to) * sizeof(*rank));
        rank[to] = it;
    }
}

/* How many labels are counted into their places; more are sorted. */
enum { LABELS_COUNTED_MAX = 64 };

static inline uint64_t name_head(struct text name, uint32_t from)
{
    return from < name.len ? __builtin_bswap64(bytes_load_short(name.at + from, name.len - from))
                           : 0;
}

/* How a word is copied: from, len, and the end of what may be written; and how the
 * first eight bytes of a name are read. */
typedef char *(*put_fn)(char *to, struct text from, const char *limit);
typedef uint64_t (*head_fn)(struct text name);

/* Few labels, none of them with the same head: one comparison per pair, kept as numbers
 * and not as branches, eight counters of a byte side by side. False: sort by other means. */
enum { LABELS_PAIRED_MAX = 8 };

static inline __attribute__((always_inline)) bool order_pairs(const uint64_t *head, uint32_t count,
                                                              struct label_rank *rank)
{
    uint64_t places = 0;
    bool is_same = false;

    for (uint32_t i = 1; i < count; i++) {
        uint64_t below = 0;
        for (uint32_t j = 0; j < i; j++) {
            uint64_t above = head[j] > head[i];
            is_same |= head[j] == head[i];
            places += above << 8 * j;
            below += 1 - above;
        }
        places += below << 8 * i;
    }
    for (uint32_t i = 0; i < count; i++)
        rank[places >> 8 * i & 0xff].index = i;
    return !is_same;
}

/* Eight numbers side by side; any compiler target makes of it what it can. */
typedef uint64_t lanes __attribute__((vector_size(64)));

/* Orders rank[0 .. count), names that are equal up to byte `from`, by their next
 * eight bytes. For each one counts how many are below it: that is its place, found
 * without a branch that could be guessed wrong. Returns a bit for each place at
 * which something larger than at the place before stands; none for the first. */
static inline __attribute__((always_inline)) uint64_t
order_by_head(const struct event_label *labels, struct label_rank *rank, uint32_t count,
              uint32_t from)
{
    struct label_rank given[LABELS_COUNTED_MAX];
    lanes head[LABELS_COUNTED_MAX / 8], place[LABELS_COUNTED_MAX / 8];
    uint64_t *one = (uint64_t *)head, *to = (uint64_t *)place, steps = 0, taken = 0;
    bool is_sorted = true;

    for (uint32_t i = 0; i < count; i++) {
        one[i] = rank[i].head = name_head(labels[rank[i].index].name, from);
        given[i] = rank[i];
        if (i > 0) {
            is_sorted &= one[i - 1] <= one[i];
            steps |= (uint64_t)(one[i - 1] != one[i]) << i;
        }
    }
    /* Many systems write labels in order; and names may share their next bytes. */
    if (is_sorted)
        return steps;
    for (uint32_t block = 0; block < (count + 7) / 8; block++) {
        lanes below = {0};
        for (uint32_t j = 0; j < count; j++)
            below -= (lanes)(one[j] < head[block]);
        place[block] = below;
    }
    steps = 0;
    for (uint32_t i = 0; i < count; i++) {
        steps |= 1ULL << to[i];
        while ((taken >> to[i] & 1) != 0)
            to[i]++;
        taken |= 1ULL << to[i];
        rank[to[i]] = given[i];
    }
    return steps & ~1ULL;
}

/* Level by level, eight bytes each: what is equal so far is ordered by what follows. */
static inline __attribute__((always_inline)) void order_few(const struct event_label *labels,
                                                            struct label_rank *rank, uint32_t count)
{
    uint64_t all = count < 64 ? (1ULL << count) - 1 : ~0ULL;
    uint64_t starts = 1 | order_by_head(labels, rank, count, 0); /* of groups of equals */

    for (uint32_t from = 8; __builtin_expect(starts != all, 0); from += 8) {
        for (uint32_t i = 0, end; i < count; i = end) {
            uint64_t behind = i < 63 ? starts & ~0ULL << (i + 1) : 0;
            end = behind != 0 ? (uint32_t)__builtin_ctzll(behind) : count;
            if (end - i == 1)
                continue;
            /* A head that ends with a zero is a whole name: these are the same, in the
             * order in which they came. */
            starts |= (rank[i].head & 0xff) == 0
                          ? all & ~0ULL << i & ~0ULL >> (64 - end)
                          : order_by_head(labels, rank + i, end - i, from) << i;
        }
    }
}

static inline __attribute__((always_inline)) void rank_labels(const struct event_label *labels,
                                                              uint32_t count,
                                                              struct label_rank *rank,
                                                              head_fn head_of)
{
    uint64_t head[LABELS_PAIRED_MAX];

    if (count <= LABELS_PAIRED_MAX) {
        for (uint32_t i = 0; i < count; i++)
            head[i] = head_of(labels[i].name);
        if (order_pairs(head, count, rank))
            return;
    }
    for (uint32_t i = 0; i < count; i++)
        rank[i].index = i;
    if (count <= LABELS_COUNTED_MAX) {
        if (count > 1)
            order_few(labels, rank, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        rank[i].head = name_head(labels[i].name, 0);
    rank_many(labels, count, rank);
}

static inline char *put_plain(char *to, struct text from, const char *limit)
{
    (void)limit;
    return bytes_put(to, from.at, from.len);
}

static inline uint64_t head_plain(struct text name)
{
    return name_head(name, 0);
}

/* The body of event_text_pack(), made once per way to copy. */
static inline __attribute__((always_inline)) struct event_text *
pack(void *at, const struct event_draft *draft, int64_t ts_ms, put_fn put, head_fn head,
     const char *limit)
{
    struct event_text *text = at;
    struct label_rank rank[RECORD_FIELDS_MAX];
    uint16_t ranked[RECORD_FIELDS_MAX];
    const uint16_t *order = draft->label_order;
    uint32_t count = draft->label_count;
    char *data, *to;

    assert(count <= RECORD_FIELDS_MAX);
    text->ts_ms = ts_ms;
    text->label_count = (uint16_t)count;
    text->has_value = draft->has_value;
    text->of_incident = text->is_self_alert = false;
    text->value = draft->value;
    data = to = (char *)(text->label_end + 2 * (size_t)count);
    for (int f = 0; f < EVENT_FIELD_COUNT; f++) {
        to = put(to, draft->field[f], limit);
        text->field_end[f] = (uint32_t)(to - data);
    }
    if (order == NULL) {
        rank_labels(draft->labels, count, rank, head);
        for (uint32_t i = 0; i < count; i++)
            ranked[i] = (uint16_t)rank[i].index;
        order = ranked;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct event_label *label = &draft->labels[order[i]];
        to = put(to, label->name, limit);
        text->label_end[2 * i] = (uint32_t)(to - data);
        to = put(to, label->value, limit);
        text->label_end[2 * i + 1] = (uint32_t)(to - data);
    }
    text->bytes = (uint32_t)(((size_t)(to - (char *)text) + 7) & ~(size_t)7);
    return text;
}

#if defined(__x86_64__)
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi2")))

static const char nothing[32] __attribute__((aligned(32)));

/* 32 bytes at a time, the last ones by a masked load, which touches nothing behind
 * the word: no branch on the length of a short word, which is hard to guess. What a
 * store writes behind the word the next one overwrites, as long as there is room. */
static inline __attribute__((always_inline)) TARGET_AVX512 char *
put_wide(char *to, struct text from, const char *limit)
{
    /* A masked load of nothing from NULL is legal and takes a microcode assist,
     * which costs more than the rest of the word together. */
    const char *at = from.at != NULL ? from.at : nothing;
    uint32_t left = from.len;

    for (; left > 32; left -= 32, at += 32, to += 32)
        _mm256_storeu_si256((__m256i *)(void *)to,
                            _mm256_loadu_si256((const __m256i *)(const void *)at));
    __mmask32 mask = _bzhi_u32(~0u, left);
    __m256i block = _mm256_maskz_loadu_epi8(mask, at);
    if (__builtin_expect(limit - to >= 32, 1))
        _mm256_storeu_si256((__m256i *)(void *)to, block);
    else
        _mm256_mask_storeu_epi8(to, mask, block);
    return to + left;
}

static inline __attribute__((always_inline)) TARGET_AVX512 uint64_t head_wide(struct text name)
{
    /* Of the length bzhi looks at the low eight bits alone. */
    uint32_t bytes = name.len < 8 ? name.len : 8;
    __m128i head = _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xff, bytes), name.at);

    return __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(head));
}

static TARGET_AVX512 struct event_text *pack_wide(void *at, size_t bytes,
                                                  const struct event_draft *draft, int64_t ts_ms)
{
    return pack(at, draft, ts_ms, put_wide, head_wide, (const char *)at + bytes);
}
#endif

struct event_text *event_text_pack(void *at, size_t bytes, const struct event_draft *draft,
                                   int64_t ts_ms)
{
#if defined(__x86_64__)
    if (isa_chosen() >= ISA_AVX512BW)
        return pack_wide(at, bytes, draft, ts_ms);
#endif
    return pack(at, draft, ts_ms, put_plain, head_plain, (const char *)at + bytes);
}

struct id128 event_fingerprint(const struct event_text *text, uint64_t seed)
{
    const char *data = event_text_data(text);
    const uint32_t *end = text->field_end;

    if (end[FIELD_DEDUP_KEY] > end[FIELD_CHECK]) {
        /* (tenant, dedup key): two stretches, the hash of the first seeds the second. */
        uint64_t tenant = hash64(data, end[FIELD_TENANT], seed ^ 0x9e3779b97f4a7c15ULL);
        return hash128(data + end[FIELD_CHECK], end[FIELD_DEDUP_KEY] - end[FIELD_CHECK], tenant);
    }
    uint64_t borders = (uint64_t)end[FIELD_TENANT] | (uint64_t)end[FIELD_SOURCE] << 20 |
                       (uint64_t)end[FIELD_RESOURCE] << 40;
    return hash128(data, end[FIELD_CHECK], seed ^ hash_mix(borders + 1));
}

/* The borders of the labels as one number: a polynomial over all ends, relative to `from`. Four at
 * a time, so that one multiplication in four waits for the one before. */
static uint64_t label_borders(const struct event_text *text, uint32_t from)
{
    const uint64_t k = 0x9e3779b97f4a7c15ULL;
    const uint32_t *end = text->label_end, *stop = end + 2 * (size_t)text->label_count;
    uint64_t borders = 0;

    for (; (stop - end) % 4 != 0; end++)
        borders = borders * k + (end[0] - from);
    for (; end < stop; end += 4)
        borders = borders * (k * k * k * k) + (end[0] - from) * (k * k * k) +
                  (end[1] - from) * (k * k) + (end[2] - from) * k + (end[3] - from);
    return borders;
}

uint64_t event_attr_hash(const struct event_text *text, uint8_t severity, uint8_t state,
                         uint64_t seed)
{
    const char *data = event_text_data(text);
    uint64_t hash = seed ^ hash_mix((uint64_t)severity << 8 | state | 0x10000u);

    if (text->field_end[FIELD_DEDUP_KEY] > text->field_end[FIELD_CHECK]) {
        /* With a dedup key the identity fields are attributes too. */
        hash = hash64(text->field_end, 4 * sizeof(uint32_t), hash);
        hash = hash64(data, text->field_end[FIELD_DEDUP_KEY], hash);
    }
    if (text->label_count > 0) {
        uint32_t from = text->field_end[FIELD_MESSAGE];
        uint32_t to = text->label_end[2 * text->label_count - 1];
        /* Borders count relative to the labels' start: a longer message is no change. */
        uint64_t borders = label_borders(text, from);
        hash = hash64(data + from, to - from, hash ^ hash_mix(borders + text->label_count));
    }
    return hash;
}

struct text event_text_host(const struct event_text *text)
{
    struct text host = event_text_find_label(text, (struct text){"host", 4});

    if (host.at == NULL) {
        host = event_text_field(text, FIELD_RESOURCE);
        const char *slash = host.len > 0 ? memchr(host.at, '/', host.len) : NULL;
        if (slash != NULL)
            host.len = (uint32_t)(slash - host.at);
    }
    return host;
}
