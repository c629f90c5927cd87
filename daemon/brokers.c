/* brokers.c - see brokers.h. */
#include "daemon/brokers.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "daemon/units.h"

enum { HOST_BYTES_MAX = 253, SHOWN = 80 };

struct entry {
    const char *text; /* the list */
    size_t from, to;  /* of the entry, without blanks around it */
    struct brokers_fault *fault;
};

__attribute__((format(printf, 4, 5))) static bool refuse(const struct entry *entry, size_t from,
                                                         size_t to, const char *format, ...)
{
    va_list args;

    entry->fault->from = from;
    entry->fault->to = to;
    va_start(args, format);
    vsnprintf(entry->fault->why.text, sizeof(entry->fault->why.text), format, args);
    va_end(args);
    return false;
}

static int shown(size_t from, size_t to)
{
    return (int)(to - from < SHOWN ? to - from : SHOWN);
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* SASL_SSL:// and the like; librdkafka knows four. Moves *from behind it. */
static bool check_protocol(const struct entry *entry, size_t *from)
{
    static const char *const known[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
    const char *text = entry->text + *from;
    const char *sign = memmem(text, entry->to - *from, "://", 3);
    size_t length = sign != NULL ? (size_t)(sign - text) : 0;

    if (sign == NULL)
        return true;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i]) == length && strncasecmp(known[i], text, length) == 0) {
            *from += length + 3;
            return true;
        }
    return refuse(
        entry, *from, *from + length,
        "'%.*s' is no protocol of Kafka: it is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, "
        "or left out",
        shown(0, length), text);
}

static bool check_port(const struct entry *entry, size_t from)
{
    char digits[8];
    int64_t port;

    if (from == entry->to)
        return refuse(entry, entry->from, entry->to, "'%.*s' has no port behind its colon",
                      shown(entry->from, entry->to), entry->text + entry->from);
    snprintf(digits, sizeof(digits), "%.*s", (int)(entry->to - from < 7 ? entry->to - from : 7),
             entry->text + from);
    if (unit_parse_count(digits, &port, NULL) == 0 && port >= 1 && port <= UINT16_MAX)
        return true;
    return refuse(entry, from, entry->to, "the port '%.*s' is no number from 1 to 65535",
                  shown(from, entry->to), entry->text + from);
}

/* [2001:db8::7]:9092 */
static bool check_bracketed(const struct entry *entry, size_t from)
{
    const char *text = entry->text;
    const char *close = memchr(text + from, ']', entry->to - from);
    size_t end = close != NULL ? (size_t)(close - text) : entry->to, colons = 0;
    bool is_zone = false, is_address = true; /* fe80::1%eth0 */

    if (close == NULL)
        return refuse(entry, entry->from, entry->to, "'%.*s' has no ] behind its address",
                      shown(entry->from, entry->to), text + entry->from);
    for (size_t i = from + 1; i < end; i++) {
        bool is_hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f') ||
                      (text[i] >= 'A' && text[i] <= 'F');
        colons += text[i] == ':';
        is_zone |= text[i] == '%';
        is_address &= is_hex || strchr(":.%", text[i]) != NULL ||
                      (is_zone && (is_letter_or_digit(text[i]) || strchr("-_", text[i]) != NULL));
    }
    if (!is_address || colons < 2 || colons > 8)
        return refuse(entry, from, end + 1,
                      "'%.*s' is no IPv6 address, and nothing else stands in brackets",
                      shown(from, end + 1), text + from);
    if (end + 1 == entry->to)
        return true;
    if (text[end + 1] != ':')
        return refuse(entry, end + 1, entry->to, "behind ] comes a colon and the port: [::1]:9092");
    return check_port(entry, end + 2);
}

static bool check_entry(const struct entry *entry)
{
    const char *text = entry->text, *colon;
    size_t from = entry->from, end;

    if (from == entry->to)
        return refuse(entry, from, from + (text[from] != '\0'),
                      "a broker is missing here, beside a comma");
    if (!check_protocol(entry, &from))
        return false;
    if (from < entry->to && text[from] == '[')
        return check_bracketed(entry, from);
    colon = memchr(text + from, ':', entry->to - from);
    end = colon != NULL ? (size_t)(colon - text) : entry->to;
    if (colon != NULL && memchr(colon + 1, ':', entry->to - end - 1) != NULL)
        return refuse(entry, from, entry->to, "an IPv6 address stands in brackets: [::1]:9092");
    if (end == from)
        return refuse(entry, entry->from, entry->to, "'%.*s' has no host before its port",
                      shown(entry->from, entry->to), text + entry->from);
    for (size_t i = from; i < end; i++)
        if (!is_letter_or_digit(text[i]) && strchr("-._", text[i]) == NULL)
            return refuse(entry, from, end, "'%.*s' is no name of a host", shown(from, end),
                          text + from);
    if (end - from > HOST_BYTES_MAX)
        return refuse(entry, from, end, "a host's name has at most %d characters", HOST_BYTES_MAX);
    return colon == NULL || check_port(entry, end + 1);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool brokers_check(const char *text, struct brokers_fault *fault)
{
    size_t from = 0;

    if (text[strspn(text, " \t\r\n")] == '\0')
        return true;
    for (;;) {
        size_t end = from + strcspn(text + from, ",");
        struct entry entry = {.text = text, .from = from, .to = end, .fault = fault};
        while (entry.from < entry.to && is_blank(text[entry.from]))
            entry.from++;
        while (entry.to > entry.from && is_blank(text[entry.to - 1]))
            entry.to--;
        if (!check_entry(&entry))
            return false;
        if (text[end] == '\0')
            return true;
        from = end + 1;
    }
}
