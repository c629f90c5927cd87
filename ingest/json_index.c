/*
 * json_index.c - one kernel per instruction set, one way to use what it finds.
 *
 * A kernel finds the quotes of 64 bytes, as a mask with one bit per byte, and whether
 * there is anything among them that needs a closer look: index_rare() has that, the
 * same for all. The kernels are compiled for their instruction set by attribute, so
 * that one binary runs on any x86-64. None reads past the record's end.
 */
#include "ingest/json_index.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#include "base/bytes.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

struct block_masks {
    uint64_t quote;
    uint64_t backslash;
    uint64_t control; /* below 0x20 */
};

/* What one block leaves for the next, in memory: only blocks that index_rare() sees change it. */
struct index_run {
    uint32_t *first;
    uint64_t escapes_next; /* 1: the block's first byte is escaped */
    uint32_t *mark;        /* NULL, or the entry that gets JSON_INDEX_ESCAPED when it is written */
    uint32_t control_at;
};

/* The lowest set bit of `mask`; of no bit anything, which processors with and without tzcnt tell
 * differently: the builtins leave that undefined, and asking first costs an instruction more. */
ALWAYS_INLINE uint64_t lowest_bit(uint64_t mask)
{
#if defined(__x86_64__)
    uint64_t at;
    __asm__("rep bsf %1, %0" : "=r"(at) : "r"(mask) : "cc");
    return at;
#else
    uint64_t at = (uint64_t)__builtin_ctzll(mask | 1ULL << 63);
    /* Eight stores; put together in one vector first they take twice as long. */
    __asm__("" : "+r"(at));
    return at;
#endif
}

/* Positions of the `count` set bits of `mask`; eight at a time, because the number of
 * quotes in a block is unpredictable and a wrong guess costs more than the stores. */
ALWAYS_INLINE uint32_t *write_positions(uint32_t *out, uint32_t base, uint64_t mask, uint32_t count)
{
    uint32_t *end = out + count;

    for (;;) {
        for (int i = 0; i < 8; i++) {
            /* Behind the last bit this writes rubbish into the slack. */
            out[i] = base + (uint32_t)lowest_bit(mask);
            mask &= mask - 1;
        }
        if (__builtin_expect(mask == 0, 1))
            return end;
        out += 8;
    }
}

/* Set bits, for processors that cannot count them: the builtin would be a call there. */
ALWAYS_INLINE uint32_t count_bits(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (uint32_t)(x * 0x0101010101010101ULL >> 56);
}

/* Bytes behind a backslash that is not behind another one itself. A run of backslashes that starts
 * at an odd byte is told from one at an even byte by where adding its first bit carries to.
 * Source: Langdale, Lemire, "Parsing gigabytes of JSON per second", VLDB Journal 28, 3.1.1. */
ALWAYS_INLINE uint64_t escaped_bytes(uint64_t backslash, uint64_t *escapes_next)
{
    const uint64_t even = 0x5555555555555555ULL;

    backslash &= ~*escapes_next;
    uint64_t behind = backslash << 1 | *escapes_next;
    uint64_t odd_starts = backslash & ~even & ~behind, runs;
    *escapes_next = __builtin_add_overflow(odd_starts, backslash, &runs);
    return (even ^ runs << 1) & behind;
}

/* Marks the entry that was to be marked once it is there. */
ALWAYS_INLINE void index_mark(struct index_run *run, const uint32_t *out)
{
    if (run->mark != NULL && run->mark < out) {
        *run->mark |= JSON_INDEX_ESCAPED;
        run->mark = NULL;
    }
}

/* A block with backslashes, or the first behind one. */
ALWAYS_INLINE uint32_t *index_escaped(struct index_run *run, uint32_t *out, uint32_t base,
                                      uint64_t *quote, uint64_t backslash)
{
    uint32_t *first = out;

    *quote &= ~escaped_bytes(backslash, &run->escapes_next);
    out = write_positions(out, base, *quote, count_bits(*quote));
    index_mark(run, out);
    for (uint64_t left = backslash; left != 0; left &= left - 1) {
        /* The next quote may be in a later block: no other is marked before it. */
        run->mark = first + count_bits(*quote & ((left & -left) - 1));
        index_mark(run, out);
    }
    return out;
}

