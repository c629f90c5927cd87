/* lexer.c - see lexer.h. */
#include "rules/lexer.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

void lexer_init(struct lexer *lexer, const struct yaml_node *node, uint32_t from, uint32_t to,
                struct arena *arena, struct diagnostics *diag)
{
    *lexer = (struct lexer){node, node->text.at, from, to, arena, diag};
}

static char peek(const struct lexer *lexer, uint32_t ahead)
{
    return lexer->end - lexer->at > ahead ? lexer->text[lexer->at + ahead] : '\0';
}

static void fail(struct lexer *lexer, struct token *token, uint32_t from, uint32_t to,
                 const char *why)
{
    diagnose(lexer->diag, yaml_node_span(lexer->node, from, to), "%s", why);
    token->kind = TOKEN_BAD;
    lexer->at = lexer->end;
}

/* ---- numbers ---- */

/* Digits into a number; false when it passes 2^63 - 1. */
static bool digits_parse(const char *at, uint32_t count, int64_t *out)
{
    uint64_t number = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t digit = (uint64_t)(at[i] - '0');
        if (number > (INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = (int64_t)number;
    return true;
}

static uint32_t count_digits(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && is_digit(*at))
        at++;
    return (uint32_t)(at - from);
}

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { UNITS = sizeof(units) / sizeof(units[0]) };

const char *duration_parse(struct text text, int64_t *ms)
{
    const char *at = text.at, *end = text.at + text.len;
    int next_unit = 0; /* units go from large to small, each once */
    int64_t sum = 0;

    if (at == end)
        return "a duration is a number and a unit, for example 10m";
    while (at < end) {
        uint32_t digits = count_digits(at, end), letters = 0;
        const char *word = at + digits;
        int64_t number;
        int unit = 0;
        if (digits == 0)
            return "a duration is a number and a unit, for example 10m or 1h30m";
        while (word + letters < end && is_letter(word[letters]))
            letters++;
        if (letters == 0 && word < end && *word == ' ')
            return "a duration has no blank, and its unit is ms, s, m, h or d: 10m";
        if (letters == 0 && word < end && *word == '.')
            return "a duration is made of whole numbers, as in 30m or 1h30m";
        if (letters == 0)
            return "a duration needs a unit: ms, s, m, h or d";
        while (unit < UNITS && (strlen(units[unit].name) != letters ||
                                memcmp(units[unit].name, word, letters) != 0))
            unit++;
        if (unit == UNITS)
            return "a duration's unit is ms, s, m, h or d";
        if (unit < next_unit)
            return "the units of a duration go from large to small: 1h30m";
        if (!digits_parse(at, digits, &number) || number > INT64_MAX / units[unit].ms ||
            sum > INT64_MAX - number * units[unit].ms)
            return "this duration is too long";
        sum += number * units[unit].ms;
        next_unit = unit + 1;
        at = word + letters;
    }
    *ms = sum;
    return NULL;
}

bool lexer_read_duration(const struct yaml_node *node, struct diagnostics *diag, int64_t *ms)
{
    const char *why = duration_parse(node->text, ms);

    if (why != NULL)
        diagnose(diag, node->span, "%s", why);
    return why == NULL;
}

/* A decimal that a double holds exactly enough: at most 15 significant digits and
 * a power of ten up to 22 need one correctly rounded operation.
 * Source: W. D. Clinger, How to Read Floating Point Numbers Accurately, 1990. */
static bool real_parse(const char *at, const char *end, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int64_t mantissa = 0;
    int digits = 0, scale = 0, exponent = 0;
    bool is_fraction = false, is_negative = false;

    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            is_fraction = true;
            continue;
        }
        mantissa = mantissa * 10 + (*at - '0');
        digits += mantissa != 0;
        scale -= is_fraction;
        if (digits > 15)
            return false;
    }
    if (at < end) {
        at++;
        is_negative = *at == '-';
        at += *at == '-' || *at == '+';
        for (; at < end; at++)
            if ((exponent = exponent * 10 + (*at - '0')) > 999)
                return false;
    }
    scale += is_negative ? -exponent : exponent;
    if (mantissa != 0 && (scale < -22 || scale > 22))
        return false;
    *out = mantissa == 0 ? 0.0
           : scale < 0   ? (double)mantissa / powers[-scale]
                         : (double)mantissa * powers[scale];
    return true;
}

