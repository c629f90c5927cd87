/* import_sigma_value.c - values of Sigma, byte by byte. See import_sigma.h. */
#include <string.h>
#include "daemon/import_sigma.h"

/* ---- wildcards ---- */

static bool is_special(char c)
{
    return c == '*' || c == '?' || c == '\\';
}

static void strip_open_ends(struct sigma_text *text)
{
    while (text->count > 0 && text->wildcard[0] == '*') {
        text->open_front = true;
        text->at++;
        text->wildcard++;
        text->count--;
    }
    while (text->count > 0 && text->wildcard[text->count - 1] == '*') {
        text->open_back = true;
        text->count--;
    }
}

/* A backslash makes plain what is special behind it, and is itself plain before all else. */
struct sigma_text sigma_text_read(struct text from, struct import_pool *pool)
{
    struct sigma_text text = {.at = import_pool_alloc(pool, from.len + 1),
                              .wildcard = import_pool_alloc(pool, from.len + 1)};

    for (uint32_t i = 0; i < from.len; i++) {
        char c = from.at[i];
        if (c == '\\' && i + 1 < from.len && is_special(from.at[i + 1]))
            c = from.at[++i];
        else if (c == '*' || c == '?')
            text.wildcard[text.count] = (uint8_t)c;
        text.at[text.count++] = c;
    }
    strip_open_ends(&text);
    /* "*" alone is open at both ends of nothing. */
    text.open_back = text.open_back || (text.count == 0 && text.open_front);
    return text;
}

struct sigma_text sigma_text_plain(struct text text)
{
    return (struct sigma_text){.at = (char *)(uintptr_t)text.at, .count = text.len};
}