/* Is one of the control characters inside a string? Blanks between tokens may be
 * control characters; a record on one line has none, so this runs rarely. */
static void find_control(struct index_run *run, uint32_t base, uint64_t quote, uint64_t control,
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

/* A block with backslashes or control characters, or the first behind a backslash. The masks come
 * one by one, so in registers: as a structure they would be read before they are written. */
static __attribute__((noinline)) uint32_t *index_rare(struct index_run *run, uint32_t *out,
                                                      uint32_t base, uint64_t quote,
                                                      uint64_t backslash, uint64_t control)
{
    uint32_t before = (uint32_t)(out - run->first);

    if ((backslash | run->escapes_next) != 0)
        out = index_escaped(run, out, base, &quote, backslash);
    else
        out = write_positions(out, base, quote, count_bits(quote));
    if (control != 0)
        find_control(run, base, quote, control, before);
    return out;
}

ALWAYS_INLINE void index_begin(struct index_run *run, uint32_t *out)
{
    *run = (struct index_run){.first = out, .control_at = UINT32_MAX};
}

ALWAYS_INLINE void index_end(struct index_run *run, const uint32_t *out, bool has_high,
                             struct json_index *index)
{
    index_mark(run, out);
    index->count = (uint32_t)(out - run->first);
    index->control_at = run->control_at;
    index->has_high = has_high;
}

/* The frame that all kernels without masked loads share. A kernel has
 *   KERNEL_bytes          what it gathers bytes in, to see at the end whether one is high
 *   KERNEL_look()         the quotes of 64 bytes, whether any is rare, and the gathering
 *   KERNEL_masks()        all masks of 64 bytes, where one is rare
 *   KERNEL_has_high(), KERNEL_count_bits()
 * A record's last, short block is read from where a whole one ends with it, or, of a
 * record that is shorter than that, from a padded copy. */
#define INDEX_BLOCK(kernel, at, base, taken)                                                       \
    do {                                                                                           \
        bool is_rare;                                                                              \
        uint64_t quote = kernel##_look((at), &bytes_seen, &is_rare) >> (taken);                    \
        if (__builtin_expect(is_rare || run.escapes_next != 0, 0)) {                               \
            struct block_masks masks = kernel##_masks(at);                                         \
            out = index_rare(&run, out, (base), masks.quote >> (taken),                            \
                             masks.backslash >> (taken), masks.control >> (taken));                \
        } else {                                                                                   \
            out = write_positions(out, (base), quote, kernel##_count_bits(quote));                 \
        }                                                                                          \
    } while (0)

#define INDEX_BY(kernel)                                                                           \
    struct index_run run;                                                                          \
    kernel##_bytes bytes_seen = {0};                                                               \
    uint32_t base = 0;                                                                             \
    index_begin(&run, out);                                                                        \
    for (; base + 64 <= bytes; base += 64)                                                         \
        INDEX_BLOCK(kernel, record + base, base, 0);                                               \
    if (base < bytes && bytes >= 64) {                                                             \
        INDEX_BLOCK(kernel, record + bytes - 64, base, 64 - (bytes - base));                       \
    } else if (base < bytes) {                                                                     \
        char tail[64];                                                                             \
        memset(tail, ' ', sizeof(tail));                                                           \
        memcpy(tail, record, bytes);                                                               \
        INDEX_BLOCK(kernel, tail, 0, 0);                                                           \
    }                                                                                              \
    index_end(&run, out, kernel##_has_high(bytes_seen), index)

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

ALWAYS_INLINE uint64_t scalar_control(uint64_t word)
{
    return ~(((word & 0x7f7f7f7f7f7f7f7fULL) + 0x6060606060606060ULL) | word) &
           0x8080808080808080ULL;
}

#define SCALAR_QUOTE 0x2222222222222222ULL
#define SCALAR_BACKSLASH 0x5c5c5c5c5c5c5c5cULL

typedef uint64_t scalar_bytes;

ALWAYS_INLINE uint64_t scalar_look(const char *at, scalar_bytes *seen, bool *is_rare)
{
    uint64_t quote = 0, rare = 0;

    for (int i = 0; i < 8; i++) {
        uint64_t word = bytes_load64(at + 8 * i);
        *seen |= word;
        rare |= scalar_equal(word, SCALAR_BACKSLASH) | scalar_control(word);
        quote |= scalar_bits(scalar_equal(word, SCALAR_QUOTE)) << 8 * i;
    }
    *is_rare = rare != 0;
    return quote;
}

ALWAYS_INLINE struct block_masks scalar_masks(const char *at)
{
    struct block_masks masks = {0, 0, 0};

    for (int i = 0; i < 8; i++) {
        uint64_t word = bytes_load64(at + 8 * i);
        masks.quote |= scalar_bits(scalar_equal(word, SCALAR_QUOTE)) << 8 * i;
        masks.backslash |= scalar_bits(scalar_equal(word, SCALAR_BACKSLASH)) << 8 * i;
        masks.control |= scalar_bits(scalar_control(word)) << 8 * i;
    }
    return masks;
}

ALWAYS_INLINE bool scalar_has_high(scalar_bytes seen)
{
    return (seen & 0x8080808080808080ULL) != 0;
}

#define scalar_count_bits count_bits

static void index_scalar(const char *record, uint32_t bytes, uint32_t *out,
                         struct json_index *index)
{
    INDEX_BY(scalar);
}

#if defined(__x86_64__)

typedef __m128i sse2_bytes;

ALWAYS_INLINE __m128i sse2_equal(const char *at, int i, char byte)
{
    return _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i)),
                          _mm_set1_epi8(byte));
}

