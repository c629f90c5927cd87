/*
 * pattern.c - see pattern.h.
 *
 * A descent over the grammar, which writes as it reads: every piece stands alone in the new form
 * (one character, one class, one group), so that a repetition behind it means the same.
 */
#include "rules/pattern_reader.h"

#include <stdio.h>
#include <string.h>

enum { PATTERN_PART_BYTES_MIN = 3 };

/* Ends the part being read: short ones say too little. */
static void end_part(struct pattern_reader *reader)
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

/* ---- pieces ---- */

static void end_literal(struct pattern_reader *reader)
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
static struct pattern_piece put_one(struct pattern_reader *reader, uint32_t character)
{
    struct pattern *out = reader->out;
    char bytes[4];
    uint32_t count;

    if (reader->flags & PATTERN_FOLDS &&
        (character >= 0x80 || ((character | 0x20) >= 'a' && (character | 0x20) <= 'z'))) {
        struct pattern_class class; /* large */
        class.count = 1;
        class.range[0] = (struct pattern_range){character, character};
        class.property_count = 0;
        class.is_negated = false;
        end_literal(reader);
        return pattern_class_put(reader, &class);
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
    pattern_put_character(reader, character);
    out->is_wide = out->is_wide || character >= 0x80;
    return (struct pattern_piece){character >= 0x80 ? PATTERN_WIDE_PLACES : 1, .repeats = 1,
                                  .is_character = true, .is_taking = true};
}

static struct pattern_piece put_assertion(struct pattern_reader *reader, const char *word)
{
    pattern_put(reader, word);
    return (struct pattern_piece){.repeats = 1, .is_assertion = true};
}

static struct pattern_piece put_begin(struct pattern_reader *reader)
{
    struct pattern_piece piece;

    if ((reader->flags & PATTERN_MULTILINE) == 0)
        return put_assertion(reader, "\\A");
    piece = put_assertion(reader, "(?m:^)");
    piece.ends_at_line_begin = true;
    return piece;
}

static struct pattern_piece take_alternation(struct pattern_reader *reader);

/* (?flags) and (?flags: ; true when a group begins. */
static bool take_flags(struct pattern_reader *reader, uint32_t from)
{
    bool is_off = false;
    unsigned flags = reader->flags;

    for (; pattern_more(reader); reader->at++) {
        char c = reader->text[reader->at];
        unsigned flag = c == 'i'   ? PATTERN_FOLDS
                        : c == 'm' ? PATTERN_MULTILINE
                        : c == 's' ? PATTERN_DOT_ALL
                        : c == 'U' ? PATTERN_UNGREEDY
                                   : 0;
        if (c == ':' || c == ')') {
            reader->at++;
            reader->flags = flags;
            return c == ':';
        }
        if (c == '-' && !is_off) {
            is_off = true;
        } else if (flag != 0) {
            flags = is_off ? flags & ~flag : flags | flag;
        } else {
            pattern_refuse(reader, from, reader->at + 1,
                           "RE2 knows the flags i, m, s and U, not %c",
                           (unsigned char)c < 0x80 && c > ' ' ? c : '?');
            return false;
        }
    }
    pattern_refuse(reader, from, reader->end, "the flags have no end: ) is missing");
    return false;
}

/* A name that is written once, if it matters. `number` is what it gets. */
static bool add_group(struct pattern_reader *reader, uint32_t from, uint32_t bytes,
                      uint32_t *number)
{
    struct pattern_groups *groups = reader->groups;

    if (groups == NULL)
        return true;
    for (uint32_t i = 0; i < groups->count; i++)
        if (groups->group[i].bytes == bytes &&
            memcmp(reader->text + groups->group[i].from, reader->text + from, bytes) == 0)
            return pattern_refuse(reader, from, from + bytes,
                                  "two groups have this name: of which is the label?");
    if (groups->count == PATTERN_GROUPS_MAX)
        return pattern_refuse(reader, from, from + bytes, "a pattern has at most %d named groups",
                              PATTERN_GROUPS_MAX);
    *number = groups->count++;
    groups->group[*number].from = from;
    groups->group[*number].bytes = bytes;
    return true;
}

/* What stands behind "(?"; true when a group begins. */
static bool take_group_head(struct pattern_reader *reader, uint32_t from, uint32_t *number)
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
        if (pattern_next_are(reader, refused[i].head)) {
            pattern_refuse(reader, from, reader->at + (uint32_t)strlen(refused[i].head),
                           "%s is not part of RE2%s", refused[i].what,
                           refused[i].head[0] == '#' ? "" : ": it takes more than linear time");
            return false;
        }
    if (!pattern_next_are(reader, "P<") && !pattern_next_are(reader, "<"))
        return take_flags(reader, from);
    reader->at += pattern_next_is(reader, 'P') ? 2 : 1;
    name = reader->at;
    pattern_take_name(reader);
    if (reader->at == name || !pattern_next_is(reader, '>')) {
        pattern_refuse(reader, from, reader->at,
                       "a group's name is made of letters, digits and _, and ends with >");
        return false;
    }
    reader->at++;
    return add_group(reader, name, reader->at - 1 - name, number);
}

