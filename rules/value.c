/* value.c - see value.h. */
#include "rules/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/severity.h"
#include "rules/lexer.h"
#include "rules/timestamp.h"

static const char too_large[] = "the result is too large";
static const char no_room[] = "the text is too long";

static bool is_number(enum value_type type)
{
    return type == TYPE_INT || type == TYPE_DOUBLE;
}

/* ---- arithmetic ---- */

bool arithmetic_type(enum arithmetic sign, enum value_type left, enum value_type right,
                     enum value_type *out)
{
    if (is_number(left) && is_number(right)) {
        *out = left == TYPE_INT && right == TYPE_INT ? TYPE_INT : TYPE_DOUBLE;
        return sign != ARITHMETIC_REMAINDER || *out == TYPE_INT;
    }
    if (sign == ARITHMETIC_ADD && left == TYPE_TEXT && right == TYPE_TEXT) {
        *out = TYPE_TEXT;
        return true;
    }
    if (sign == ARITHMETIC_SUBTRACT && left == TYPE_TIME && right == TYPE_TIME) {
        *out = TYPE_DURATION;
        return true;
    }
    if (sign != ARITHMETIC_ADD && sign != ARITHMETIC_SUBTRACT)
        return false;
    *out = left == TYPE_TIME || right == TYPE_TIME ? TYPE_TIME : TYPE_DURATION;
    return (left == TYPE_DURATION && right == TYPE_DURATION) ||
           (left == TYPE_TIME && right == TYPE_DURATION) ||
           (left == TYPE_DURATION && right == TYPE_TIME && sign == ARITHMETIC_ADD);
}

static const char *compute_whole(enum arithmetic sign, int64_t a, int64_t b, int64_t *out)
{
    bool is_over = false;

    switch (sign) {
    case ARITHMETIC_ADD:
        is_over = __builtin_add_overflow(a, b, out);
        break;
    case ARITHMETIC_SUBTRACT:
        is_over = __builtin_sub_overflow(a, b, out);
        break;
    case ARITHMETIC_MULTIPLY:
        is_over = __builtin_mul_overflow(a, b, out);
        break;
    default:
        if (b == 0)
            return "division by zero";
        /* The one quotient that does not fit; its remainder traps as well. */
        if (a == INT64_MIN && b == -1)
            return too_large;
        *out = sign == ARITHMETIC_DIVIDE ? a / b : a % b;
    }
    return is_over ? too_large : NULL;
}

static bool is_finite(double number)
{
    return number - number == 0;
}

/* One operation per statement, each rounded by itself: the build switches contraction off. */
static const char *compute_real(enum arithmetic sign, double a, double b, double *out)
{
    if (sign == ARITHMETIC_DIVIDE && b == 0)
        return "division by zero";
    *out = sign == ARITHMETIC_ADD        ? a + b
           : sign == ARITHMETIC_SUBTRACT ? a - b
           : sign == ARITHMETIC_MULTIPLY ? a * b
                                         : a / b;
    return is_finite(*out) ? NULL : too_large;
}

static char *room_take(struct text_room *room, uint64_t bytes)
{
    char *at;

    if (room == NULL || bytes > room->bytes - room->used)
        return NULL;
    at = room->at + room->used;
    room->used += (uint32_t)bytes;
    return at;
}

static const char *join(struct text a, struct text b, struct text_room *room, struct value *out)
{
    char *to = room_take(room, (uint64_t)a.len + b.len);

    if (to == NULL)
        return no_room;
    if (a.len > 0)
        memcpy(to, a.at, a.len);
    if (b.len > 0)
        memcpy(to + a.len, b.at, b.len);
    *out = (struct value){.type = TYPE_TEXT, .text = {to, a.len + b.len}};
    return NULL;
}

static double as_real(const struct value *value)
{
    return value->type == TYPE_INT ? (double)value->number : value->real;
}

const char *value_compute(enum arithmetic sign, const struct value *left, const struct value *right,
                          struct text_room *room, struct value *out)
{
    struct value result = {0};
    enum value_type type;
    const char *why;

    if (!arithmetic_type(sign, (enum value_type)left->type, (enum value_type)right->type, &type))
        return "these types do not go together";
    result.type = (uint8_t)type;
    if (type == TYPE_TEXT)
        return join(left->text, right->text, room, out);
    if (type == TYPE_DOUBLE)
        why = compute_real(sign, as_real(left), as_real(right), &result.real);
    else
        why = compute_whole(sign, left->number, right->number, &result.number);
    if (why == NULL && type == TYPE_TIME && !timestamp_is_known(result.number))
        why = "the time is not between the years 1 and 9999";
    if (why == NULL)
        *out = result;
    return why;
}

