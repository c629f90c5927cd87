/*
 * severity.c - see severity.h. docs/events.md lists the same words by system.
 *
 * Rows are ordered by length, the most usual ones first, so that a look-up
 * compares the few words of its length, sixteen bytes at once.
 */
#include "base/severity.h"

#include "base/bytes.h"

enum { WORD_CHARS_MAX = 16 };

struct word {
    char text[WORD_CHARS_MAX]; /* filled with zeros */
    uint8_t meaning;
};

static const struct word severity_words[] = {
    {"ok", SEVERITY_OK},
    {"up", SEVERITY_OK},
    {"p1", SEVERITY_CRITICAL},
    {"p2", SEVERITY_MAJOR},
    {"p3", SEVERITY_MINOR},
    {"p4", SEVERITY_WARNING},
    {"p5", SEVERITY_INFO},

    {"low", SEVERITY_WARNING},
    {"err", SEVERITY_MAJOR},

    {"info", SEVERITY_INFO},
    {"warn", SEVERITY_WARNING},
    {"high", SEVERITY_MAJOR},
    {"crit", SEVERITY_CRITICAL},
    {"down", SEVERITY_CRITICAL},
    {"none", SEVERITY_INFO},
    {"page", SEVERITY_CRITICAL},
    {"sev0", SEVERITY_CRITICAL},
    {"sev1", SEVERITY_MAJOR},
    {"sev2", SEVERITY_WARNING},
    {"sev3", SEVERITY_INFO},
    {"sev4", SEVERITY_DEBUG},

    {"error", SEVERITY_MAJOR},
    {"major", SEVERITY_MAJOR},
    {"minor", SEVERITY_MINOR},
    {"clear", SEVERITY_OK},
    {"debug", SEVERITY_DEBUG},
    {"trace", SEVERITY_DEBUG},
    {"fatal", SEVERITY_CRITICAL},
    {"alert", SEVERITY_CRITICAL},
    {"emerg", SEVERITY_CRITICAL},
    {"panic", SEVERITY_CRITICAL},

    {"notice", SEVERITY_INFO},
    {"medium", SEVERITY_MINOR},
    {"normal", SEVERITY_OK},
    {"lowest", SEVERITY_INFO},
    {"urgent", SEVERITY_CRITICAL},
    {"severe", SEVERITY_CRITICAL},

    {"warning", SEVERITY_WARNING},
    {"average", SEVERITY_MINOR},
    {"unknown", SEVERITY_WARNING},
    {"cleared", SEVERITY_OK},
    {"highest", SEVERITY_CRITICAL},
    {"success", SEVERITY_OK},
    {"verbose", SEVERITY_DEBUG},
    {"unusual", SEVERITY_WARNING},

    {"critical", SEVERITY_CRITICAL},
    {"disaster", SEVERITY_CRITICAL},
    {"resolved", SEVERITY_OK},
    {"recovery", SEVERITY_OK},
    {"moderate", SEVERITY_MINOR},

    {"recovered", SEVERITY_OK},
    {"emergency", SEVERITY_CRITICAL},

    {"information", SEVERITY_INFO},
    {"unreachable", SEVERITY_MAJOR},

    {"informational", SEVERITY_INFO},
    {"indeterminate", SEVERITY_WARNING},

    {"not classified", SEVERITY_INFO},
};