static void lex_real(struct lexer *lexer, struct token *token)
{
    const char *from = lexer->text + lexer->at, *end = lexer->text + lexer->end, *at = from;

    at += count_digits(at, end);
    if (at < end && *at == '.')
        at += 1 + count_digits(at + 1, end);
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '-' || *at == '+');
        if (count_digits(at, end) == 0) {
            fail(lexer, token, token->from, (uint32_t)(at - lexer->text),
                 "an exponent needs digits, for example 1e6");
            return;
        }
        at += count_digits(at, end);
    }
    token->kind = TOKEN_DOUBLE;
    lexer->at = (uint32_t)(at - lexer->text);
    if (lexer->at < lexer->end && is_letter(*at))
        fail(lexer, token, token->from, lexer->at + 1,
             "a unit follows a whole number only: 1h30m instead of 1.5h");
    else if (!real_parse(from, at, &token->real))
        fail(lexer, token, token->from, lexer->at,
             "a number has at most 15 digits and lies between 1e-22 and 1e22");
}

static void lex_number(struct lexer *lexer, struct token *token)
{
    const char *from = lexer->text + lexer->at, *end = lexer->text + lexer->end;
    uint32_t digits = count_digits(from, end);
    char next = peek(lexer, digits), after = peek(lexer, digits + 1);

    if ((next == '.' && is_digit(after)) ||
        ((next == 'e' || next == 'E') && (is_digit(after) || after == '-' || after == '+'))) {
        lex_real(lexer, token);
    } else if (is_letter(next)) {
        uint32_t length = digits;
        while (is_digit(peek(lexer, length)) || is_letter(peek(lexer, length)))
            length++;
        const char *why = duration_parse((struct text){from, length}, &token->number);
        token->kind = TOKEN_DURATION;
        lexer->at += length;
        if (why != NULL)
            fail(lexer, token, token->from, token->from + length, why);
    } else {
        token->kind = TOKEN_INT;
        lexer->at += digits;
        if (!digits_parse(from, digits, &token->number))
            fail(lexer, token, token->from, lexer->at, "this number is larger than 2^63 - 1");
    }
}

/* ---- strings ---- */