const char *value_negate(const struct value *value, struct value *out)
{
    struct value result = *value;

    if (value->type == TYPE_DOUBLE)
        result.real = -value->real;
    else if (value->number == INT64_MIN)
        return too_large;
    else
        result.number = -value->number;
    *out = result;
    return NULL;
}

/* ---- conversions ---- */

static const char *whole_of_text(struct text text, int64_t *out)
{
    static const char why[] = "the text is no whole number";
    bool is_negative = text.len > 0 && text.at[0] == '-';
    uint32_t i = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+');
    int64_t number = 0;

    if (i == text.len)
        return why;
    /* Downwards, where there is one number more. */
    for (; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return why;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, text.at[i] - '0', &number))
            return too_large;
    }
    if (!is_negative && number == INT64_MIN)
        return too_large;
    *out = is_negative ? number : -number;
    return NULL;
}

static uint32_t skip_digits(struct text text, uint32_t at)
{
    while (at < text.len && text.at[at] >= '0' && text.at[at] <= '9')
        at++;
    return at;
}

/* [sign] digits [. digits] [e [sign] digits], and nothing else that strtod() would take. */
static bool is_real_text(struct text text)
{
    uint32_t from = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+');
    uint32_t at = skip_digits(text, from), to;

    if (at == from)
        return false;
    if (at < text.len && text.at[at] == '.') {
        to = skip_digits(text, at + 1);
        if (to == at + 1)
            return false;
        at = to;
    }
    if (at < text.len && (text.at[at] == 'e' || text.at[at] == 'E')) {
        at++;
        at += at < text.len && (text.at[at] == '-' || text.at[at] == '+');
        to = skip_digits(text, at);
        if (to == at)
            return false;
        at = to;
    }
    return at == text.len;
}

static const char *real_of_text(struct text text, double *out)
{
    enum { REAL_TEXT_BYTES = 100 };
    char copy[REAL_TEXT_BYTES + 1], *end;

    if (text.len > REAL_TEXT_BYTES || !is_real_text(text))
        return "the text is no number";
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, &end);
    if (end != copy + text.len)
        return "the text is no number";
    return is_finite(*out) ? NULL : too_large;
}

static const char *whole_of(const struct value *value, int64_t *out)
{
    if (value->type == TYPE_TEXT)
        return whole_of_text(value->text, out);
    if (value->type == TYPE_TIME) { /* seconds since 1970, downwards */
        *out = value->number / 1000 - (value->number % 1000 < 0);
        return NULL;
    }
    if (value->type != TYPE_DOUBLE) {
        *out = value->number;
        return NULL;
    }
    /* 2^63 is a double, 2^63 - 1 is none. */
    if (value->real < -9223372036854775808.0 || value->real >= 9223372036854775808.0)
        return too_large;
    *out = (int64_t)value->real;
    return NULL;
}

_Static_assert((int)DURATION_TEXT_BYTES >= (int)NUMBER_TEXT_BYTES &&
                   (int)DURATION_TEXT_BYTES >= (int)TIMESTAMP_TEXT_BYTES,
               "any number fits");

static const char *text_of(const struct value *value, struct text_room *room, struct value *out)
{
    char words[DURATION_TEXT_BYTES], *to; /* the longest of them */
    uint32_t len;

    switch ((enum value_type)value->type) {
    case TYPE_TEXT:
        *out = *value;
        return NULL;
    case TYPE_BOOL:
        *out = (struct value){.type = TYPE_TEXT,
                              .text = {value->number ? "true" : "false", value->number ? 4 : 5}};
        return NULL;
    case TYPE_SEVERITY: {
        const char *name = severity_name((enum severity)value->number);
        *out = (struct value){.type = TYPE_TEXT, .text = {name, (uint32_t)strlen(name)}};
        return NULL;
    }
    case TYPE_DOUBLE:
        len = number_print(value->real, words);
        break;
    case TYPE_DURATION:
        len = duration_print(value->number, words);
        break;
    case TYPE_TIME:
        len = timestamp_print(value->number, words);
        break;
    default:
        snprintf(words, sizeof(words), "%" PRId64, value->number);
        len = (uint32_t)strlen(words);
    }
    to = room_take(room, len);
    if (to == NULL)
        return no_room;
    memcpy(to, words, len);
    *out = (struct value){.type = TYPE_TEXT, .text = {to, len}};
    return NULL;
}

bool value_converts(enum value_type to, enum value_type from)
{
    switch (to) {
    case TYPE_TEXT:
        return from <= TYPE_SEVERITY;
    case TYPE_INT:
        return is_number(from) || from == TYPE_TEXT || from == TYPE_TIME;
    case TYPE_DOUBLE:
        return is_number(from) || from == TYPE_TEXT;
    case TYPE_TIME:
        return from == TYPE_TEXT || from == TYPE_TIME || from == TYPE_INT;
    case TYPE_DURATION:
        return from == TYPE_TEXT || from == TYPE_DURATION;
    case TYPE_SEVERITY:
        return from == TYPE_TEXT || from == TYPE_SEVERITY;
    default:
        return false;
    }
}

