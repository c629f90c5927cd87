/* pattern_reader.c - characters in, pieces of the new form out. See pattern_reader.h. */
#include "rules/pattern_reader.h"

#include <stdarg.h>
#include <stdio.h>

bool pattern_refuse(struct pattern_reader *reader, uint32_t from, uint32_t to, const char *format,
                    ...)
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

static void put_bytes(struct pattern_reader *reader, const char *word, uint32_t bytes)
{
    if (reader->out->bytes + bytes > PATTERN_WRITTEN_MAX) {
        pattern_refuse(reader, 0, reader->end, "the pattern is too large once it is written out");
        return;
    }
    memcpy(reader->out->written + reader->out->bytes, word, bytes);
    reader->out->bytes += bytes;
}

void pattern_put(struct pattern_reader *reader, const char *word)
{
    put_bytes(reader, word, (uint32_t)strlen(word));
}

void pattern_put_character(struct pattern_reader *reader, uint32_t character)
{
    static const char digits[] = "0123456789abcdef";
    char word[16] = {(char)character}, *at = word;
    int shift = 20;

    if (!(character >= '0' && character <= '9') && !(character >= 'a' && character <= 'z') &&
        !(character >= 'A' && character <= 'Z')) {
        *at++ = '\\';
        *at++ = 'x';
        *at++ = '{';
        while (shift > 0 && character >> shift == 0)
            shift -= 4;
        for (; shift >= 0; shift -= 4)
            *at++ = digits[character >> shift & 15];
        *at++ = '}';
    } else {
        at++;
    }
    put_bytes(reader, word, (uint32_t)(at - word));
}

/* Takes one character, which pattern_read() has found to be well-formed. */
uint32_t pattern_take_character(struct pattern_reader *reader)
{
    unsigned char first = (unsigned char)reader->text[reader->at++];
    uint32_t character = first < 0x80   ? first
                         : first < 0xe0 ? first & 0x1f
                         : first < 0xf0 ? first & 0xf
                                        : first & 7;

    while (first >= 0xc0 && pattern_more(reader) &&
           ((unsigned char)reader->text[reader->at] & 0xc0) == 0x80)
        character = character << 6 | ((unsigned char)reader->text[reader->at++] & 0x3f);
    return character;
}

static bool next_is_octal(const struct pattern_reader *reader)
{
    return pattern_more(reader) && reader->text[reader->at] >= '0' &&
           reader->text[reader->at] <= '7';
}

/* Letters, digits and _ from here on. */
uint32_t pattern_take_name(struct pattern_reader *reader)
{
    uint32_t from = reader->at;

    for (; pattern_more(reader); reader->at++) {
        char c = reader->text[reader->at];
        if (!pattern_is_letter(c) && c != '_' && (c < '0' || c > '9'))
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
static bool take_hex(struct pattern_reader *reader, uint32_t from, uint32_t *character)
{
    bool in_braces = pattern_next_is(reader, '{');
    uint32_t digits = 0;

    *character = 0;
    reader->at += in_braces;
    for (int digit; pattern_more(reader) && (in_braces || digits < 2); digits++, reader->at++) {
        digit = hex_digit(reader->text[reader->at]);
        if (digit < 0 || *character > PATTERN_CHARACTER_MAX)
            break;
        *character = *character * 16 + (uint32_t)digit;
    }
    if (in_braces ? digits == 0 || !pattern_next_is(reader, '}') : digits < 2)
        return pattern_refuse(reader, from, reader->at,
                              "\\x takes two hexadecimal digits, or some in braces");
    reader->at += in_braces;
    if (*character > PATTERN_CHARACTER_MAX || (*character >= 0xd800 && *character <= 0xdfff))
        return pattern_refuse(reader, from, reader->at, "there is no such character");
    return true;
}

/* Reads the rest of an escape that stands for one character; the backslash is taken. */
bool pattern_take_escape(struct pattern_reader *reader, uint32_t from, uint32_t *character)
{
    static const char names[] = "aftnrv", codes[] = "\a\f\t\n\r\v";
    const char *name;
    char c;

    if (!pattern_more(reader))
        return pattern_refuse(reader, from, reader->end, "nothing follows the last \\");
    *character = pattern_take_character(reader);
    if (*character >= 0x80)
        return pattern_refuse(reader, from, reader->at,
                              "this character needs no \\, and has none in RE2");
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
        return pattern_refuse(
            reader, from, reader->at,
            "\\%c refers back to a group, which takes more than linear time and is not part of RE2",
            c);
    if (c == 'C')
        return pattern_refuse(reader, from, reader->at,
                              "\\C, a single byte, is not carried over: it would split characters");
    if (pattern_is_letter(c))
        return pattern_refuse(reader, from, reader->at, "RE2 knows no escape \\%c", c);
    return true;
}