ALWAYS_INLINE __m128i sse2_control(const char *at, int i)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));

    return _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
}

ALWAYS_INLINE uint64_t sse2_mask(__m128i equal, int i)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(equal) << 16 * i;
}

ALWAYS_INLINE __m128i sse2_or(__m128i a, __m128i b, __m128i c, __m128i d)
{
    return _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));
}

ALWAYS_INLINE uint64_t sse2_look(const char *at, sse2_bytes *seen, bool *is_rare)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i *from = (const __m128i *)(const void *)at;
    __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
    __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
    __m128i least = _mm_min_epu8(_mm_min_epu8(a, b), _mm_min_epu8(c, d));
    __m128i rare = sse2_or(_mm_cmpeq_epi8(a, backslash), _mm_cmpeq_epi8(b, backslash),
                           _mm_cmpeq_epi8(c, backslash), _mm_cmpeq_epi8(d, backslash));

    rare = _mm_or_si128(rare, _mm_cmpeq_epi8(_mm_min_epu8(least, _mm_set1_epi8(0x1f)), least));
    *seen = _mm_or_si128(*seen, sse2_or(a, b, c, d));
    *is_rare = _mm_movemask_epi8(rare) != 0;
    return sse2_mask(_mm_cmpeq_epi8(a, quote), 0) | sse2_mask(_mm_cmpeq_epi8(b, quote), 1) |
           sse2_mask(_mm_cmpeq_epi8(c, quote), 2) | sse2_mask(_mm_cmpeq_epi8(d, quote), 3);
}

ALWAYS_INLINE struct block_masks sse2_masks(const char *at)
{
    struct block_masks masks = {0, 0, 0};

    for (int i = 0; i < 4; i++) {
        masks.quote |= sse2_mask(sse2_equal(at, i, '"'), i);
        masks.backslash |= sse2_mask(sse2_equal(at, i, '\\'), i);
        masks.control |= sse2_mask(sse2_control(at, i), i);
    }
    return masks;
}