/* The words that an event may say it with: a table or label holds what foreign systems write. */
static const char *severity_of(const struct value *value, int64_t *out)
{
    *out = value->type == TYPE_TEXT ? severity_from_word(value->text) : value->number;
    return *out != WORD_UNKNOWN ? NULL : "the text names no severity";
}

static const char *time_of(const struct value *value, int64_t *out)
{
    if (value->type == TYPE_TEXT)
        return timestamp_parse(value->text, out);
    if (value->type == TYPE_TIME)
        *out = value->number;
    else if (__builtin_mul_overflow(value->number, 1000, out))
        return too_large;
    return timestamp_is_known(*out) ? NULL : "the time is not between the years 1 and 9999";
}

const char *value_convert(enum value_type to, const struct value *value, struct text_room *room,
                          struct value *out)
{
    struct value result = {.type = (uint8_t)to};
    const char *why = NULL;

    switch (to) {
    case TYPE_TEXT:
        return text_of(value, room, out);
    case TYPE_INT:
        why = whole_of(value, &result.number);
        break;
    case TYPE_DOUBLE:
        if (value->type == TYPE_TEXT)
            why = real_of_text(value->text, &result.real);
        else
            result.real = as_real(value);
        break;
    case TYPE_TIME:
        why = time_of(value, &result.number);
        break;
    case TYPE_SEVERITY:
        why = severity_of(value, &result.number);
        break;
    default:
        if (value->type == TYPE_TEXT)
            why = duration_parse(value->text, &result.number);
        else
            result.number = value->number;
    }
    if (why == NULL)
        *out = result;
    return why;
}

/* ---- text ---- */

const char *text_change_case(struct text text, bool to_upper, struct text_room *room,
                             struct value *out)
{
    char first = to_upper ? 'a' : 'A', last = to_upper ? 'z' : 'Z', *to;

    to = room_take(room, text.len);
    if (to == NULL)
        return no_room;
    for (uint32_t i = 0; i < text.len; i++)
        to[i] = text.at[i] >= first && text.at[i] <= last ? (char)(text.at[i] ^ 0x20) : text.at[i];
    *out = (struct value){.type = TYPE_TEXT, .text = {to, text.len}};
    return NULL;
}

int64_t text_size(struct text text)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    return count;
}

int text_order(struct text a, struct text b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* ---- order ---- */

/* A whole number against a real one, without rounding either. */
static int order_mixed(int64_t whole, double real)
{
    int64_t floor;

    if (real >= 9223372036854775808.0)
        return -1;
    if (real < -9223372036854775808.0)
        return 1;
    floor = (int64_t)real; /* towards zero */
    if (whole != floor)
        return whole < floor ? -1 : 1;
    real -= (double)floor; /* exact: what is behind the point */
    return (real < 0) - (real > 0);
}

int value_order(const struct value *a, const struct value *b)
{
    if (a->type == TYPE_TEXT)
        return text_order(a->text, b->text);
    if (a->type == TYPE_DOUBLE && b->type == TYPE_DOUBLE)
        return (a->real > b->real) - (a->real < b->real);
    if (a->type == TYPE_DOUBLE)
        return -order_mixed(b->number, a->real);
    if (b->type == TYPE_DOUBLE)
        return order_mixed(a->number, b->real);
    return (a->number > b->number) - (a->number < b->number);
}

/* ---- numbers as text ---- */

uint32_t number_print(double number, char to[NUMBER_TEXT_BYTES])
{
    uint32_t len;

    if (number == 0)
        number = 0; /* -0 is 0 */
    if (number > -1e15 && number < 1e15 && number == (double)(int64_t)number) {
        snprintf(to, NUMBER_TEXT_BYTES, "%" PRId64, (int64_t)number);
        return (uint32_t)strlen(to);
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(to, NUMBER_TEXT_BYTES, "%.*g", digits, number);
        if (strtod(to, NULL) == number)
            break;
    }
    /* The one byte that a locale may change. */
    len = (uint32_t)strlen(to);
    for (uint32_t i = 0; i < len; i++)
        if (to[i] == ',')
            to[i] = '.';
    return len;
}

uint32_t duration_print(int64_t ms, char to[DURATION_TEXT_BYTES])
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    uint32_t used = 0;

    if (ms == 0) {
        memcpy(to, "0ms", 4);
        return 3;
    }
    if (ms < 0)
        to[used++] = '-';
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t count = left / units[i].ms;
        left %= units[i].ms;
        if (count > 0)
            used += (uint32_t)snprintf(to + used, DURATION_TEXT_BYTES - used, "%" PRIu64 "%s",
                                       count, units[i].name);
    }
    return used;
}