static const struct word state_words[] = {
    {"1", EVENT_PROBLEM},
    {"0", EVENT_CLEAR},

    {"ok", EVENT_CLEAR},
    {"up", EVENT_CLEAR},

    {"new", EVENT_PROBLEM},

    {"down", EVENT_PROBLEM},
    {"open", EVENT_PROBLEM},
    {"warn", EVENT_PROBLEM},

    {"clear", EVENT_CLEAR},
    {"alarm", EVENT_PROBLEM},
    {"fired", EVENT_PROBLEM},
    {"error", EVENT_PROBLEM},
    {"reset", EVENT_CLEAR},

    {"firing", EVENT_PROBLEM},
    {"closed", EVENT_CLEAR},
    {"active", EVENT_PROBLEM},
    {"normal", EVENT_CLEAR},
    {"failed", EVENT_PROBLEM},
    {"re warn", EVENT_PROBLEM},

    {"problem", EVENT_PROBLEM},
    {"resolve", EVENT_CLEAR},
    {"trigger", EVENT_PROBLEM},
    {"cleared", EVENT_CLEAR},
    {"no data", EVENT_PROBLEM},
    {"warning", EVENT_PROBLEM},

    {"resolved", EVENT_CLEAR},
    {"alerting", EVENT_PROBLEM},
    {"recovery", EVENT_CLEAR},
    {"critical", EVENT_PROBLEM},
    {"renotify", EVENT_PROBLEM},

    {"triggered", EVENT_PROBLEM},
    {"recovered", EVENT_CLEAR},

    {"re no data", EVENT_PROBLEM},
    {"unreachable", EVENT_PROBLEM},
    {"re triggered", EVENT_PROBLEM},
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Eight characters in lower case, '-' and '_' as blanks; one addition per class
 * marks the bytes, and no carry leaves a byte that is ASCII. */
static inline uint64_t fold(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101ULL, top = 0x8080808080808080ULL;
    uint64_t low = word & ~top;
    uint64_t upper = (low + (0x80 - 'A') * ones) & ~(low + (0x7f - 'Z') * ones) & ~word & top;
    uint64_t dash = word ^ '-' * ones, underscore = word ^ '_' * ones;
    uint64_t is_dash = ~(((dash & ~top) + 0x7f * ones) | dash) & top;
    uint64_t is_underscore = ~(((underscore & ~top) + 0x7f * ones) | underscore) & top;
    uint64_t gaps = ((is_dash | is_underscore) >> 7) * 0xff;

    word |= upper >> 2; /* 0x80 >> 2 is the bit between 'A' and 'a' */
    return (word & ~gaps) | (gaps & ' ' * ones);
}

static int find_word(const struct word *table, const uint8_t *first, struct text word)
{
    uint64_t head, tail = 0;

    if (word.len == 0 || word.len > WORD_CHARS_MAX)
        return WORD_UNKNOWN;
    head = fold(bytes_load_short(word.at, word.len));
    if (word.len > 8)
        tail = fold(bytes_load_short(word.at + 8, word.len - 8));
    for (size_t i = first[word.len]; i < first[word.len + 1]; i++)
        if (bytes_load64(table[i].text) == head && bytes_load64(table[i].text + 8) == tail)
            return table[i].meaning;
    return WORD_UNKNOWN;
}

/* Row at which the words of each length start; tests/test_severity.c holds these
 * to the tables by looking every word up. */
static const uint8_t severity_first[WORD_CHARS_MAX + 2] = {0,  0,  0,  7,  9,  21, 31, 37, 45,
                                                           50, 52, 52, 54, 54, 56, 57, 57, 57};
static const uint8_t state_first[WORD_CHARS_MAX + 2] = {0,  0,  2,  4,  5,  8,  13, 18, 25,
                                                        30, 32, 33, 34, 35, 35, 35, 35, 35};

int severity_from_word(struct text word)
{
    return find_word(severity_words, severity_first, word);
}

int event_state_from_word(struct text word)
{
    return find_word(state_words, state_first, word);
}

const char *severity_table_word(size_t n, enum severity *severity)
{
    if (n >= ROWS(severity_words))
        return NULL;
    *severity = (enum severity)severity_words[n].meaning;
    return severity_words[n].text;
}

const char *event_state_table_word(size_t n, enum event_state *state)
{
    if (n >= ROWS(state_words))
        return NULL;
    *state = (enum event_state)state_words[n].meaning;
    return state_words[n].text;
}
