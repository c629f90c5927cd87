/* capture_written.c - see capture_written.h. */
#include "rules/capture_written.h"

#include <string.h>

enum {
    WIDE = 0x80,
    PROPERTY_WORK = 1000, /* all runs of a table are looked at */
    FEW_RANGES = 32,
};

/* Behind the parenthesis that ends the group which begins at `at`. */
static uint32_t group_end(const char *text, uint32_t at)
{
    uint32_t depth = 0;

    for (;; at++) {
        depth += text[at] == '(';
        if (text[at] == ')' && --depth == 0)
            return at + 1;
    }
}

uint32_t written_piece_end(const char *text, uint32_t at)
{
    if (text[at] == '(')
        return group_end(text, at);
    if (text[at] == '[')
        return at + (uint32_t)(strchr(text + at, ']') - (text + at)) + 1;
    if (text[at] != '\\')
        return at + 1;
    if (text[at + 1] == 'x')
        return at + (uint32_t)(strchr(text + at, '}') - (text + at)) + 1;
    return at + 2;
}

uint32_t written_side_end(const char *text, uint32_t at, uint32_t end)
{
    while (at < end && text[at] != '|')
        at = written_piece_end(text, at);
    return at;
}

/* ---- repetitions ---- */

static uint32_t take_number(const char *text, uint32_t *at)
{
    uint32_t number = 0;

    for (; text[*at] >= '0' && text[*at] <= '9'; ++*at)
        number = number * 10 + (uint32_t)(text[*at] - '0');
    return number;
}

uint32_t written_times_at(const char *text, uint32_t at, struct written_times *out)
{
    char sign = text[at];

    *out = (struct written_times){.min = sign != '*' && sign != '?',
                                  .max = sign == '*' || sign == '+' ? UINT32_MAX : 1};
    if (sign != '*' && sign != '+' && sign != '?' && sign != '{')
        return at;
    at++;
    if (sign == '{') {
        out->min = take_number(text, &at);
        at++; /* the comma: it is always written */
        out->max = text[at] != '}' ? take_number(text, &at) : UINT32_MAX;
        at++;
    }
    out->is_lazy = text[at] == '?';
    return at + out->is_lazy;
}

/* ---- classes ---- */

/* A letter, a digit or \x{...}; `at` moves behind it. */
static uint32_t take_character(const char *text, uint32_t *at)
{
    uint32_t character = 0;

    if (text[*at] != '\\')
        return (unsigned char)text[(*at)++];
    for (*at += 3; text[*at] != '}'; ++*at) {
        char c = text[*at];
        character = character * 16 + (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    ++*at;
    return character;
}

bool written_is_class(const char *text, uint32_t at)
{
    return text[at] == '(' ? strncmp(text + at, "(?i:", 4) == 0
                           : text[at] != '\\' || text[at + 1] == 'x';
}

/* Of ranges that are joined. */
static bool keep_ranges(const struct unicode_range *from, uint32_t count,
                        struct written_classes *classes, struct capture_class *out)
{
    static const struct unicode_range all_wide = {WIDE, UNICODE_CHARACTER_MAX};
    struct unicode_range *range;
    uint32_t i = 0;

    *out = (struct capture_class){.range_count = 0};
    for (; i < count && from[i].low < WIDE; i++)
        for (uint32_t c = from[i].low; c <= from[i].high && c < WIDE; c++)
            out->ascii[c / 64] |= (uint64_t)1 << c % 64;
    i -= i > 0 && from[i - 1].high >= WIDE; /* begins in ASCII and ends beyond it */
    classes->work += 1 + count - i;
    if (i == count)
        return true;
    out->range_count = count - i;
    out->range = &all_wide;
    if (from[i].low <= WIDE && from[i].high == UNICODE_CHARACTER_MAX)
        return true;
    range = arena_alloc_many(classes->arena, out->range_count, sizeof(*range));
    if (range == NULL)
        return false;
    memcpy(range, from + i, out->range_count * sizeof(*range));
    range[0].low = range[0].low < WIDE ? WIDE : range[0].low;
    out->range = range;
    return true;
}

/* "\p{Greek}" or "\P{Greek}": adds it, or all others. What folds, folds before. */
static uint32_t add_property(struct unicode_set *set, const char *text, uint32_t at, bool folds,
                             struct written_classes *classes)
{
    struct unicode_set inside;
    const char *name = text + at + 3;
    uint32_t bytes = (uint32_t)strcspn(name, "}");

    inside.count = 0;
    unicode_set_add_property(&inside, name, bytes);
    classes->work += PROPERTY_WORK + inside.count;
    if (folds) {
        unicode_set_fold(&inside);
        classes->work += inside.count;
    }
    if (text[at + 1] == 'P')
        unicode_set_negate(&inside);
    for (uint32_t i = 0; i < inside.count; i++)
        unicode_set_add(set, inside.range[i].low, inside.range[i].high);
    unicode_set_join(set);
    classes->work += 2 * set->count;
    return at + 3 + bytes + 1;
}

/* What stands between brackets. */
static void add_members(struct unicode_set *set, const char *text, uint32_t at, uint32_t end,
                        bool folds, struct written_classes *classes)
{
    while (at < end) {
        uint32_t low, high;
        if (text[at] == '\\' && (text[at + 1] == 'p' || text[at + 1] == 'P')) {
            at = add_property(set, text, at, folds, classes);
            continue;
        }
        low = high = take_character(text, &at);
        if (at < end && text[at] == '-') {
            at++;
            high = take_character(text, &at);
        }
        unicode_set_add(set, low, high);
    }
    unicode_set_join(set);
    if (folds) {
        unicode_set_fold(set);
        classes->work += set->count;
    }
}

/* Places are asked for in ascending order at first. */
static struct capture_class *find_known(struct written_classes *classes, uint32_t at)
{
    uint32_t from = 0, to = classes->count;

    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (classes->known[middle].at < at)
            from = middle + 1;
        else
            to = middle;
    }
    return from < classes->count && classes->known[from].at == at ? &classes->known[from].class
                                                                  : NULL;
}

static void make_known(struct written_classes *classes, uint32_t at,
                       const struct capture_class *class)
{
    if (classes->count == PATTERN_BYTES_MAX ||
        (classes->count > 0 && classes->known[classes->count - 1].at >= at))
        return;
    classes->known[classes->count].at = at;
    classes->known[classes->count++].class = *class;
}

/* All others, in place; there is room for one more. */
static uint32_t negate_few(struct unicode_range *range, uint32_t count)
{
    uint32_t from = 0, kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct unicode_range some = range[i]; /* what is written may lie on it */
        if (some.low > from)
            range[kept++] = (struct unicode_range){from, some.low - 1};
        from = some.high + 1;
    }
    if (from <= UNICODE_CHARACTER_MAX)
        range[kept++] = (struct unicode_range){from, UNICODE_CHARACTER_MAX};
    return kept;
}

