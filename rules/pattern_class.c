/* pattern_class.c - classes of characters: [a-z], \d, [[:alpha:]], \p{L}. See pattern_reader.h. */
#include "rules/pattern_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include "rules/unicode.h"

static bool class_add(struct pattern_reader *reader, struct pattern_class *class, uint32_t low,
                      uint32_t high)
{
    if (class->count == PATTERN_CLASS_RANGES_MAX)
        return pattern_refuse(reader, 0, reader->end, "a class has more than %d ranges",
                              PATTERN_CLASS_RANGES_MAX);
    class->range[class->count++] = (struct pattern_range){low, high};
    return true;
}

static const struct pattern_range decimals[] = {{'0', '9'}},
                                  spaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}},
                                  word_parts[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                                  alphas[] = {{'A', 'Z'}, {'a', 'z'}},
                                  alnums[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}},
                                  asciis[] = {{0, 0x7f}}, blanks[] = {{'\t', '\t'}, {' ', ' '}},
                                  controls[] = {{0, 0x1f}, {0x7f, 0x7f}}, graphs[] = {{'!', '~'}},
                                  lowers[] = {{'a', 'z'}}, prints[] = {{' ', '~'}},
                                  puncts[] = {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}},
                                  posix_spaces[] = {{'\t', '\r'}, {' ', ' '}},
                                  uppers[] = {{'A', 'Z'}},
                                  hexes[] = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};

struct named_class {
    const char *name;
    const struct pattern_range *range;
    uint32_t count;
};

#define NAMED(name, ranges)                                                                        \
    {                                                                                              \
        name, ranges, sizeof(ranges) / sizeof((ranges)[0])                                         \
    }

static const struct named_class perl_classes[] = {NAMED("d", decimals), NAMED("s", spaces),
                                                  NAMED("w", word_parts)};
static const struct named_class posix_classes[] = {
    NAMED("alnum", alnums),    NAMED("alpha", alphas),       NAMED("ascii", asciis),
    NAMED("blank", blanks),    NAMED("cntrl", controls),     NAMED("digit", decimals),
    NAMED("graph", graphs),    NAMED("lower", lowers),       NAMED("print", prints),
    NAMED("punct", puncts),    NAMED("space", posix_spaces), NAMED("upper", uppers),
    NAMED("word", word_parts), NAMED("xdigit", hexes)};

static int order_ranges(const void *a, const void *b)
{
    const struct pattern_range *x = a, *y = b;

    return (x->low > y->low) - (x->low < y->low);
}

/* Sorts the ranges and joins those that touch. */
static void class_join(struct pattern_class *class)
{
    uint32_t kept = 0, ordered = 1;

    while (ordered < class->count && class->range[ordered - 1].high < class->range[ordered].low)
        ordered++;
    if (ordered < class->count)
        qsort(class->range, class->count, sizeof(class->range[0]), order_ranges);
    for (uint32_t i = 0; i < class->count; i++) {
        struct pattern_range *last = kept > 0 ? &class->range[kept - 1] : NULL;
        if (last != NULL && class->range[i].low <= last->high + 1)
            last->high = last->high > class->range[i].high ? last->high : class->range[i].high;
        else
            class->range[kept++] = class->range[i];
    }
    class->count = kept;
}

static bool class_has(const struct pattern_class *class, uint32_t character)
{
    for (uint32_t i = 0; i < class->count; i++)
        if (class->range[i].low <= character && character <= class->range[i].high)
            return true;
    return false;
}

/* The letters that fold beyond ASCII and back: the sign of Kelvin is a k, the long s an s. */
static bool class_fold(struct pattern_reader *reader, struct pattern_class *class)
{
    static const uint32_t kin[2][3] = {{'k', 'K', 0x212a}, {'s', 'S', 0x17f}};

    for (int i = 0; i < 2; i++) {
        if (!class_has(class, kin[i][0]) && !class_has(class, kin[i][1]) &&
            !class_has(class, kin[i][2]))
            continue;
        for (int j = 0; j < 3; j++)
            if (!class_add(reader, class, kin[i][j], kin[i][j]))
                return false;
    }
    return true;
}

/* Adds the ranges of a named class, and with (?i) what they fold to. */
static bool class_add_ranges(struct pattern_reader *reader, struct pattern_class *class,
                             const struct named_class *named)
{
    for (uint32_t i = 0; i < named->count; i++)
        if (!class_add(reader, class, named->range[i].low, named->range[i].high))
            return false;
    if (!(reader->flags & PATTERN_FOLDS))
        return true;
    for (uint32_t lower = 'a'; lower <= 'z'; lower++) {
        uint32_t upper = lower - 'a' + 'A';
        if ((class_has(class, lower) || class_has(class, upper)) &&
            (!class_add(reader, class, lower, lower) || !class_add(reader, class, upper, upper)))
            return false;
    }
    return class_fold(reader, class);
}

