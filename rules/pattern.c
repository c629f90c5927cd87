/*
 * pattern.c - see pattern.h.
 *
 * A descent over the grammar, which writes as it reads: every piece stands alone in the new form
 * (one character, one class, one group), so that a repetition behind it means the same.
 */
#include "rules/pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASS_RANGES_MAX = 512,
    CHARACTER_MAX = 0x10ffff,
    PATTERN_PART_BYTES_MIN = 3,
    WIDE_PLACES = 4, /* a character of several bytes */
    PROPERTY_PLACES = 50,
};

enum letter_flag { FOLDS = 1, MULTILINE = 2, DOT_ALL = 4 };

struct reader {
    const char *text;
    uint32_t at, end;
    unsigned flags; /* enum letter_flag, of the group being read */
    uint32_t depth;
    bool in_quote; /* between \Q and \E */
    bool is_bad;
    bool literal_ended;
    bool has_sides;                /* an alternative to all of it: nothing has to be there */
    uint32_t part_from, part_used; /* the part being read, in out->parts */
    struct pattern *out;
    struct pattern_fault *fault;
};

/* What a stretch of the pattern came to. */
struct piece {
    uint32_t places;
    uint32_t repeats; /* nested repetitions, multiplied */
    bool is_assertion;
    bool is_nothing;   /* flags for what follows */
    bool is_character; /* one that stands as it is */
    bool is_repeated, may_lack;
};