static void put_group_head(struct pattern_reader *reader, uint32_t number)
{
    char word[16];

    snprintf(word, sizeof(word), "(?P<%u>", (unsigned)number);
    pattern_put(reader, number != UINT32_MAX ? word : "(?:");
}

static struct pattern_piece take_group(struct pattern_reader *reader)
{
    uint32_t from = reader->at++, number = UINT32_MAX;
    unsigned flags = reader->flags;
    struct pattern_piece inside;

    if (pattern_next_is(reader, '?')) {
        reader->at++;
        if (!take_group_head(reader, from, &number))
            return (struct pattern_piece){.is_nothing = true};
    }
    end_literal(reader);
    if (++reader->depth > PATTERN_DEPTH_MAX) {
        pattern_refuse(reader, from, reader->at, "groups are nested deeper than %d",
                       PATTERN_DEPTH_MAX);
        return (struct pattern_piece){0};
    }
    put_group_head(reader, number);
    inside = take_alternation(reader);
    reader->depth--;
    reader->flags = flags;
    if (!reader->is_bad && !pattern_next_is(reader, ')'))
        pattern_refuse(reader, from, from + 1, "the group has no end: ) is missing");
    reader->at++;
    pattern_put(reader, ")");
    inside.is_assertion = false;
    return inside;
}

static struct pattern_piece take_backslash(struct pattern_reader *reader)
{
    uint32_t from = reader->at, character;
    struct pattern_class class; /* large */
    char c;

    class.count = class.property_count = 0;
    class.is_negated = false;

    if (pattern_take_perl_class(reader, &class) || pattern_take_property(reader, &class)) {
        end_literal(reader);
        return reader->is_bad ? (struct pattern_piece){0} : pattern_class_put(reader, &class);
    }
    c = from + 1 < reader->end ? reader->text[from + 1] : '\0';
    if (c == 'b' || c == 'B') {
        reader->at += 2;
        end_literal(reader);
        reader->out->asks_no_border = reader->out->asks_no_border || c == 'B';
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
    if (!pattern_take_escape(reader, from, &character))
        return (struct pattern_piece){0};
    return put_one(reader, character);
}

/* One thing that a repetition may follow. */
static struct pattern_piece take_one(struct pattern_reader *reader)
{
    struct pattern *out = reader->out;

