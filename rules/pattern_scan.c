/* pattern_scan.c - see pattern_scan.h. */
#include "rules/pattern_scan.h"

#include <string.h>
#include "rules/automaton.h"
#include "rules/pattern_columns.h"
#include "rules/pattern_database.h"
#include "rules/pattern_lane.h"
#include "rules/positions.h"

/* Asks for one that has no database. */
static bool unbuilt_search(const struct pattern_asked *asked, struct text text)
{
    return asked->automaton != NULL ? automaton_search(asked->automaton, text)
                                    : positions_search(asked->positions, text);
}

static bool literal_in(const struct pattern_asked *asked, struct text text)
{
    struct text literal = asked->literal;

    if (text.len < literal.len)
        return false;
    switch ((enum pattern_shape)asked->shape) {
    case PATTERN_CONTAINS:
        return memmem(text.at, text.len, literal.at, literal.len) != NULL;
    case PATTERN_ENDS:
        return memcmp(text.at + text.len - literal.len, literal.at, literal.len) == 0;
    default:
        return (asked->shape == PATTERN_BEGINS || text.len == literal.len) &&
               memcmp(text.at, literal.at, literal.len) == 0;
    }
}

/* One scan: answers go into bits from the column's first on. */
struct scanning {
    const struct pattern_set *set;
    const struct pattern_column *column;
    struct text text;
    uint64_t *bits; /* NULL: only `wanted` is asked for */
    uint32_t wanted;
    bool is_found;
    void (*visit)(void *self, uint32_t id);
    void *self;
};

static void take_found(struct scanning *scanning, uint32_t position)
{
    uint32_t id = scanning->column->ids[position];
    const struct pattern_asked *asked = &scanning->set->asked[id];

    if (asked->is_literal && !literal_in(asked, scanning->text))
        return; /* a part of it only */
    if (scanning->bits != NULL)
        scanning->bits[position / 64] |= (uint64_t)1 << position % 64;
    if (scanning->visit != NULL)
        scanning->visit(scanning->self, id);
    if (position == scanning->wanted)
        scanning->is_found = true;
}

static int take_found_in_database(unsigned position, unsigned long long from, unsigned long long to,
                                  unsigned flags, void *self)
{
    (void)from;
    (void)to;
    (void)flags;
    take_found(self, position);
    return 0;
}

static void scan_database(struct scanning *scanning)
{
    struct pattern_lane *lane = pattern_lane_take(scanning->set->lanes);

    pattern_database_scan(scanning->column->database, scanning->text, lane->scratch,
                          take_found_in_database, scanning);
    pattern_lane_give(lane);
}

static void scan_text(struct scanning *scanning)
{
    const struct pattern_column *column = scanning->column;

    if (column->database != NULL)
        scan_database(scanning);
    for (uint32_t i = column->built; i < column->count; i++)
        if (unbuilt_search(&scanning->set->asked[column->ids[i]], scanning->text))
            take_found(scanning, i);
}

/* Scans for a column whose answers are kept, unless they are there. */
static void fill(struct pattern_scan *scan, const struct pattern_column *column, struct text text,
                 void (*visit)(void *self, uint32_t id), void *self)
{
    struct scanning scanning = {.set = scan->set,
                                .column = column,
                                .text = text,
                                .bits = scan->bits + column->first_word,
                                .wanted = UINT32_MAX,
                                .visit = visit,
                                .self = self};

    memset(scanning.bits, 0, (column->count + 63) / 64 * sizeof(uint64_t));
    scan->known[column->kept / 64] |= (uint64_t)1 << column->kept % 64;
    scan_text(&scanning);
}

static bool is_known(const struct pattern_scan *scan, const struct pattern_column *column)
{
    return scan->known[column->kept / 64] >> column->kept % 64 & 1;
}

/* A pattern with something of its own, if only a database. */
static bool search_alone(const struct pattern_set *set, uint32_t id, struct text text)
{
    const struct pattern_asked *asked = &set->asked[id];
    struct scanning scanning = {.set = set, .text = text};

    if (pattern_asked_alone(asked))
        return unbuilt_search(asked, text);
    scanning.column = &set->columns[asked->column];
    scanning.wanted = asked->position;
    scan_text(&scanning);
    return scanning.is_found;
}

/* The same asked of a field or label: once for an event. */
static bool test_alone(struct pattern_scan *scan, uint32_t id, struct text text)
{
    uint32_t word = id / 64;
    uint64_t bit = (uint64_t)1 << id % 64;

    if (!(scan->alone_used[word / 64] >> word % 64 & 1)) {
        scan->alone_used[word / 64] |= (uint64_t)1 << word % 64;
        scan->alone_known[word] = scan->alone_found[word] = 0;
    }
    if (!(scan->alone_known[word] & bit)) {
        scan->alone_known[word] |= bit;
        scan->alone_found[word] |= search_alone(scan->set, id, text) ? bit : 0;
    }
    return scan->alone_found[word] & bit;
}

bool pattern_scan_test(struct pattern_scan *scan, uint32_t id, struct text text)
{
    const struct pattern_asked *asked = &scan->set->asked[id];
    const struct pattern_column *column;

    if (asked->shape != PATTERN_SEARCHES)
        return literal_in(asked, text);
    column = pattern_asked_alone(asked) ? NULL : &scan->set->columns[asked->column];
    if (column == NULL || column->kept == UINT32_MAX) {
        bool is_alone = column == NULL || column->count == 1;
        return is_alone && !asked->is_computed ? test_alone(scan, id, text)
                                               : search_alone(scan->set, id, text);
    }
    if (!is_known(scan, column))
        fill(scan, column, text, NULL, NULL);
    return scan->bits[column->first_word + asked->position / 64] >> asked->position % 64 & 1;
}

void pattern_scan_visit(struct pattern_scan *scan, uint32_t column_index, struct text text,
                        void (*visit)(void *self, uint32_t id), void *self)
{
    const struct pattern_column *column = &scan->set->columns[column_index];

    if (column->kept == UINT32_MAX) {
        struct scanning scanning = {.set = scan->set,
                                    .column = column,
                                    .text = text,
                                    .wanted = UINT32_MAX,
                                    .visit = visit,
                                    .self = self};
        scan_text(&scanning);
    } else if (!is_known(scan, column)) {
        fill(scan, column, text, visit, self);
    } else {
        for (uint32_t i = 0; i < column->count; i++)
            if (scan->bits[column->first_word + i / 64] >> i % 64 & 1)
                visit(self, column->ids[i]);
    }
}