ALWAYS_INLINE bool sse2_has_high(sse2_bytes seen)
{
    return _mm_movemask_epi8(seen) != 0;
}

#define sse2_count_bits count_bits

static void index_sse2(const char *record, uint32_t bytes, uint32_t *out, struct json_index *index)
{
    INDEX_BY(sse2);
}

#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

typedef __m256i avx2_bytes;

ALWAYS_INLINE TARGET_AVX2 uint64_t avx2_mask(__m256i low, __m256i high)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

ALWAYS_INLINE TARGET_AVX2 __m256i avx2_control(__m256i v)
{
    return _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1f)), v);
}

ALWAYS_INLINE TARGET_AVX2 uint64_t avx2_look(const char *at, avx2_bytes *seen, bool *is_rare)
{
    const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\');
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
    __m256i rare = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(b, backslash)),
        _mm256_or_si256(avx2_control(a), avx2_control(b)));

    *seen = _mm256_or_si256(*seen, _mm256_or_si256(a, b));
    *is_rare = !_mm256_testz_si256(rare, rare);
    return avx2_mask(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
}

ALWAYS_INLINE TARGET_AVX2 struct block_masks avx2_masks(const char *at)
{
    const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\');
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));

    return (struct block_masks){
        .quote = avx2_mask(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote)),
        .backslash = avx2_mask(_mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(b, backslash)),
        .control = avx2_mask(avx2_control(a), avx2_control(b)),
    };
}

ALWAYS_INLINE TARGET_AVX2 bool avx2_has_high(avx2_bytes seen)
{
    return _mm256_movemask_epi8(seen) != 0;
}

#define avx2_count_bits(mask) ((uint32_t)__builtin_popcountll(mask))

static TARGET_AVX2 void index_avx2(const char *record, uint32_t bytes, uint32_t *out,
                                   struct json_index *index)
{
    INDEX_BY(avx2);
}

#define TARGET_AVX512                                                                              \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,popcnt")))

/* Here the positions come out of one compress, sixteen at a time, and the tail
 * out of a masked load, which touches no byte that is masked off. */
ALWAYS_INLINE TARGET_AVX512 uint32_t *avx512_block(struct index_run *run, uint32_t *out,
                                                   uint32_t base, __m512i v)
{
    static const uint8_t iota[64] __attribute__((aligned(64))) = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    struct block_masks masks = {
        .quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
        .backslash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')),
        .control = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
    };

    if (__builtin_expect((masks.backslash | masks.control | run->escapes_next) != 0, 0))
        return index_rare(run, out, base, masks.quote, masks.backslash, masks.control);
    __m512i packed = _mm512_maskz_compress_epi8(masks.quote, _mm512_load_si512(iota));
    __m512i offset = _mm512_set1_epi32((int)base);
    uint32_t count = (uint32_t)__builtin_popcountll(masks.quote);
#define AVX512_WRITE(quarter)                                                                      \
    _mm512_storeu_si512(out + 16 * (quarter),                                                      \
                        _mm512_add_epi32(offset, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(   \
                                                     packed, (quarter)))))
    AVX512_WRITE(0);
    if (__builtin_expect(count > 16, 0)) {
        AVX512_WRITE(1);
        AVX512_WRITE(2);
        AVX512_WRITE(3);
    }
#undef AVX512_WRITE
    return out + count;
}

static TARGET_AVX512 void index_avx512(const char *record, uint32_t bytes, uint32_t *out,
                                       struct json_index *index)
{
    struct index_run run;
    __m512i seen = _mm512_setzero_si512();
    uint32_t base = 0;

    index_begin(&run, out);
    for (; base + 64 <= bytes; base += 64) {
        __m512i v = _mm512_loadu_si512(record + base);
        seen = _mm512_or_si512(seen, v);
        out = avx512_block(&run, out, base, v);
    }
    if (base < bytes) {
        __mmask64 valid = ~0ULL >> (64 - (bytes - base));
        __m512i v = _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), valid, record + base);
        seen = _mm512_or_si512(seen, v);
        out = avx512_block(&run, out, base, v);
    }
    index_end(&run, out, _mm512_movepi8_mask(seen) != 0, index);
}