    switch (reader->text[reader->at]) {
    case '(':
        return take_group(reader);
    case '[':
        end_literal(reader);
        return pattern_take_class(reader);
    case '\\':
        return take_backslash(reader);
    case '.':
        reader->at++;
        end_literal(reader);
        out->is_wide = true;
        pattern_put(reader, reader->flags & PATTERN_DOT_ALL ? "." : "[^\\x{a}]");
        return (struct pattern_piece){PATTERN_WIDE_PLACES, .repeats = 1, .is_taking = true};
    case '^':
        reader->at++;
        if (reader->flags & PATTERN_MULTILINE || out->bytes > 0)
            end_literal(reader);
        else
            out->at_start = true;
        return put_begin(reader);
    case '$':
        reader->at++;
        if (reader->flags & PATTERN_MULTILINE)
            end_literal(reader);
        else
            out->at_end = true;
        return put_assertion(reader, reader->flags & PATTERN_MULTILINE ? "(?m:$)" : "\\z");
    default:
        return put_one(reader, pattern_take_character(reader));
    }
}

struct repetition {
    uint32_t min, max; /* max 0: no bound */
};

/* "{2}", "{2,}", "{2,5}"; whatever else begins with { stands for itself. */
static bool take_counts(struct pattern_reader *reader, struct repetition *out)
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
        pattern_refuse(reader, reader->at, at + 1, "something is repeated more than %d times",
                       PATTERN_REPEAT_MAX);
    else if ((side == 0 || digits[1] > 0) && out->max < out->min)
        pattern_refuse(reader, reader->at, at + 1, "the repetition runs backwards");
    else if (side == 1 ? digits[1] > 0 && out->max == 0 : out->max == 0)
        out->max = UINT32_MAX; /* not at all */
    reader->at = at + 1;
    return true;
}

static bool take_repetition(struct pattern_reader *reader, struct repetition *out)
{
    char c = pattern_more(reader) && !reader->in_quote ? reader->text[reader->at] : '\0';

    if (c == '{')
        return take_counts(reader, out);
    if (c != '*' && c != '+' && c != '?')
        return false;
    *out = (struct repetition){c == '+', c == '?'};
    reader->at++;
    return true;
}

static void put_repetition(struct pattern_reader *reader, const struct repetition *repetition,
                           bool is_lazy)
{
    char word[32];

    if (repetition->max == 0 && repetition->min <= 1)
        snprintf(word, sizeof(word), "%c", repetition->min == 1 ? '+' : '*');
    else if (repetition->max == 0)
        snprintf(word, sizeof(word), "{%u,}", (unsigned)repetition->min);
    else
        snprintf(word, sizeof(word), "{%u,%u}", (unsigned)repetition->min,
                 (unsigned)repetition->max);
    pattern_put(reader, word);
    if (is_lazy && reader->groups != NULL)
        pattern_put(reader, "?");
}

/* Applies what follows a piece that was written from `written` on and whose literal began at
 * `literal`. */