bool sigma_text_has_wildcard(const struct sigma_text *text)
{
    for (uint32_t i = 0; text->wildcard != NULL && i < text->count; i++)
        if (text->wildcard[i] != 0)
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool sigma_text_has_letter(const struct sigma_text *text)
{
    for (uint32_t i = 0; i < text->count; i++)
        if (is_letter(text->at[i]) || (unsigned char)text->at[i] >= 0x80)
            return true;
    return false;
}

static bool is_word_byte(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

/* A dash before a word and not behind one begins an option: "-enc", not "run-once". */
static bool is_option_dash(const struct sigma_text *text, uint32_t i)
{
    return (text->at[i] == '-' || text->at[i] == '/') && i + 1 < text->count &&
           is_word_byte(text->at[i + 1]) && (i == 0 || !is_word_byte(text->at[i - 1]));
}

void sigma_text_pattern(const struct sigma_text *text, bool windash, struct import_text *to)
{
    import_text_put(to, text->open_front ? "" : "^");
    for (uint32_t i = 0; i < text->count; i++) {
        uint8_t wildcard = text->wildcard != NULL ? text->wildcard[i] : 0;
        if (wildcard != 0)
            import_text_put(to, wildcard == '*' ? ".*" : ".");
        else if (windash && is_option_dash(text, i))
            import_text_put(to, "(?:-|/|\xe2\x80\x93|\xe2\x80\x94|\xe2\x80\x95)");
        else if (memchr("\\.+*?()|[]{}^$", text->at[i], 14) != NULL)
            import_text_format(to, "\\%c", text->at[i]);
        else
            import_text_add(to, &text->at[i], 1);
    }
    import_text_put(to, text->open_back ? "" : "$");
}

/* ---- encodings ---- */

static void put_unit(struct import_text *to, uint32_t unit, enum sigma_encoding encoding)
{
    char low = (char)(unit & 0xff), high = (char)(unit >> 8 & 0xff);
    char pair[2] = {encoding == UTF16_BE ? high : low, encoding == UTF16_BE ? low : high};

    import_text_add(to, pair, 2);
}

bool sigma_utf16(struct text from, enum sigma_encoding encoding, struct import_text *to)
{
    if (encoding == UTF16_MARK)
        put_unit(to, 0xfeff, encoding);
    for (uint32_t i = 0; i < from.len;) {
        unsigned char first = (unsigned char)from.at[i];
        uint32_t bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        uint32_t code = bytes == 1 ? first : first & (0xffu >> (bytes + 1));
        if (bytes > from.len - i)
            return false;
        for (uint32_t j = 1; j < bytes; j++)
            code = code << 6 | ((unsigned char)from.at[i + j] & 0x3fu);
        if (code >= 0x10000) {
            put_unit(to, 0xd800 + ((code - 0x10000) >> 10), encoding);
            put_unit(to, 0xdc00 + ((code - 0x10000) & 0x3ff), encoding);
        } else {
            put_unit(to, code, encoding);
        }
        i += bytes;
    }
    return true;
}

static void base64(const char *from, size_t count, struct import_text *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < count; i += 3) {
        uint32_t group = (uint32_t)(unsigned char)from[i] << 16;
        char out[4];
        if (i + 1 < count)
            group |= (uint32_t)(unsigned char)from[i + 1] << 8;
        if (i + 2 < count)
            group |= (unsigned char)from[i + 2];
        for (int j = 0; j < 4; j++)
            out[j] = digits[group >> (18 - 6 * j) & 63];
        if (i + 1 >= count)
            out[2] = '=';
        if (i + 2 >= count)
            out[3] = '=';
        import_text_add(to, out, 4);
    }
}

void sigma_base64(struct text from, struct import_text *to)
{
    base64(from.at, from.len, to);
}

/* Behind `offset` unknown bytes the first digits hold some of them, and the last ones what comes
 * after: both are cut off. A digit holds 6 bits, a byte 8. */
void sigma_base64_offset(struct text from, unsigned offset, struct import_text *to)
{
    static const unsigned skipped[3] = {0, 2, 3};
    struct import_text shifted = {NULL, 0, 0}, all = {NULL, 0, 0};
    size_t digits = (from.len + offset) * 8 / 6; /* whole digits that the bytes decide */

    import_text_add(&shifted, "\0\0", offset);
    import_text_add(&shifted, from.at, from.len);
    base64(shifted.at, shifted.bytes, &all);
    if (digits > skipped[offset])
        import_text_add(to, all.at + skipped[offset], digits - skipped[offset]);
    import_text_release(&shifted);
    import_text_release(&all);
}

/* ---- address ranges ---- */

/* A number of up to three digits. */
static bool number_read(struct text *text, unsigned max, unsigned *out)
{
    unsigned number = 0;
    uint32_t i = 0;

    for (; i < text->len && i < 3 && text->at[i] >= '0' && text->at[i] <= '9'; i++)
        number = number * 10 + (unsigned)(text->at[i] - '0');
    if (i == 0 || number > max)
        return false;
    text->at += i;
    text->len -= i;
    *out = number;
    return true;
}

static bool character_read(struct text *text, char c)
{
    if (text->len == 0 || text->at[0] != c)
        return false;
    text->at++;
    text->len--;
    return true;
}

static bool cidr_read(struct text text, unsigned octet[4], unsigned *bits)
{
    for (int i = 0; i < 4; i++)
        if ((i > 0 && !character_read(&text, '.')) || !number_read(&text, 255, &octet[i]))
            return false;
    return character_read(&text, '/') && number_read(&text, 32, bits) && text.len == 0;
}

bool sigma_cidr(struct text text, struct import_text *to, bool *is_prefix, const char **why)
{
    unsigned octet[4], bits, whole;

    if (memchr(text.at, ':', text.len) != NULL) {
        *why = "an IPv6 range has no single way of being written, so text cannot be tested for it";
        return false;
    }
    if (!cidr_read(text, octet, &bits)) {
        *why = "this is no range like 10.0.0.0/8";
        return false;
    }
    whole = bits / 8;
    *is_prefix = bits % 8 == 0 && bits > 0 && bits < 32;
    if (*is_prefix) {
        for (unsigned i = 0; i < whole; i++)
            import_text_format(to, "%u.", octet[i]);
        return true;
    }
    import_text_put(to, "^");
    for (unsigned i = 0; i < whole; i++)
        import_text_format(to, "%u%s", octet[i], i < 3 ? "\\." : "$");
    if (bits == 0) {
        import_text_put(to, "[0-9]+\\.");
    } else if (whole < 4) {
        unsigned count = 1u << (8 - bits % 8), first = octet[whole] & ~(count - 1);
        import_text_put(to, "(?:");
        for (unsigned i = 0; i < count; i++)
            import_text_format(to, "%s%u", i > 0 ? "|" : "", first + i);
        import_text_put(to, whole < 3 ? ")\\." : ")$");
    }
    return true;
}