#elif defined(__aarch64__)

typedef uint8x16_t neon_bytes;

/* A bit for each of 64 bytes that are all ones or zeros: each keeps the bit of its place in eight,
 * and sums of neighbours put them together. */
ALWAYS_INLINE uint64_t neon_mask(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    const uint8x16_t place = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201ULL));
    uint8x16_t low = vpaddq_u8(vandq_u8(a, place), vandq_u8(b, place));
    uint8x16_t high = vpaddq_u8(vandq_u8(c, place), vandq_u8(d, place));
    uint8x16_t sum = vpaddq_u8(low, high);

    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

ALWAYS_INLINE uint8x16_t neon_load(const char *at, int i)
{
    return vld1q_u8((const uint8_t *)at + 16 * i);
}

ALWAYS_INLINE uint64_t neon_equal(const char *at, uint8_t byte)
{
    uint8x16_t want = vdupq_n_u8(byte);

    return neon_mask(vceqq_u8(neon_load(at, 0), want), vceqq_u8(neon_load(at, 1), want),
                     vceqq_u8(neon_load(at, 2), want), vceqq_u8(neon_load(at, 3), want));
}

ALWAYS_INLINE uint8x16_t neon_or(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    return vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d));
}

ALWAYS_INLINE uint64_t neon_look(const char *at, neon_bytes *seen, bool *is_rare)
{
    const uint8x16_t quote = vdupq_n_u8('"'), backslash = vdupq_n_u8('\\');
    uint8x16_t a = neon_load(at, 0), b = neon_load(at, 1);
    uint8x16_t c = neon_load(at, 2), d = neon_load(at, 3);
    uint8x16_t least = vminq_u8(vminq_u8(a, b), vminq_u8(c, d));
    uint8x16_t rare = neon_or(vceqq_u8(a, backslash), vceqq_u8(b, backslash),
                              vceqq_u8(c, backslash), vceqq_u8(d, backslash));

    rare = vorrq_u8(rare, vcltq_u8(least, vdupq_n_u8(0x20)));
    *seen = vorrq_u8(*seen, neon_or(a, b, c, d));
    *is_rare = vmaxvq_u8(rare) != 0;
    return neon_mask(vceqq_u8(a, quote), vceqq_u8(b, quote), vceqq_u8(c, quote),
                     vceqq_u8(d, quote));
}

ALWAYS_INLINE struct block_masks neon_masks(const char *at)
{
    const uint8x16_t blank = vdupq_n_u8(0x20);

    return (struct block_masks){
        .quote = neon_equal(at, '"'),
        .backslash = neon_equal(at, '\\'),
        .control = neon_mask(vcltq_u8(neon_load(at, 0), blank), vcltq_u8(neon_load(at, 1), blank),
                             vcltq_u8(neon_load(at, 2), blank), vcltq_u8(neon_load(at, 3), blank)),
    };
}

ALWAYS_INLINE bool neon_has_high(neon_bytes seen)
{
    return vmaxvq_u8(seen) >= 0x80;
}

#define neon_count_bits(mask) ((uint32_t)__builtin_popcountll(mask))

static void index_neon(const char *record, uint32_t bytes, uint32_t *out, struct json_index *index)
{
    INDEX_BY(neon);
}

#endif

static const struct {
    enum isa isa;
    json_index_fn run;
} kernels[] = {
#if defined(__x86_64__)
    {ISA_AVX512, index_avx512},
    {ISA_AVX2, index_avx2},
    {ISA_SSE2, index_sse2},
#elif defined(__aarch64__)
    {ISA_NEON, index_neon},
#endif
    {ISA_SCALAR, index_scalar},
};

json_index_fn json_index_of(enum isa isa)
{
    size_t i = 0;

    while (kernels[i].isa > isa)
        i++;
    return kernels[i].run;
}