static void repeat(struct pattern_reader *reader, struct pattern_piece *piece, uint32_t from,
                   uint32_t written, uint32_t literal)
{
    struct repetition repetition;
    uint32_t at = reader->at, times;
    bool is_lazy = (reader->flags & PATTERN_UNGREEDY) != 0;

    if (!take_repetition(reader, &repetition) || reader->is_bad)
        return;
    /* The last character may be there or not; what stands before it stays. */
    reader->out->literal_bytes =
        literal < reader->out->literal_bytes ? literal : reader->out->literal_bytes;
    end_literal(reader);
    if (pattern_next_is(reader, '?')) {
        reader->at++; /* as few as possible: turned round by (?U) */
        is_lazy = !is_lazy;
    }
    piece->is_repeated = true;
    piece->may_lack = repetition.min == 0;
    piece->is_taking = piece->is_taking && repetition.min > 0;
    times = reader->at;
    if (take_repetition(reader, &(struct repetition){0, 0})) {
        reader->is_bad = false;
        pattern_refuse(reader, at, reader->at,
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
        pattern_put(reader, "(?:)");
        *piece = (struct pattern_piece){.repeats = 1, .is_repeated = true, .may_lack = true};
        return;
    }
    times = repetition.max > 0 ? repetition.max : repetition.min > 0 ? repetition.min : 1;
    piece->repeats *= times;
    piece->places *= times;
    if (piece->repeats > PATTERN_REPEAT_MAX)
        pattern_refuse(reader, from, reader->at,
                       "repetitions inside of each other come to more than %d", PATTERN_REPEAT_MAX);
    put_repetition(reader, &repetition, is_lazy);
}

/* What building costs depends on all of the pattern, one side after the other too. */
static void check_size(struct pattern_reader *reader, uint32_t places)
{
    if (places > PATTERN_PLACES_MAX)
        pattern_refuse(
            reader, 0, reader->at,
            "the pattern is too large: written out it has more than %d places, and a . has "
            "four; write .* where the length does not matter",
            PATTERN_PLACES_MAX);
}

static struct pattern_piece take_chain(struct pattern_reader *reader)
{
    struct pattern_piece chain = {.repeats = 1};

    while (!reader->is_bad && pattern_more(reader)) {
        uint32_t from = reader->at, written = reader->out->bytes,
                 literal = reader->out->literal_bytes, part = reader->part_used;
        struct repetition repetition;
        struct pattern_piece piece;
        reader->piece_from = from;
        if (reader->in_quote && pattern_next_are(reader, "\\E")) {
            reader->in_quote = false;
            reader->at += 2;
            continue;
        }
        if (!reader->in_quote && pattern_next_are(reader, "\\Q")) {
            reader->in_quote = true;
            reader->at += 2;
            continue;
        }
        if (reader->in_quote) {
            piece = put_one(reader, pattern_take_character(reader));
            if (pattern_next_are(reader, "\\E")) {
                reader->in_quote = false;
                reader->at += 2;
            }
        } else if (pattern_next_is(reader, '|') || pattern_next_is(reader, ')')) {
            break;
        } else if (take_repetition(reader, &repetition)) {
            pattern_refuse(reader, from, reader->at, "nothing stands before this repetition");
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
        chain.ends_at_line_begin =
            piece.ends_at_line_begin || (chain.ends_at_line_begin && !piece.is_taking);
        chain.is_taking = chain.is_taking || piece.is_taking;
        chain.places += piece.places;
        chain.repeats = chain.repeats > piece.repeats ? chain.repeats : piece.repeats;
        check_size(reader, chain.places);
    }
    return chain;
}

static struct pattern_piece take_alternation(struct pattern_reader *reader)
{
    struct pattern_piece all = take_chain(reader);

    while (!reader->is_bad && pattern_next_is(reader, '|')) {
        struct pattern_piece side;
        reader->at++;
        end_literal(reader);
        if (reader->depth == 0) {
            reader->out->literal_bytes = 0; /* one of several beginnings */
            reader->has_sides = true;
        }
        pattern_put(reader, "|");
        side = take_chain(reader);
        all.ends_at_line_begin = all.ends_at_line_begin || side.ends_at_line_begin;
        all.is_taking = all.is_taking && side.is_taking;
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

static bool read_whole(struct text text, struct pattern *out, struct pattern_groups *groups,
                       struct pattern_fault *fault)
{
    struct pattern_reader reader = {
        .text = text.at, .end = text.len, .out = out, .groups = groups, .fault = fault};
    struct pattern_piece all;
    uint32_t bad;

    out->bytes = out->places = out->literal_bytes = out->part_count = 0;
    out->is_wide = out->asks_unicode = out->asks_no_border = out->at_start = out->at_end = false;
    out->is_literal = true;
    if (text.len > PATTERN_BYTES_MAX)
        return pattern_refuse(&reader, PATTERN_BYTES_MAX, text.len,
                              "a pattern has at most %d bytes", PATTERN_BYTES_MAX);
    bad = find_bad_byte(text);
    if (bad < text.len)
        return pattern_refuse(&reader, bad, bad + 1, "this is not UTF-8");
    all = take_alternation(&reader);
    if (!reader.is_bad && pattern_more(&reader))
        return pattern_refuse(&reader, reader.at, reader.at + 1,
                              "no group is open that ) could end");
    end_part(&reader);
    if (reader.has_sides) {
        out->part_count = 0;
        out->at_start = false; /* of the first side alone */
    }
    out->places = all.places;
    out->ends_at_line_begin = all.ends_at_line_begin;
    out->written[out->bytes] = '\0';
    if (out->literal_bytes == 0)
        out->is_literal = false;
    return !reader.is_bad;
}

bool pattern_read(struct text text, struct pattern *out, struct pattern_fault *fault)
{
    return read_whole(text, out, NULL, fault);
}

bool pattern_read_groups(struct text text, struct pattern *out, struct pattern_groups *groups,
                         struct pattern_fault *fault)
{
    groups->count = 0;
    return read_whole(text, out, groups, fault);
}

bool pattern_check(struct text text, struct pattern_fault *fault)
{
    struct pattern pattern;

    return pattern_read(text, &pattern, fault);
}
