/*
 * json_index.c - one kernel per instruction set, one way to use what it finds.
 *
 * A kernel turns 64 bytes into four masks, one bit per byte; index_block() does
 * the rest and is the same for all. The kernels are compiled for their
 * instruction set by attribute, so that one binary runs on any x86-64. The last,
 * short block is read from a padded copy (or by a masked load), never past the end.
 */
#include "ingest/json_index.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

struct block_masks {
    uint64_t quote;
    uint64_t backslash;
    uint64_t control; /* below 0x20 */
    uint64_t high;    /* 0x80 and above */
};

/* What one block leaves for the next. */
struct index_run {
    uint32_t *out;
    uint32_t *first;
    uint64_t high;
    uint64_t escapes_next; /* 1: the block's first byte is escaped */
    uint32_t flag_next;    /* JSON_INDEX_ESCAPED: a backslash since the last quote */
    uint32_t control_at;
};

/* Positions of the set bits of `mask`; eight at a time, because the number of
 * quotes in a block is unpredictable and a wrong guess costs more than the stores. */
ALWAYS_INLINE uint32_t *write_positions(uint32_t *out, uint32_t base, uint64_t mask)
{
    uint32_t *end = out + __builtin_popcountll(mask);

    while (mask != 0) {
        for (int i = 0; i < 8; i++) {
            /* Behind the last bit this writes rubbish into the slack. */
            out[i] = base + (uint32_t)__builtin_ctzll(mask | 1ULL << 63);
            mask &= mask - 1;
        }
        out += 8;
    }
    return end;
}

/* A block with backslashes, or the first behind one. */
static __attribute__((noinline)) void index_escaped(struct index_run *run, uint32_t base,
                                                    struct block_masks *masks)
{
    uint64_t backslash = masks->backslash & ~run->escapes_next;
    uint64_t escaped = run->escapes_next;
    uint64_t carry = 0;

    while (backslash != 0) {
        uint64_t bit = backslash & -backslash;
        escaped |= bit << 1;
        carry |= bit >> 63;
        backslash &= ~(bit | bit << 1);
    }
    run->escapes_next = carry;
    masks->quote &= ~escaped;
    uint64_t left = masks->quote, from = ~0ULL;
    while (left != 0) {
        uint64_t bit = left & -left;
        if ((masks->backslash & from & (bit - 1)) != 0)
            run->flag_next = JSON_INDEX_ESCAPED;
        *run->out++ = (base + (uint32_t)__builtin_ctzll(left)) | run->flag_next;
        run->flag_next = 0;
        from = ~(bit | (bit - 1));
        left &= left - 1;
    }
    if ((masks->backslash & from) != 0)
        run->flag_next = JSON_INDEX_ESCAPED;
}

/* Is one of the control characters inside a string? Blanks between tokens may be
 * control characters; a record on one line has none, so this runs rarely. */
static __attribute__((noinline)) void find_control(struct index_run *run, uint32_t base,
                                                   uint64_t quote, uint64_t control,
                                                   uint32_t quotes_before)
{
    uint64_t inside = quote; /* becomes the running parity of quotes */

    for (int shift = 1; shift < 64; shift *= 2)
        inside ^= inside << shift;
    if (quotes_before % 2 == 1)
        inside = ~inside;
    control &= inside;
    if (control != 0 && run->control_at == UINT32_MAX)
        run->control_at = base + (uint32_t)__builtin_ctzll(control);
}

ALWAYS_INLINE void index_begin(struct index_run *run, uint32_t *out)
{
    *run = (struct index_run){.out = out, .first = out, .control_at = UINT32_MAX};
}

ALWAYS_INLINE void index_end(const struct index_run *run, struct json_index *index)
{
    index->count = (uint32_t)(run->out - run->first);
    index->control_at = run->control_at;
    index->has_high = run->high != 0;
}

ALWAYS_INLINE bool is_escaped(const struct index_run *run, const struct block_masks *masks)
{
    return (masks->backslash | run->escapes_next | run->flag_next) != 0;
}

ALWAYS_INLINE void index_block(struct index_run *run, uint32_t base, struct block_masks masks)
{
    uint32_t before = (uint32_t)(run->out - run->first);

    run->high |= masks.high;
    if (__builtin_expect(is_escaped(run, &masks), 0))
        index_escaped(run, base, &masks);
    else
        run->out = write_positions(run->out, base, masks.quote);
    if (__builtin_expect(masks.control != 0, 0))
        find_control(run, base, masks.quote, masks.control, before);
}

/* Bits of the bytes of `word` that are equal to `byte`, gathered by a multiply. */
ALWAYS_INLINE uint64_t scalar_bits(uint64_t high_bits)
{
    return ((high_bits >> 7) * 0x0102040810204080ULL) >> 56;
}

ALWAYS_INLINE uint64_t scalar_equal(uint64_t word, uint64_t repeated)
{
    uint64_t x = word ^ repeated;
    /* Exact zero-byte test: no carry crosses from one byte into the next. */
    return ~(((x & 0x7f7f7f7f7f7f7f7fULL) + 0x7f7f7f7f7f7f7f7fULL) | x) & 0x8080808080808080ULL;
}