static int hex_value(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static uint32_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    to[0] = (char)(0xe0 | code >> 12);
    to[1] = (char)(0x80 | (code >> 6 & 0x3f));
    to[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* Resolves the escape at `at` (behind the backslash). Returns its length, 0 when
 * there is no such escape. */
static uint32_t lex_escape(const char *at, const char *end, char *to, uint32_t *put)
{
    static const char letters[] = "\\\\\"\"''n\nt\tr\r``";
    uint32_t code = 0;

    *put = 1;
    if (at == end)
        return 0;
    for (size_t i = 0; i + 1 < sizeof(letters); i += 2) {
        if (letters[i] == *at) {
            *to = letters[i + 1];
            return 1;
        }
    }
    if (*at != 'u' || end - at < 5)
        return 0;
    for (int i = 1; i <= 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return 0;
        code = code << 4 | (uint32_t)digit;
    }
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *put = put_utf8(to, code);
    return 5;
}

/* Bytes up to the quote that ends the text, or to the end. */
static uint32_t string_bytes(const struct lexer *lexer, uint32_t at, char quote, bool is_raw)
{
    uint32_t from = at;

    while (at < lexer->end && lexer->text[at] != quote)
        at += lexer->text[at] == '\\' && !is_raw ? 2 : 1;
    return (at < lexer->end ? at : lexer->end) - from;
}

static void lex_string(struct lexer *lexer, struct token *token, bool is_raw)
{
    const char *text = lexer->text;
    char quote = text[lexer->at], *to;
    uint32_t at = lexer->at + 1, used = 0;

    /* An escape is never shorter than what it stands for. */
    to = arena_alloc(lexer->arena, (size_t)string_bytes(lexer, at, quote, is_raw) + 1);
    token->kind = TOKEN_STRING;
    if (to == NULL) {
        diagnose_memory(lexer->diag);
        token->kind = TOKEN_BAD;
        return;
    }
    while (at < lexer->end && text[at] != quote) {
        if (text[at] == '\\' && !is_raw) {
            uint32_t put = 0;
            uint32_t length = lex_escape(text + at + 1, text + lexer->end, to + used, &put);
            if (length == 0) {
                fail(lexer, token, at, at + 2 < lexer->end ? at + 2 : lexer->end,
                     "after a backslash comes \\, a quote, n, t, r or u and four hex digits; "
                     "before a pattern write r: r\"\\d+\"");
                return;
            }
            used += put;
            at += 1 + length;
        } else {
            to[used++] = text[at++];
        }
    }
    if (at == lexer->end) {
        fail(lexer, token, token->from, token->from + 1, "the text that begins here has no end");
        return;
    }
    token->text = (struct text){to, used};
    lexer->at = at + 1;
}

/* ---- tokens ---- */

static const struct sign {
    char text[3];
    enum token_kind kind;
} signs[] = {
    /* longer ones first */
    {"&&", TOKEN_AND},      {"||", TOKEN_OR},        {"==", TOKEN_EQ},   {"!=", TOKEN_NE},
    {"<=", TOKEN_LE},       {">=", TOKEN_GE},        {"<", TOKEN_LT},    {">", TOKEN_GT},
    {"!", TOKEN_NOT},       {"-", TOKEN_MINUS},      {"(", TOKEN_OPEN},  {")", TOKEN_CLOSE},
    {"[", TOKEN_LIST_OPEN}, {"]", TOKEN_LIST_CLOSE}, {",", TOKEN_COMMA}, {".", TOKEN_DOT},
    {"+", TOKEN_PLUS},      {"*", TOKEN_STAR},       {"/", TOKEN_SLASH}, {"%", TOKEN_PERCENT},
    {"?", TOKEN_QUESTION},  {":", TOKEN_COLON},
};

/* Other languages ask for patterns by a sign: =~, !~, ~. None of these begins anything here. */
static const char *pattern_sign(char c, char next)
{
    return c == '!' && next == '~' ? "a pattern is asked for by a function: write "
                                     "!FIELD.matches(r\"...\"), or != for another text"
           : c == '~' || (c == '=' && next == '~')
               ? "a pattern is asked for by a function: write FIELD.matches(r\"...\")"
               : NULL;
}

/* Sigma's field|contains. */
static bool is_modifier(const struct lexer *lexer)
{
    static const char *const words[] = {"contains", "startswith", "endswith", "re", "all"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        uint32_t bytes = (uint32_t)strlen(words[i]);
        if (lexer->end - lexer->at > bytes &&
            strncasecmp(lexer->text + lexer->at + 1, words[i], bytes) == 0 &&
            !is_letter(peek(lexer, bytes + 1)))
            return true;
    }
    return false;
}

static void lex_sign(struct lexer *lexer, struct token *token)
{
    char c = peek(lexer, 0);
    const char *pattern = pattern_sign(c, peek(lexer, 1));

    if (pattern != NULL) {
        fail(lexer, token, lexer->at, lexer->at + (c == '~' ? 1 : 2), pattern);
        return;
    }

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t length = strlen(signs[i].text);
        if (lexer->end - lexer->at >= length &&
            memcmp(lexer->text + lexer->at, signs[i].text, length) == 0) {
            token->kind = signs[i].kind;
            lexer->at += (uint32_t)length;
            return;
        }
    }
    char next = peek(lexer, 1);
    const char *why = c == '=' && next == '>'   ? "write >= for \"at least\""
                      : c == '=' && next == '<' ? "write <= for \"at most\""
                      : c == '='                ? "write == to compare"
                      : c == '&'                ? "write && for \"and\""
                      : c == '|' && is_modifier(lexer)
                          ? "this is written as a function: FIELD.contains(\"...\"), "
                            "FIELD.startsWith(\"...\"), FIELD.matches(r\"...\")"
                      : c == '|' ? "write || for \"or\""
                                 : "this sign has no meaning in an expression";
    uint32_t to = lexer->at + 1;
    while (to < lexer->end && ((unsigned char)lexer->text[to] & 0xc0) == 0x80)
        to++;
    fail(lexer, token, lexer->at, to, why);
}

struct token lexer_next(struct lexer *lexer)
{
    struct token token = {.kind = TOKEN_END};
    char c;

    while ((c = peek(lexer, 0)) == ' ' || c == '\t' || c == '\n' || c == '\r')
        lexer->at++;
    token.from = lexer->at;
    if (lexer->at >= lexer->end) {
        token.to = token.from;
        return token;
    }
    if (is_digit(c)) {
        lex_number(lexer, &token);
    } else if (c == '"' || c == '\'') {
        lex_string(lexer, &token, false);
    } else if ((c == 'r' || c == 'R') && (peek(lexer, 1) == '"' || peek(lexer, 1) == '\'')) {
        lexer->at++;
        lex_string(lexer, &token, true);
    } else if (is_letter(c)) {
        token.kind = TOKEN_NAME;
        while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
            lexer->at++;
        token.text = (struct text){lexer->text + token.from, lexer->at - token.from};
    } else {
        lex_sign(lexer, &token);
    }
    token.to = lexer->at;
    return token;
}