/* Adds a named class, or all characters that are not in it: what folds, folds before. */
static bool class_add_named(struct pattern_reader *reader, struct pattern_class *class,
                            const struct named_class *named, bool is_negated)
{
    struct pattern_class inside = {.count = 0};
    uint32_t from = 0;

    if (!is_negated)
        return class_add_ranges(reader, class, named);
    if (!class_add_ranges(reader, &inside, named))
        return false;
    class_join(&inside);
    for (uint32_t i = 0; i < inside.count; from = inside.range[i++].high + 1)
        if (inside.range[i].low > from && !class_add(reader, class, from, inside.range[i].low - 1))
            return false;
    return class_add(reader, class, from, PATTERN_CHARACTER_MAX);
}

/* \d \s \w and their negations; false when the escape at hand is none of them. */
bool pattern_take_perl_class(struct pattern_reader *reader, struct pattern_class *class)
{
    char c = reader->end - reader->at >= 2 && pattern_next_is(reader, '\\')
                 ? reader->text[reader->at + 1]
                 : '\0';

    for (size_t i = 0; i < sizeof(perl_classes) / sizeof(perl_classes[0]); i++) {
        char name = perl_classes[i].name[0];
        if (c != name && c != name - 'a' + 'A')
            continue;
        reader->at += 2;
        class_add_named(reader, class, &perl_classes[i], c != name);
        return true;
    }
    return false;
}

/* \pN, \p{Greek}, \p{^Greek}, \P...; false when the escape at hand is none of them. */
bool pattern_take_property(struct pattern_reader *reader, struct pattern_class *class)
{
    uint32_t start = reader->at, from;
    bool is_negated;

    if (!pattern_next_are(reader, "\\p") && !pattern_next_are(reader, "\\P"))
        return false;
    is_negated = reader->text[reader->at + 1] == 'P';
    reader->at += 2;
    if (class->property_count == sizeof(class->property) / sizeof(class->property[0])) {
        pattern_refuse(reader, start, reader->at, "a class has more than 32 properties");
        return true;
    }
    from = reader->at;
    if (pattern_next_is(reader, '{')) {
        from = ++reader->at;
        if (pattern_next_is(reader, '^')) {
            is_negated = !is_negated;
            from = ++reader->at;
        }
        pattern_take_name(reader);
        if (!pattern_next_is(reader, '}') || reader->at == from) {
            pattern_refuse(reader, start, reader->at, "\\p takes a letter, or a name in braces");
            return true;
        }
        class->property[class->property_count].bytes = reader->at++ - from;
    } else {
        if (!pattern_more(reader) || !pattern_is_letter(reader->text[reader->at])) {
            pattern_refuse(reader, start, reader->at, "\\p takes a letter, or a name in braces");
            return true;
        }
        class->property[class->property_count].bytes = 1;
        reader->at++;
    }
    if (!unicode_has_property(reader->text + from, class->property[class->property_count].bytes)) {
        pattern_refuse(reader, start, reader->at,
                       "there is no property of this name; RE2 has categories, L or Lu, scripts, "
                       "Greek, and Any");
        return true;
    }
    class->property[class->property_count].from = from;
    class->property[class->property_count++].is_negated = is_negated;
    return true;
}

static void fold_one(struct pattern_class *class)
{
    uint32_t ring[UNICODE_RING_MAX];

    class->count = unicode_fold_ring(class->range[0].low, ring);
    for (uint32_t i = 0; i < class->count; i++) {
        uint32_t at = i;
        for (; at > 0 && class->range[at - 1].low > ring[i]; at--)
            class->range[at] = class->range[at - 1];
        class->range[at] = (struct pattern_range){ring[i], ring[i]};
    }
}

/* False where that would be too many ranges: the class is as it was. */
static __attribute__((noinline)) bool fold_many(struct pattern_class *class)
{
    struct unicode_set set; /* large, and so it is no part of what is done for each character */

    set.count = 0;
    for (uint32_t i = 0; i < class->count; i++)
        unicode_set_add(&set, class->range[i].low, class->range[i].high);
    unicode_set_join(&set);
    unicode_set_fold(&set);
    if (set.count > PATTERN_CLASS_RANGES_MAX)
        return false;
    class->count = set.count;
    for (uint32_t i = 0; i < set.count; i++)
        class->range[i] = (struct pattern_range){set.range[i].low, set.range[i].high};
    return true;
}

/* Writes out what (?i) makes the same; false where that is for tables of Unicode to say, when the
 * class is asked for: of properties, and of what would have too many ranges. */
static bool fold_here(const struct pattern_reader *reader, struct pattern_class *class)
{
    if (!(reader->flags & PATTERN_FOLDS))
        return true;
    if (class->property_count > 0)
        return false;
    if (class->count != 1 || class->range[0].low != class->range[0].high)
        return fold_many(class);
    fold_one(class);
    return true;
}

/* What it costs vectorscan to build depends on the ranges beyond ASCII. */
static uint32_t class_places(const struct pattern_class *class, bool is_wide)
{
    uint32_t wide = 0;

    for (uint32_t i = 0; i < class->count; i++)
        wide += class->range[i].high >= 0x80;
    if (wide < PATTERN_WIDE_PLACES)
        wide = is_wide ? PATTERN_WIDE_PLACES : 1;
    return wide;
}