ALWAYS_INLINE struct block_masks scalar_masks(const char *at)
{
    struct block_masks masks = {0, 0, 0, 0};

    for (int i = 0; i < 8; i++) {
        uint64_t word;
        memcpy(&word, at + 8 * i, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        uint64_t high = word & 0x8080808080808080ULL;
        uint64_t control = ~(((word & 0x7f7f7f7f7f7f7f7fULL) + 0x6060606060606060ULL) | word) &
                           0x8080808080808080ULL;
        masks.quote |= scalar_bits(scalar_equal(word, 0x2222222222222222ULL)) << 8 * i;
        masks.backslash |= scalar_bits(scalar_equal(word, 0x5c5c5c5c5c5c5c5cULL)) << 8 * i;
        masks.control |= scalar_bits(control) << 8 * i;
        masks.high |= scalar_bits(high) << 8 * i;
    }
    return masks;
}

/* The frame that all kernels without masked loads share. */
#define INDEX_BY(masks_of)                                                                         \
    struct index_run run;                                                                          \
    uint32_t base = 0;                                                                             \
    index_begin(&run, out);                                                                        \
    for (; base + 64 <= bytes; base += 64)                                                         \
        index_block(&run, base, masks_of(record + base));                                          \
    if (base < bytes) {                                                                            \
        char tail[64];                                                                             \
        memset(tail, ' ', sizeof(tail));                                                           \
        memcpy(tail, record + base, bytes - base);                                                 \
        index_block(&run, base, masks_of(tail));                                                   \
    }                                                                                              \
    index_end(&run, index)

static void index_scalar(const char *record, uint32_t bytes, uint32_t *out,
                         struct json_index *index)
{
    INDEX_BY(scalar_masks);
}

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)

ALWAYS_INLINE struct block_masks sse2_masks(const char *at)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i below = _mm_set1_epi8(0x1f);
    struct block_masks masks = {0, 0, 0, 0};

    for (int i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, below), v);
        masks.quote |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, quote)) << 16 * i;
        masks.backslash |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, backslash))
                           << 16 * i;
        masks.control |= (uint64_t)(uint32_t)_mm_movemask_epi8(low) << 16 * i;
        masks.high |= (uint64_t)(uint32_t)_mm_movemask_epi8(v) << 16 * i;
    }
    return masks;
}

static void index_sse2(const char *record, uint32_t bytes, uint32_t *out, struct json_index *index)
{
    INDEX_BY(sse2_masks);
}

#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))

ALWAYS_INLINE TARGET_AVX2 struct block_masks avx2_masks(const char *at)
{
    const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\');
    const __m256i below = _mm256_set1_epi8(0x1f);
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
#define AVX2_PAIR(x, y)                                                                            \
    ((uint64_t)(uint32_t)_mm256_movemask_epi8(x) | (uint64_t)(uint32_t)_mm256_movemask_epi8(y)     \
                                                       << 32)
    return (struct block_masks){
        .quote = AVX2_PAIR(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote)),
        .backslash = AVX2_PAIR(_mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(b, backslash)),
        .control = AVX2_PAIR(_mm256_cmpeq_epi8(_mm256_min_epu8(a, below), a),
                             _mm256_cmpeq_epi8(_mm256_min_epu8(b, below), b)),
        .high = AVX2_PAIR(a, b),
    };
#undef AVX2_PAIR
}

static TARGET_AVX2 void index_avx2(const char *record, uint32_t bytes, uint32_t *out,
                                   struct json_index *index)
{
    INDEX_BY(avx2_masks);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

#define TARGET_AVX512                                                                              \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt,lzcnt")))

/* Here the positions come out of one compress, sixteen at a time, and the tail
 * out of a masked load, which touches no byte that is masked off. */
ALWAYS_INLINE TARGET_AVX512 void avx512_block(struct index_run *run, uint32_t base, __m512i v)
{
    static const uint8_t iota[64] __attribute__((aligned(64))) = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    struct block_masks masks = {
        .quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
        .backslash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')),
        .control = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
        .high = _mm512_movepi8_mask(v),
    };
    uint32_t before = (uint32_t)(run->out - run->first);

    run->high |= masks.high;
    if (__builtin_expect(is_escaped(run, &masks), 0)) {
        index_escaped(run, base, &masks);
    } else {
        __m512i packed = _mm512_maskz_compress_epi8(masks.quote, _mm512_load_si512(iota));
        __m512i offset = _mm512_set1_epi32((int)base);
        uint32_t count = (uint32_t)__builtin_popcountll(masks.quote);
#define AVX512_WRITE(quarter)                                                                      \
    _mm512_storeu_si512(run->out + 16 * (quarter),                                                 \
                        _mm512_add_epi32(offset, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(   \
                                                     packed, (quarter)))))
        AVX512_WRITE(0);
        if (__builtin_expect(count > 16, 0)) {
            AVX512_WRITE(1);
            AVX512_WRITE(2);
            AVX512_WRITE(3);
        }
#undef AVX512_WRITE
        run->out += count;
    }
    if (__builtin_expect(masks.control != 0, 0))
        find_control(run, base, masks.quote, masks.control, before);
}

static TARGET_AVX512 void index_avx512(const char *record, uint32_t bytes, uint32_t *out,
                                       struct json_index *index)
{
    struct index_run run;
    uint32_t base = 0;

    index_begin(&run, out);
    for (; base + 64 <= bytes; base += 64)
        avx512_block(&run, base, _mm512_loadu_si512(record + base));
    if (base < bytes) {
        __mmask64 valid = ~0ULL >> (64 - (bytes - base));
        avx512_block(&run, base,
                     _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), valid, record + base));
    }
    index_end(&run, index);
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2");
}

#endif

static const struct json_index_kernel kernels[] = {
#if defined(__x86_64__)
    {"avx512", index_avx512, has_avx512},
    {"avx2", index_avx2, has_avx2},
    {"sse2", index_sse2, always},
#endif
    {"scalar", index_scalar, always},
};

const struct json_index_kernel *json_index_kernels(size_t *count)
{
    *count = sizeof(kernels) / sizeof(kernels[0]);
    return kernels;
}

json_index_fn json_index_best(void)
{
    const struct json_index_kernel *kernel = kernels;

    while (!kernel->is_supported())
        kernel++;
    return kernel->run;
}