/* One character, a dot, a class of few ranges: as most are. False: it is none of them. */
static bool read_few(const char *text, uint32_t at, uint32_t end,
                     struct unicode_range range[FEW_RANGES + 1], uint32_t *count)
{
    bool is_negated = text[at] == '.' || (text[at] == '[' && text[at + 1] == '^');

    *count = 0;
    if (text[at] == '(')
        return false;
    if (text[at] == '.') {
        at = end; /* all that is not in nothing */
    } else if (text[at] == '[') {
        at += 1 + is_negated;
        end--;
    }
    while (at < end) {
        if (*count == FEW_RANGES || (text[at] == '\\' && text[at + 1] != 'x'))
            return false;
        range[*count].low = range[*count].high = take_character(text, &at);
        if (at < end && text[at] == '-') {
            at++;
            range[*count].high = take_character(text, &at);
        }
        ++*count;
    }
    if (is_negated)
        *count = negate_few(range, *count);
    return true;
}

/* Any other. Apart: its set is large, and would lie on the stack of each character that is read. */
static __attribute__((noinline)) bool read_many(const char *text, uint32_t at, uint32_t end,
                                                struct written_classes *classes,
                                                struct capture_class *out)
{
    struct unicode_set set;
    bool folds = text[at] == '(', is_negated;
    const struct capture_class *known = find_known(classes, at);
    uint32_t begin = at;

    if (known != NULL) {
        classes->work++;
        *out = *known;
        return true;
    }
    if (folds) { /* "(?i:[", "])" */
        at += 4;
        end--;
    }
    set.count = 0;
    is_negated = text[at + 1] == '^';
    add_members(&set, text, at + 1 + is_negated, end - 1, folds, classes);
    if (is_negated)
        unicode_set_negate(&set);
    if (!keep_ranges(set.range, set.count, classes, out))
        return false;
    make_known(classes, begin, out);
    return true;
}

bool written_class(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                   struct capture_class *out)
{
    struct unicode_range range[FEW_RANGES + 1];
    uint32_t count;

    return read_few(text, at, end, range, &count) ? keep_ranges(range, count, classes, out)
                                                  : read_many(text, at, end, classes, out);
}

static void add_class(struct unicode_set *set, const struct capture_class *class)
{
    for (uint32_t c = 0; c < WIDE; c++)
        if (class->ascii[c / 64] >> c % 64 & 1)
            unicode_set_add(set, c, c);
    for (uint32_t i = 0; i < class->range_count; i++)
        unicode_set_add(set, class->range[i].low, class->range[i].high);
}

/* Apart, as read_many(). */
static __attribute__((noinline)) bool unite_ranges(struct capture_class *class,
                                                   const struct capture_class *other,
                                                   struct written_classes *classes)
{
    struct unicode_set set;

    set.count = 0;
    add_class(&set, class);
    add_class(&set, other);
    unicode_set_join(&set);
    return keep_ranges(set.range, set.count, classes, class);
}

bool written_class_unite(struct capture_class *class, const struct capture_class *other,
                         struct written_classes *classes)
{
    classes->work += class->range_count + other->range_count;
    if (class->range_count > 0 && other->range_count > 0)
        return unite_ranges(class, other, classes);
    if (class->range_count == 0) {
        class->range = other->range;
        class->range_count = other->range_count;
    }
    class->ascii[0] |= other->ascii[0];
    class->ascii[1] |= other->ascii[1];
    return true;
}