/* Writes a class and says how many places it takes. */
static uint32_t put_class(struct pattern_reader *reader, struct pattern_class *class)
{
    bool is_wide = class->is_negated || class->property_count > 0;
    bool folds_later = !fold_here(reader, class);

    class_join(class);
    if (folds_later || class->property_count > 0)
        reader->out->asks_unicode = true;
    if (class->count > 0 && class->range[class->count - 1].high >= 0x80)
        is_wide = true;
    /* Every character: vectorscan knows no empty class, and none that is all but empty. */
    if (class->count == 1 && class->range[0].low == 0 &&
        class->range[0].high == PATTERN_CHARACTER_MAX) {
        if (class->is_negated) {
            pattern_refuse(reader, 0, reader->end,
                           "a class that no character is in can never match");
            return 0;
        }
        pattern_put(reader, ".");
        reader->out->is_wide = true;
        return PATTERN_WIDE_PLACES;
    }
    pattern_put(reader, folds_later ? "(?i:[" : "[");
    if (class->is_negated)
        pattern_put(reader, "^");
    for (uint32_t i = 0; i < class->count; i++) {
        pattern_put_character(reader, class->range[i].low);
        if (class->range[i].high > class->range[i].low) {
            pattern_put(reader, "-");
            pattern_put_character(reader, class->range[i].high);
        }
    }
    for (uint32_t i = 0; i < class->property_count; i++) {
        char word[80];
        snprintf(word, sizeof(word), "\\%c{%.*s}", class->property[i].is_negated ? 'P' : 'p',
                 (int)(class->property[i].bytes < 64 ? class->property[i].bytes : 64),
                 reader->text + class->property[i].from);
        pattern_put(reader, word);
    }
    pattern_put(reader, folds_later ? "])" : "]");
    reader->out->is_wide = reader->out->is_wide || is_wide;
    return class_places(class, is_wide);
}

struct pattern_piece pattern_class_put(struct pattern_reader *reader, struct pattern_class *class)
{
    return (struct pattern_piece){put_class(reader, class), .repeats = 1, .is_taking = true};
}

/* [:alpha:] and [:^alpha:] inside of a class; false when there is none. */
static bool take_posix_class(struct pattern_reader *reader, struct pattern_class *class)
{
    uint32_t from = reader->at, name;
    bool is_negated;

    if (!pattern_next_are(reader, "[:"))
        return false;
    name = from + 2;
    is_negated = name < reader->end && reader->text[name] == '^';
    name += is_negated;
    for (uint32_t end = name; end + 1 < reader->end; end++) {
        if (reader->text[end] != ':' || reader->text[end + 1] != ']')
            continue;
        reader->at = end + 2;
        for (size_t i = 0; i < sizeof(posix_classes) / sizeof(posix_classes[0]); i++)
            if (strlen(posix_classes[i].name) == end - name &&
                memcmp(posix_classes[i].name, reader->text + name, end - name) == 0) {
                class_add_named(reader, class, &posix_classes[i], is_negated);
                return true;
            }
        pattern_refuse(
            reader, from, reader->at,
            "there is no class of this name; RE2 has alnum, alpha, ascii, blank, cntrl, digit, "
            "graph, lower, print, punct, space, upper, word and xdigit");
        return true;
    }
    return false;
}

static bool take_class_character(struct pattern_reader *reader, uint32_t *character)
{
    uint32_t from = reader->at;

    if (pattern_next_is(reader, '\\')) {
        reader->at++;
        return pattern_take_escape(reader, from, character);
    }
    *character = pattern_take_character(reader);
    return true;
}

static bool take_range(struct pattern_reader *reader, struct pattern_class *class)
{
    uint32_t from = reader->at, low, high;

    if (!take_class_character(reader, &low))
        return false;
    high = low;
    /* A minus before the end of the class is one; elsewhere too, where no range can follow. */
    if (pattern_next_is(reader, '-') && reader->at + 1 < reader->end &&
        reader->text[reader->at + 1] != ']') {
        reader->at++;
        if (!take_class_character(reader, &high))
            return false;
        if (high < low)
            return pattern_refuse(reader, from, reader->at, "the range runs backwards");
    }
    return class_add(reader, class, low, high);
}

struct pattern_piece pattern_take_class(struct pattern_reader *reader)
{
    struct pattern_class class = {.count = 0};
    uint32_t from = reader->at++;
    bool is_first = true;

    if (pattern_next_is(reader, '^')) {
        class.is_negated = true;
        reader->at++;
    }
    while (!reader->is_bad && pattern_more(reader) && (is_first || !pattern_next_is(reader, ']'))) {
        is_first = false;
        if (!take_posix_class(reader, &class) && !pattern_take_perl_class(reader, &class) &&
            !pattern_take_property(reader, &class))
            take_range(reader, &class);
    }
    if (!reader->is_bad && !pattern_more(reader))
        pattern_refuse(reader, from, reader->end, "the class has no end: ] is missing");
    reader->at++;
    if (reader->is_bad)
        return (struct pattern_piece){0};
    return pattern_class_put(reader, &class);
}