static bool refuse(struct reader *reader, uint32_t from, uint32_t to, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool refuse(struct reader *reader, uint32_t from, uint32_t to, const char *format, ...)
{
    va_list args;

    if (reader->is_bad)
        return false;
    reader->is_bad = true;
    reader->fault->from = from;
    reader->fault->to = to;
    va_start(args, format);
    vsnprintf(reader->fault->why, sizeof(reader->fault->why), format, args);
    va_end(args);
    return false;
}

/* ---- writing ---- */

/* Ends the part being read: short ones say too little. */
static void end_part(struct reader *reader)
{
    struct pattern *out = reader->out;
    uint32_t bytes = reader->part_used - reader->part_from, least = 0;

    if (bytes >= PATTERN_PART_BYTES_MIN && out->part_count < PATTERN_PARTS_MAX) {
        least = out->part_count++;
        out->part[least].bytes = 0;
    }
    for (uint32_t i = 0; i < out->part_count; i++)
        if (out->part[i].bytes < out->part[least].bytes)
            least = i;
    if (bytes >= PATTERN_PART_BYTES_MIN && bytes > out->part[least].bytes) {
        out->part[least].from = reader->part_from;
        out->part[least].bytes = bytes;
    }
    reader->part_from = reader->part_used;
}

static void put(struct reader *reader, const char *word)
{
    size_t bytes = strlen(word);

    if (reader->out->bytes + bytes > PATTERN_WRITTEN_MAX) {
        refuse(reader, 0, reader->end, "the pattern is too large once it is written out");
        return;
    }
    memcpy(reader->out->written + reader->out->bytes, word, bytes);
    reader->out->bytes += (uint32_t)bytes;
}

static void put_character(struct reader *reader, uint32_t character)
{
    char word[16];

    if ((character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
        (character >= 'A' && character <= 'Z'))
        snprintf(word, sizeof(word), "%c", (char)character);
    else
        snprintf(word, sizeof(word), "\\x{%x}", (unsigned)character);
    put(reader, word);
}

/* ---- reading ---- */

static bool more(const struct reader *reader)
{
    return reader->at < reader->end;
}

static bool next_is(const struct reader *reader, char c)
{
    return more(reader) && reader->text[reader->at] == c;
}

static bool next_are(const struct reader *reader, const char *word)
{
    size_t bytes = strlen(word);

    return reader->end - reader->at >= bytes && memcmp(reader->text + reader->at, word, bytes) == 0;
}

/* Takes one character, which pattern_read() has found to be well-formed. */
static uint32_t take_character(struct reader *reader)
{
    unsigned char first = (unsigned char)reader->text[reader->at++];
    uint32_t character = first < 0x80   ? first
                         : first < 0xe0 ? first & 0x1f
                         : first < 0xf0 ? first & 0xf
                                        : first & 7;

    while (first >= 0xc0 && more(reader) &&
           ((unsigned char)reader->text[reader->at] & 0xc0) == 0x80)
        character = character << 6 | ((unsigned char)reader->text[reader->at++] & 0x3f);
    return character;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool next_is_octal(const struct reader *reader)
{
    return more(reader) && reader->text[reader->at] >= '0' && reader->text[reader->at] <= '7';
}

/* Letters, digits and _ from here on. */
static uint32_t take_name(struct reader *reader)
{
    uint32_t from = reader->at;

    for (; more(reader); reader->at++) {
        char c = reader->text[reader->at];
        if (!is_letter(c) && c != '_' && (c < '0' || c > '9'))
            break;
    }
    return reader->at - from;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Behind \x: two digits, or any number of them in braces. */
static bool take_hex(struct reader *reader, uint32_t from, uint32_t *character)
{
    bool in_braces = next_is(reader, '{');
    uint32_t digits = 0;

    *character = 0;
    reader->at += in_braces;
    for (int digit; more(reader) && (in_braces || digits < 2); digits++, reader->at++) {
        digit = hex_digit(reader->text[reader->at]);
        if (digit < 0 || *character > CHARACTER_MAX)
            break;
        *character = *character * 16 + (uint32_t)digit;
    }
    if (in_braces ? digits == 0 || !next_is(reader, '}') : digits < 2)
        return refuse(reader, from, reader->at,
                      "\\x takes two hexadecimal digits, or some in braces");
    reader->at += in_braces;
    if (*character > CHARACTER_MAX || (*character >= 0xd800 && *character <= 0xdfff))
        return refuse(reader, from, reader->at, "there is no such character");
    return true;
}

/* Reads the rest of an escape that stands for one character; the backslash is taken. */
static bool take_escape(struct reader *reader, uint32_t from, uint32_t *character)
{
    static const char names[] = "aftnrv", codes[] = "\a\f\t\n\r\v";
    const char *name;
    char c;

    if (!more(reader))
        return refuse(reader, from, reader->end, "nothing follows the last \\");
    *character = take_character(reader);
    if (*character >= 0x80)
        return refuse(reader, from, reader->at, "this character needs no \\, and has none in RE2");
    c = (char)*character;
    name = strchr(names, c);
    if (c != '\0' && name != NULL) {
        *character = (unsigned char)codes[name - names];
        return true;
    }
    if (c == 'x')
        return take_hex(reader, from, character);
    if (c == '0' || (c >= '1' && c <= '7' && next_is_octal(reader))) {
        *character = (uint32_t)(c - '0');
        for (int digits = 1; digits < 3 && next_is_octal(reader); digits++)
            *character = *character * 8 + (uint32_t)(reader->text[reader->at++] - '0');
        return true;
    }
    if (c >= '1' && c <= '9')
        return refuse(
            reader, from, reader->at,
            "\\%c refers back to a group, which takes more than linear time and is not part of RE2",
            c);
    if (c == 'C')
        return refuse(reader, from, reader->at,
                      "\\C, a single byte, is not carried over: it would split characters");
    if (is_letter(c))
        return refuse(reader, from, reader->at, "RE2 knows no escape \\%c", c);
    return true;
}

/* ---- classes ---- */

struct range {
    uint32_t low, high;
};

struct class {
    uint32_t count;
    struct range range[CLASS_RANGES_MAX];
    uint32_t property_count;
    struct {
        uint32_t from, bytes; /* of the name in the pattern */
        bool is_negated;
    } property[32];
    bool is_negated;
};

static bool class_add(struct reader *reader, struct class *class, uint32_t low, uint32_t high)
{
    if (class->count == CLASS_RANGES_MAX)
        return refuse(reader, 0, reader->end, "a class has more than %d ranges", CLASS_RANGES_MAX);
    class->range[class->count++] = (struct range){low, high};
    return true;
}

static const struct range decimals[] = {{'0', '9'}},
                          spaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}},
                          word_parts[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                          alphas[] = {{'A', 'Z'}, {'a', 'z'}},
                          alnums[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, asciis[] = {{0, 0x7f}},
                          blanks[] = {{'\t', '\t'}, {' ', ' '}},
                          controls[] = {{0, 0x1f}, {0x7f, 0x7f}}, graphs[] = {{'!', '~'}},
                          lowers[] = {{'a', 'z'}}, prints[] = {{' ', '~'}},
                          puncts[] = {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}},
                          posix_spaces[] = {{'\t', '\r'}, {' ', ' '}}, uppers[] = {{'A', 'Z'}},
                          hexes[] = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};

struct named_class {
    const char *name;
    const struct range *range;
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
    const struct range *x = a, *y = b;

    return (x->low > y->low) - (x->low < y->low);
}

/* Sorts the ranges and joins those that touch. */
static void class_join(struct class *class)
{
    uint32_t kept = 0;

    qsort(class->range, class->count, sizeof(class->range[0]), order_ranges);
    for (uint32_t i = 0; i < class->count; i++) {
        struct range *last = kept > 0 ? &class->range[kept - 1] : NULL;
        if (last != NULL && class->range[i].low <= last->high + 1)
            last->high = last->high > class->range[i].high ? last->high : class->range[i].high;
        else
            class->range[kept++] = class->range[i];
    }
    class->count = kept;
}

static bool class_has(const struct class *class, uint32_t character)
{
    for (uint32_t i = 0; i < class->count; i++)
        if (class->range[i].low <= character && character <= class->range[i].high)
            return true;
    return false;
}

/* The letters that fold beyond ASCII and back: the sign of Kelvin is a k, the long s an s. */
static bool class_fold(struct reader *reader, struct class *class)
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
static bool class_add_ranges(struct reader *reader, struct class *class,
                             const struct named_class *named)
{
    for (uint32_t i = 0; i < named->count; i++)
        if (!class_add(reader, class, named->range[i].low, named->range[i].high))
            return false;
    if (!(reader->flags & FOLDS))
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
static bool class_add_named(struct reader *reader, struct class *class,
                            const struct named_class *named, bool is_negated)
{
    struct class inside = {.count = 0};
    uint32_t from = 0;

    if (!is_negated)
        return class_add_ranges(reader, class, named);
    if (!class_add_ranges(reader, &inside, named))
        return false;
    class_join(&inside);
    for (uint32_t i = 0; i < inside.count; from = inside.range[i++].high + 1)
        if (inside.range[i].low > from && !class_add(reader, class, from, inside.range[i].low - 1))
            return false;
    return class_add(reader, class, from, CHARACTER_MAX);
}

/* \d \s \w and their negations; false when the escape at hand is none of them. */
static bool take_perl_class(struct reader *reader, struct class *class)
{
    char c = reader->end - reader->at >= 2 && next_is(reader, '\\') ? reader->text[reader->at + 1]
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

/* \pN, \p{Greek}, \p{^Greek}, \P...; false when the escape at hand is none of them. The names are
 * vectorscan's to know. */
static bool take_property(struct reader *reader, struct class *class)
{
    uint32_t start = reader->at, from;
    bool is_negated;

    if (!next_are(reader, "\\p") && !next_are(reader, "\\P"))
        return false;
    is_negated = reader->text[reader->at + 1] == 'P';
    reader->at += 2;
    if (class->property_count == sizeof(class->property) / sizeof(class->property[0])) {
        refuse(reader, start, reader->at, "a class has more than 32 properties");
        return true;
    }
    from = reader->at;
    if (next_is(reader, '{')) {
        from = ++reader->at;
        if (next_is(reader, '^')) {
            is_negated = !is_negated;
            from = ++reader->at;
        }
        take_name(reader);
        if (!next_is(reader, '}') || reader->at == from) {
            refuse(reader, start, reader->at, "\\p takes a letter, or a name in braces");
            return true;
        }
        class->property[class->property_count].bytes = reader->at++ - from;
    } else {
        if (!more(reader) || !is_letter(reader->text[reader->at])) {
            refuse(reader, start, reader->at, "\\p takes a letter, or a name in braces");
            return true;
        }
        class->property[class->property_count].bytes = 1;
        reader->at++;
    }
    class->property[class->property_count].from = from;
    class->property[class->property_count++].is_negated = is_negated;
    return true;
}

/* Writes a class and says how many places it takes. */
static uint32_t class_put(struct reader *reader, struct class *class)
{
    bool is_wide = class->is_negated || class->property_count > 0;

    if ((reader->flags & FOLDS) && !class_fold(reader, class))
        return 0;
    class_join(class);
    if (class->count > 0 && class->range[class->count - 1].high >= 0x80)
        is_wide = true;
    /* Every character: vectorscan knows no empty class, and none that is all but empty. */
    if (class->count == 1 && class->range[0].low == 0 && class->range[0].high == CHARACTER_MAX) {
        if (class->is_negated) {
            refuse(reader, 0, reader->end, "a class that no character is in can never match");
            return 0;
        }
        put(reader, ".");
        reader->out->is_wide = true;
        return WIDE_PLACES;
    }
    put(reader, reader->flags & FOLDS ? "(?i:[" : "[");
    if (class->is_negated)
        put(reader, "^");
    for (uint32_t i = 0; i < class->count; i++) {
        put_character(reader, class->range[i].low);
        if (class->range[i].high > class->range[i].low) {
            put(reader, "-");
            put_character(reader, class->range[i].high);
        }
    }
    for (uint32_t i = 0; i < class->property_count; i++) {
        char word[80];
        snprintf(word, sizeof(word), "\\%c{%.*s}", class->property[i].is_negated ? 'P' : 'p',
                 (int)(class->property[i].bytes < 64 ? class->property[i].bytes : 64),
                 reader->text + class->property[i].from);
        put(reader, word);
    }
    put(reader, reader->flags & FOLDS ? "])" : "]");
    reader->out->is_wide = reader->out->is_wide || is_wide;
    return class->property_count * PROPERTY_PLACES + (is_wide ? WIDE_PLACES : 1);
}

/* [:alpha:] and [:^alpha:] inside of a class; false when there is none. */
static bool take_posix_class(struct reader *reader, struct class *class)
{
    uint32_t from = reader->at, name;
    bool is_negated;

    if (!next_are(reader, "[:"))
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
        refuse(reader, from, reader->at,
               "there is no class of this name; RE2 has alnum, alpha, ascii, blank, cntrl, digit, "
               "graph, lower, print, punct, space, upper, word and xdigit");
        return true;
    }
    return false;
}

static bool take_class_character(struct reader *reader, uint32_t *character)
{
    uint32_t from = reader->at;

    if (next_is(reader, '\\')) {
        reader->at++;
        return take_escape(reader, from, character);
    }
    *character = take_character(reader);
    return true;
}

static bool take_range(struct reader *reader, struct class *class)
{
    uint32_t from = reader->at, low, high;

    if (!take_class_character(reader, &low))
        return false;
    high = low;
    /* A minus before the end of the class is one; elsewhere too, where no range can follow. */
    if (next_is(reader, '-') && reader->at + 1 < reader->end &&
        reader->text[reader->at + 1] != ']') {
        reader->at++;
        if (!take_class_character(reader, &high))
            return false;
        if (high < low)
            return refuse(reader, from, reader->at, "the range runs backwards");
    }
    return class_add(reader, class, low, high);
}

static struct piece take_class(struct reader *reader)
{
    struct class class = {.count = 0};
    uint32_t from = reader->at++;
    bool is_first = true;

    if (next_is(reader, '^')) {
        class.is_negated = true;
        reader->at++;
    }
    while (!reader->is_bad && more(reader) && (is_first || !next_is(reader, ']'))) {
        is_first = false;
        if (!take_posix_class(reader, &class) && !take_perl_class(reader, &class) &&
            !take_property(reader, &class))
            take_range(reader, &class);
    }
    if (!reader->is_bad && !more(reader))
        refuse(reader, from, reader->end, "the class has no end: ] is missing");
    reader->at++;
    if (reader->is_bad)
        return (struct piece){0};
    return (struct piece){class_put(reader, &class), .repeats = 1};
}

/* ---- pieces ---- */

static void end_literal(struct reader *reader)
{
    reader->literal_ended = true;
    reader->out->is_literal = false;
}

static uint32_t utf8_put(uint32_t character, char bytes[4])
{
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0}; /* by count */
    uint32_t count = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    for (uint32_t i = count; i-- > 1; character >>= 6)
        bytes[i] = (char)(0x80 | (character & 0x3f));
    bytes[0] = (char)(heads[count] | character);
    return count;
}

/* One character as it stands. What is kept of it is never longer than what was read. */
static struct piece put_one(struct reader *reader, uint32_t character)
{
    struct pattern *out = reader->out;
    char bytes[4];
    uint32_t count;

    if (reader->flags & FOLDS &&
        (character >= 0x80 || ((character | 0x20) >= 'a' && (character | 0x20) <= 'z'))) {
        struct class class = {.count = 1, .range = {{character, character}}};
        end_literal(reader);
        return (struct piece){class_put(reader, &class), .repeats = 1};
    }
    if (out->at_end) /* something behind $ */
        end_literal(reader);
    count = utf8_put(character, bytes);
    if (!reader->literal_ended) {
        memcpy(out->literal + out->literal_bytes, bytes, count);
        out->literal_bytes += count;
    }
    if (reader->depth == 0) {
        memcpy(out->parts + reader->part_used, bytes, count);
        reader->part_used += count;
    }
    put_character(reader, character);
    out->is_wide = out->is_wide || character >= 0x80;
    return (struct piece){character >= 0x80 ? WIDE_PLACES : 1, .repeats = 1, .is_character = true};
}

static struct piece put_assertion(struct reader *reader, const char *word)
{
    put(reader, word);
    return (struct piece){.repeats = 1, .is_assertion = true};
}

static struct piece take_alternation(struct reader *reader);

/* (?flags) and (?flags: ; true when a group begins. */
static bool take_flags(struct reader *reader, uint32_t from)
{
    bool is_off = false;
    unsigned flags = reader->flags;

    for (; more(reader); reader->at++) {
        char c = reader->text[reader->at];
        unsigned flag = c == 'i' ? FOLDS : c == 'm' ? MULTILINE : c == 's' ? DOT_ALL : 0;
        if (c == ':' || c == ')') {
            reader->at++;
            reader->flags = flags;
            return c == ':';
        }
        if (c == '-' && !is_off) {
            is_off = true;
        } else if (flag != 0) {
            flags = is_off ? flags & ~flag : flags | flag;
        } else if (c != 'U') { /* which match is found does not matter here */
            refuse(reader, from, reader->at + 1, "RE2 knows the flags i, m, s and U, not %c",
                   (unsigned char)c < 0x80 && c > ' ' ? c : '?');
            return false;
        }
    }
    refuse(reader, from, reader->end, "the flags have no end: ) is missing");
    return false;
}

/* What stands behind "(?"; true when a group begins. */
static bool take_group_head(struct reader *reader, uint32_t from)
{
    static const struct {
        const char *head, *what;
    } refused[] = {
        {"=", "looking ahead"},     {"!", "looking ahead"},   {"<=", "looking behind"},
        {"<!", "looking behind"},   {">", "an atomic group"}, {"#", "a comment"},
        {"P=", "a reference back"}, {"P>", "recursion"},      {"R", "recursion"},
        {"(", "a condition"},       {"&", "recursion"},       {"|", "a branch reset"},
    };
    uint32_t name;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (next_are(reader, refused[i].head)) {
            refuse(reader, from, reader->at + (uint32_t)strlen(refused[i].head),
                   "%s is not part of RE2%s", refused[i].what,
                   refused[i].head[0] == '#' ? "" : ": it takes more than linear time");
            return false;
        }
    if (!next_are(reader, "P<") && !next_are(reader, "<"))
        return take_flags(reader, from);
    reader->at += next_is(reader, 'P') ? 2 : 1;
    name = reader->at;
    take_name(reader);
    if (reader->at == name || !next_is(reader, '>')) {
        refuse(reader, from, reader->at,
               "a group's name is made of letters, digits and _, and ends with >");
        return false;
    }
    reader->at++;
    return true;
}

static struct piece take_group(struct reader *reader)
{
    uint32_t from = reader->at++;
    unsigned flags = reader->flags;
    struct piece inside;

    if (next_is(reader, '?')) {
        reader->at++;
        if (!take_group_head(reader, from))
            return (struct piece){.is_nothing = true};
    }
    end_literal(reader);
    if (++reader->depth > PATTERN_DEPTH_MAX) {
        refuse(reader, from, reader->at, "groups are nested deeper than %d", PATTERN_DEPTH_MAX);
        return (struct piece){0};
    }
    put(reader, "(?:");
    inside = take_alternation(reader);
    reader->depth--;
    reader->flags = flags;
    if (!reader->is_bad && !next_is(reader, ')'))
        refuse(reader, from, from + 1, "the group has no end: ) is missing");
    reader->at++;
    put(reader, ")");
    inside.is_assertion = false;
    return inside;
}

static struct piece take_backslash(struct reader *reader)
{
    uint32_t from = reader->at, character;
    struct class class = {.count = 0};
    char c;

    if (take_perl_class(reader, &class) || take_property(reader, &class)) {
        end_literal(reader);
        return reader->is_bad ? (struct piece){0}
                              : (struct piece){class_put(reader, &class), .repeats = 1};
    }
    c = from + 1 < reader->end ? reader->text[from + 1] : '\0';
    if (c == 'b' || c == 'B') {
        reader->at += 2;
        end_literal(reader);
        return put_assertion(reader, c == 'b' ? "\\b" : "\\B");
    }
    if (c == 'A' || c == 'z') {
        reader->at += 2;
        if (c == 'z') {
            reader->out->at_end = true;
            return put_assertion(reader, "\\z");
        }
        if (reader->out->bytes > 0)
            end_literal(reader);
        else
            reader->out->at_start = true;
        return put_assertion(reader, "\\A");
    }
    reader->at++;
    if (!take_escape(reader, from, &character))
        return (struct piece){0};
    return put_one(reader, character);
}

/* One thing that a repetition may follow. */
static struct piece take_one(struct reader *reader)
{
    struct pattern *out = reader->out;

    switch (reader->text[reader->at]) {
    case '(':
        return take_group(reader);
    case '[':
        end_literal(reader);
        return take_class(reader);
    case '\\':
        return take_backslash(reader);
    case '.':
        reader->at++;
        end_literal(reader);
        out->is_wide = true;
        put(reader, reader->flags & DOT_ALL ? "." : "[^\\x{a}]");
        return (struct piece){WIDE_PLACES, .repeats = 1};
    case '^':
        reader->at++;
        if (reader->flags & MULTILINE || out->bytes > 0)
            end_literal(reader);
        else
            out->at_start = true;
        return put_assertion(reader, reader->flags & MULTILINE ? "(?m:^)" : "\\A");
    case '$':
        reader->at++;
        if (reader->flags & MULTILINE)
            end_literal(reader);
        else
            out->at_end = true;
        return put_assertion(reader, reader->flags & MULTILINE ? "(?m:$)" : "\\z");
    default:
        return put_one(reader, take_character(reader));
    }
}

struct repetition {
    uint32_t min, max; /* max 0: no bound */
};

/* "{2}", "{2,}", "{2,5}"; whatever else begins with { stands for itself. */
static bool take_counts(struct reader *reader, struct repetition *out)
{
    uint32_t at = reader->at + 1, number[2] = {0, 0}, digits[2] = {0, 0};
    int side = 0;

    for (; at < reader->end; at++) {
        char c = reader->text[at];
        if (c >= '0' && c <= '9') {
            /* Far beyond the bound a number need not be exact. */
            number[side] =
                number[side] > 100000 ? number[side] : number[side] * 10 + (uint32_t)(c - '0');
            digits[side]++;
        } else if (c == ',' && side == 0) {
            side = 1;
        } else {
            break;
        }
    }
    if (at >= reader->end || reader->text[at] != '}' || digits[0] == 0)
        return false;
    out->min = number[0];
    out->max = side == 0 ? number[0] : digits[1] > 0 ? number[1] : 0;
    if (out->min > PATTERN_REPEAT_MAX || out->max > PATTERN_REPEAT_MAX)
        refuse(reader, reader->at, at + 1, "something is repeated more than %d times",
               PATTERN_REPEAT_MAX);
    else if ((side == 0 || digits[1] > 0) && out->max < out->min)
        refuse(reader, reader->at, at + 1, "the repetition runs backwards");
    else if (side == 1 ? digits[1] > 0 && out->max == 0 : out->max == 0)
        out->max = UINT32_MAX; /* not at all */
    reader->at = at + 1;
    return true;
}

static bool take_repetition(struct reader *reader, struct repetition *out)
{
    char c = more(reader) && !reader->in_quote ? reader->text[reader->at] : '\0';

    if (c == '{')
        return take_counts(reader, out);
    if (c != '*' && c != '+' && c != '?')
        return false;
    *out = (struct repetition){c == '+', c == '?'};
    reader->at++;
    return true;
}

static void put_repetition(struct reader *reader, const struct repetition *repetition)
{
    char word[32];

    if (repetition->max == 0 && repetition->min <= 1)
        snprintf(word, sizeof(word), "%c", repetition->min == 1 ? '+' : '*');
    else if (repetition->max == 0)
        snprintf(word, sizeof(word), "{%u,}", (unsigned)repetition->min);
    else
        snprintf(word, sizeof(word), "{%u,%u}", (unsigned)repetition->min,
                 (unsigned)repetition->max);
    put(reader, word);
}

/* Applies what follows a piece that was written from `written` on and whose literal began at
 * `literal`. */
static void repeat(struct reader *reader, struct piece *piece, uint32_t from, uint32_t written,
                   uint32_t literal)
{
    struct repetition repetition;
    uint32_t at = reader->at, times;

    if (!take_repetition(reader, &repetition) || reader->is_bad)
        return;
    /* The last character may be there or not; what stands before it stays. */
    reader->out->literal_bytes =
        literal < reader->out->literal_bytes ? literal : reader->out->literal_bytes;
    end_literal(reader);
    if (next_is(reader, '?'))
        reader->at++; /* as few as possible: which match is found does not matter here */
    piece->is_repeated = true;
    piece->may_lack = repetition.min == 0;
    times = reader->at;
    if (take_repetition(reader, &(struct repetition){0, 0})) {
        reader->is_bad = false;
        refuse(reader, at, reader->at,
               "a repetition of a repetition needs a group around the inner one");
        return;
    }
    reader->at = times;
    if (piece->is_assertion) {
        if (repetition.min == 0 || repetition.max == UINT32_MAX)
            reader->out->bytes = written; /* a place that need not be one */
        /* An anchor that may be left out is none. */
        reader->out->at_start = reader->out->at_start && written > 0;
        return;
    }
    if (repetition.max == UINT32_MAX) {
        reader->out->bytes = written;
        put(reader, "(?:)");
        *piece = (struct piece){.repeats = 1, .is_repeated = true, .may_lack = true};
        return;
    }
    times = repetition.max > 0 ? repetition.max : repetition.min > 0 ? repetition.min : 1;
    piece->repeats *= times;
    piece->places *= times;
    if (piece->repeats > PATTERN_REPEAT_MAX)
        refuse(reader, from, reader->at, "repetitions inside of each other come to more than %d",
               PATTERN_REPEAT_MAX);
    put_repetition(reader, &repetition);
}

/* What building costs depends on all of the pattern, one side after the other too. */
static void check_size(struct reader *reader, uint32_t places)
{
    if (places > PATTERN_PLACES_MAX)
        refuse(reader, 0, reader->at,
               "the pattern is too large: written out it has more than %d places",
               PATTERN_PLACES_MAX);
}

static struct piece take_chain(struct reader *reader)
{
    struct piece chain = {.repeats = 1};

    while (!reader->is_bad && more(reader)) {
        uint32_t from = reader->at, written = reader->out->bytes,
                 literal = reader->out->literal_bytes, part = reader->part_used;
        struct repetition repetition;
        struct piece piece;
        if (reader->in_quote && next_are(reader, "\\E")) {
            reader->in_quote = false;
            reader->at += 2;
            continue;
        }
        if (!reader->in_quote && next_are(reader, "\\Q")) {
            reader->in_quote = true;
            reader->at += 2;
            continue;
        }
        if (reader->in_quote) {
            piece = put_one(reader, take_character(reader));
            if (next_are(reader, "\\E")) {
                reader->in_quote = false;
                reader->at += 2;
            }
        } else if (next_is(reader, '|') || next_is(reader, ')')) {
            break;
        } else if (take_repetition(reader, &repetition)) {
            refuse(reader, from, reader->at, "nothing stands before this repetition");
            break;
        } else {
            piece = take_one(reader);
        }
        if (piece.is_nothing)
            continue;
        if (!reader->is_bad)
            repeat(reader, &piece, from, written, literal);
        if (reader->depth == 0 && (!piece.is_character || piece.is_repeated)) {
            if (piece.may_lack)
                reader->part_used = part;
            end_part(reader);
        }
        chain.places += piece.places;
        chain.repeats = chain.repeats > piece.repeats ? chain.repeats : piece.repeats;
        check_size(reader, chain.places);
    }
    return chain;
}

static struct piece take_alternation(struct reader *reader)
{
    struct piece all = take_chain(reader);

    while (!reader->is_bad && next_is(reader, '|')) {
        struct piece side;
        reader->at++;
        end_literal(reader);
        if (reader->depth == 0) {
            reader->out->literal_bytes = 0; /* one of several beginnings */
            reader->has_sides = true;
        }
        put(reader, "|");
        side = take_chain(reader);
        all.places += side.places;
        all.repeats = all.repeats > side.repeats ? all.repeats : side.repeats;
        check_size(reader, all.places);
    }
    return all;
}

/* ---- the whole ---- */

/* The first byte that is no UTF-8, or the end. */
static uint32_t find_bad_byte(struct text text)
{
    uint32_t at = 0;

    while (at < text.len) {
        unsigned char first = (unsigned char)text.at[at];
        uint32_t bytes = first < 0x80   ? 1
                         : first < 0xc2 ? 0
                         : first < 0xe0 ? 2
                         : first < 0xf0 ? 3
                         : first < 0xf5 ? 4
                                        : 0;
        if (bytes == 0 || text.len - at < bytes)
            return at;
        for (uint32_t i = 1; i < bytes; i++)
            if (((unsigned char)text.at[at + i] & 0xc0) != 0x80)
                return at;
        at += bytes;
    }
    return at;
}

bool pattern_read(struct text text, struct pattern *out, struct pattern_fault *fault)
{
    struct reader reader = {.text = text.at, .end = text.len, .out = out, .fault = fault};
    struct piece all;
    uint32_t bad;

    out->bytes = out->places = out->literal_bytes = out->part_count = 0;
    out->is_wide = out->at_start = out->at_end = false;
    out->is_literal = true;
    if (text.len > PATTERN_BYTES_MAX)
        return refuse(&reader, PATTERN_BYTES_MAX, text.len, "a pattern has at most %d bytes",
                      PATTERN_BYTES_MAX);
    bad = find_bad_byte(text);
    if (bad < text.len)
        return refuse(&reader, bad, bad + 1, "this is not UTF-8");
    all = take_alternation(&reader);
    if (!reader.is_bad && more(&reader))
        return refuse(&reader, reader.at, reader.at + 1, "no group is open that ) could end");
    end_part(&reader);
    if (reader.has_sides)
        out->part_count = 0;
    out->places = all.places;
    out->written[out->bytes] = '\0';
    if (out->literal_bytes == 0)
        out->is_literal = false;
    return !reader.is_bad;
}

bool pattern_check(struct text text, struct pattern_fault *fault)
{
    struct pattern pattern;

    return pattern_read(text, &pattern, fault);
}
