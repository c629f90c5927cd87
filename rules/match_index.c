/* match_index.c - see match_index.h. */
#include "rules/match_index.h"

#include <string.h>
#include "base/hash.h"

enum {
    COLUMNS_MAX = 96,
    /* A guard of more terms than this costs more than it saves. */
    GUARD_TERMS_MAX = 4096,
    PREFIX_LENGTHS = 8,
};

/* Prefixes are looked up by their first bytes, cut to one of these lengths, so
 * that the number of lookups per field is bounded whatever the rules say. */
static const uint32_t prefix_lengths[PREFIX_LENGTHS] = {1, 2, 3, 4, 6, 8, 12, 16};

enum term_kind { TERM_EQUALS, TERM_PREFIX, TERM_SEVERITY };

struct term {
    enum term_kind kind;
    const struct operand *operand; /* the field or label */
    struct text text;
    uint8_t severities; /* bit per severity */
};

/* Terms are walked twice: to weigh a guard, and to enter it. */
typedef bool (*term_visit)(void *self, const struct term *term);

struct entry {
    struct text text;
    uint64_t hash; /* of column, kind, length and text; 0: free */
    uint32_t column;
    uint32_t first; /* posting, counted from 1 */
    enum term_kind kind;
};

struct posting {
    uint32_t rule;
    uint32_t next;
};

struct column {
    struct operand operand;
    bool has_equals;
    uint8_t prefix_mask; /* bit per prefix_lengths[] */
};

struct match_index {
    uint32_t rule_count, word_count;
    uint32_t unguarded;
    uint32_t column_count;
    struct column column[COLUMNS_MAX];
    uint32_t entry_mask;
    struct entry *entries;
    struct posting *postings; /* [0] unused */
    uint32_t posting_count;
    /* Rules that are candidates by severity, the unguarded ones included. */
    uint64_t *by_severity[SEVERITY_COUNT];
};

/* ---- guards ---- */

static bool is_guarded_operand(const struct operand *operand)
{
    if (operand->kind == OPERAND_LABEL)
        return true;
    /* Message is long and differs always; hashing it for each event costs more than it saves. */
    return operand->kind == OPERAND_FIELD && operand->field != RULE_FIELD_MESSAGE &&
           (operand->field < EVENT_FIELD_COUNT || operand->field == RULE_FIELD_HOST);
}

static uint8_t severities_of(const struct instruction *at)
{
    bool is_left = at->left.kind == OPERAND_FIELD;
    uint8_t mask = 0;

    for (int64_t severity = 0; severity < SEVERITY_COUNT; severity++) {
        int64_t a = is_left ? severity : at->left.number, b = is_left ? at->right.number : severity;
        bool is_true = at->relation == RELATION_EQ   ? a == b
                       : at->relation == RELATION_NE ? a != b
                       : at->relation == RELATION_LT ? a < b
                       : at->relation == RELATION_LE ? a <= b
                       : at->relation == RELATION_GT ? a > b
                                                     : a >= b;
        mask |= (uint8_t)(is_true << severity);
    }
    return mask;
}

static bool is_severity(const struct operand *operand)
{
    return operand->kind == OPERAND_FIELD && operand->field == RULE_FIELD_SEVERITY;
}

/* The terms of one test; false when it has none. */
static bool test_terms(const struct instruction *at, term_visit visit, void *self)
{
    struct term term = {.kind = TERM_EQUALS};
    bool is_mirrored;

    switch ((enum opcode)at->op) {
    case OP_COMPARE_TEXT:
        is_mirrored = at->left.kind == OPERAND_CONSTANT;
        term.operand = is_mirrored ? &at->right : &at->left;
        term.text = is_mirrored ? at->left.text : at->right.text;
        return at->relation == RELATION_EQ && is_guarded_operand(term.operand) &&
               (is_mirrored || at->right.kind == OPERAND_CONSTANT) && visit(self, &term);
    case OP_IN_TEXT:
        term.operand = &at->left;
        if (!is_guarded_operand(term.operand))
            return false;
        for (uint32_t i = 0; i < at->list.count; i++) {
            term.text = at->list.texts[i];
            if (!visit(self, &term))
                return false;
        }
        return true;
    case OP_STARTS_WITH:
        term.kind = TERM_PREFIX;
        term.operand = &at->left;
        term.text = at->right.text;
        return is_guarded_operand(term.operand) && at->right.kind == OPERAND_CONSTANT &&
               term.text.len > 0 && visit(self, &term);
    case OP_COMPARE_NUMBER:
        term.kind = TERM_SEVERITY;
        /* One side is the field, the other a constant. */
        if (is_severity(&at->left) == is_severity(&at->right) ||
            (at->left.kind != OPERAND_CONSTANT && at->right.kind != OPERAND_CONSTANT))
            return false;
        term.severities = severities_of(at);
        return visit(self, &term);
    case OP_IN_NUMBER:
        term.kind = TERM_SEVERITY;
        if (!is_severity(&at->left))
            return false;
        for (uint32_t i = 0; i < at->list.count; i++)
            term.severities |= (uint8_t)(1u << at->list.numbers[i]);
        return visit(self, &term);
    default:
        return false;
    }
}

/* What a guard costs: roughly how often its rule will be a candidate in vain,
 * plus its size. No guard: GUARD_NONE. */
#define GUARD_NONE UINT32_MAX

struct weight {
    uint32_t cost;
    uint32_t terms;
};

static bool weigh_term(void *self, const struct term *term)
{
    struct weight *weight = self;
    bool is_broad = term->kind != TERM_SEVERITY && term->operand->kind == OPERAND_FIELD &&
                    (term->operand->field == RULE_FIELD_TENANT ||
                     term->operand->field == RULE_FIELD_SOURCE);

    weight->cost += term->kind == TERM_SEVERITY ? 100000
                    : is_broad                  ? 10000
                    : term->kind == TERM_PREFIX ? 100
                                                : 1;
    return ++weight->terms <= GUARD_TERMS_MAX;
}

/* The sum below ||, GUARD_NONE where a side has none; the least below &&. */
static uint32_t weigh_chain(const struct program *program, uint32_t index, const uint32_t *cost)
{
    const struct instruction *at = &program->code[index];
    uint64_t sum = 0;
    uint32_t least = GUARD_NONE;

    for (uint32_t i = index + 1; i < at->end; i = program->code[i].end) {
        sum += cost[i];
        least = cost[i] < least ? cost[i] : least;
    }
    return at->op == OP_AND ? least : sum < GUARD_NONE ? (uint32_t)sum : GUARD_NONE;
}

/* Weighs every subtree once. Children stand behind their parent, so from the end. */
static void weigh(const struct program *program, uint32_t *cost)
{
    for (uint32_t i = program->count; i-- > 0;) {
        const struct instruction *at = &program->code[i];
        struct weight weight = {0, 0};
        if (at->op == OP_AND || at->op == OP_OR)
            cost[i] = weigh_chain(program, i, cost);
        else
            cost[i] = test_terms(at, weigh_term, &weight) ? weight.cost : GUARD_NONE;
    }
}

/* Visits the terms of the guard of the subtree at `index`, which has one. */
static bool guard_terms(const struct program *program, uint32_t index, const uint32_t *cost,
                        term_visit visit, void *self)
{
    const struct instruction *at = &program->code[index];

    if (at->op != OP_AND && at->op != OP_OR)
        return test_terms(at, visit, self);
    for (uint32_t i = index + 1; i < at->end; i = program->code[i].end) {
        if (at->op == OP_AND && cost[i] != cost[index])
            continue;
        if (!guard_terms(program, i, cost, visit, self))
            return false;
        if (at->op == OP_AND)
            return true;
    }
    return true;
}

/* ---- table ---- */

static uint64_t term_hash(uint32_t column, enum term_kind kind, struct text text)
{
    /* Never 0, which marks a free entry. The seed is fixed: rules are not an
     * attacker's, and an event's texts are only looked up, never entered. */
    return hash64(text.at, text.len, hash_mix((uint64_t)column << 1 | kind) + 1) | 1;
}

static bool is_same_column(const struct operand *a, const struct operand *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == OPERAND_FIELD)
        return a->field == b->field;
    return a->text.len == b->text.len && memcmp(a->text.at, b->text.at, a->text.len) == 0;
}

static uint32_t column_of(struct match_index *index, const struct operand *operand)
{
    uint32_t i = 0;

    while (i < index->column_count && !is_same_column(&index->column[i].operand, operand))
        i++;
    if (i == index->column_count && i < COLUMNS_MAX)
        index->column[index->column_count++].operand = *operand;
    return i;
}

/* The longest listed length that is not longer than the prefix. */
static unsigned prefix_class(uint32_t length)
{
    unsigned class = PREFIX_LENGTHS - 1;

    while (prefix_lengths[class] > length)
        class--;
    return class;
}

static struct entry *entry_find(const struct match_index *index, uint64_t hash, uint32_t column,
                                enum term_kind kind, struct text text)
{
    uint32_t at = (uint32_t)(hash >> 32) & index->entry_mask;

    for (;; at = (at + 1) & index->entry_mask) {
        struct entry *entry = &index->entries[at];
        if (entry->hash == 0 ||
            (entry->hash == hash && entry->column == column && entry->kind == kind &&
             entry->text.len == text.len && memcmp(entry->text.at, text.at, text.len) == 0))
            return entry;
    }
}

struct builder {
    struct match_index *index;
    uint32_t rule;
};

static bool columns_fit(void *self, const struct term *term)
{
    return term->kind == TERM_SEVERITY || column_of(self, term->operand) < COLUMNS_MAX;
}

static bool enter_term(void *self, const struct term *term)
{
    struct builder *builder = self;
    struct match_index *index = builder->index;
    struct text text = term->text;

    if (term->kind == TERM_SEVERITY) {
        for (unsigned s = 0; s < SEVERITY_COUNT; s++)
            if (term->severities & 1u << s)
                index->by_severity[s][builder->rule / 64] |= (uint64_t)1 << builder->rule % 64;
        return true;
    }
    uint32_t column = column_of(index, term->operand);
    if (term->kind == TERM_PREFIX) {
        unsigned class = prefix_class(text.len);
        text.len = prefix_lengths[class];
        index->column[column].prefix_mask |= (uint8_t)(1u << class);
    } else {
        index->column[column].has_equals = true;
    }
    uint64_t hash = term_hash(column, term->kind, text);
    struct entry *entry = entry_find(index, hash, column, term->kind, text);
    if (entry->hash == 0)
        *entry = (struct entry){text, hash, column, 0, term->kind};
    if (entry->first != 0 && index->postings[entry->first].rule == builder->rule)
        return true; /* the same term twice in one rule */
    index->postings[++index->posting_count] = (struct posting){builder->rule, entry->first};
    entry->first = index->posting_count;
    return true;
}

static bool count_term(void *self, const struct term *term)
{
    (void)term;
    ++*(uint32_t *)self;
    return true;
}

/* Decides which rules have a guard and counts their terms. */
static uint32_t count_guards(struct match_index *index, const struct program *programs,
                             uint32_t **costs, struct arena *scratch)
{
    uint32_t terms = 0;

    for (uint32_t i = 0; i < index->rule_count; i++) {
        uint32_t *cost = arena_alloc_many(scratch, programs[i].count, sizeof(*cost));
        if (cost == NULL)
            return UINT32_MAX;
        weigh(&programs[i], cost);
        if (cost[0] != GUARD_NONE && !guard_terms(&programs[i], 0, cost, columns_fit, index))
            cost[0] = GUARD_NONE;
        if (cost[0] != GUARD_NONE)
            guard_terms(&programs[i], 0, cost, count_term, &terms);
        else
            index->unguarded++;
        costs[i] = cost;
    }
    return terms;
}

struct match_index *match_index_create(const struct program *programs, uint32_t count,
                                       struct arena *arena, struct arena *scratch)
{
    struct match_index *index = arena_alloc(arena, sizeof(*index));
    uint32_t **costs = arena_alloc_many(scratch, (size_t)count + 1, sizeof(*costs));
    uint32_t terms, room = 16;

    if (index == NULL || costs == NULL)
        return NULL;
    index->rule_count = count;
    index->word_count = (count + 63) / 64;
    for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
        index->by_severity[s] =
            arena_alloc_many(arena, (size_t)index->word_count + 1, sizeof(uint64_t));
        if (index->by_severity[s] == NULL)
            return NULL;
    }
    terms = count_guards(index, programs, costs, scratch);
    if (terms == UINT32_MAX)
        return NULL;
    while (room < 2 * terms)
        room *= 2;
    index->entry_mask = room - 1;
    index->entries = arena_alloc_many(arena, room, sizeof(struct entry));
    index->postings = arena_alloc_many(arena, (size_t)terms + 1, sizeof(struct posting));
    if (index->entries == NULL || index->postings == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct builder builder = {index, i};
        struct term always = {.kind = TERM_SEVERITY, .severities = 0xff};
        if (costs[i][0] != GUARD_NONE)
            guard_terms(&programs[i], 0, costs[i], enter_term, &builder);
        else
            enter_term(&builder, &always);
    }
    return index;
}

/* ---- lookup ---- */

static void take_postings(const struct match_index *index, uint32_t column, enum term_kind kind,
                          struct text text, uint64_t *bits)
{
    const struct entry *entry =
        entry_find(index, term_hash(column, kind, text), column, kind, text);

    if (entry->hash == 0)
        return;
    for (uint32_t at = entry->first; at != 0; at = index->postings[at].next) {
        uint32_t rule = index->postings[at].rule;
        bits[rule / 64] |= (uint64_t)1 << rule % 64;
    }
}

void match_index_candidates(const struct match_index *index, struct program_input *input,
                            uint64_t bits[RULE_WORDS_MAX])
{
    unsigned severity = input->view->severity < SEVERITY_COUNT ? input->view->severity : 0;

    memcpy(bits, index->by_severity[severity], index->word_count * sizeof(uint64_t));
    for (uint32_t c = 0; c < index->column_count; c++) {
        const struct column *column = &index->column[c];
        struct text text;
        if (!operand_text(&column->operand, input, &text))
            continue;
        if (column->has_equals)
            take_postings(index, c, TERM_EQUALS, text, bits);
        for (unsigned class = 0; class < PREFIX_LENGTHS; class++)
            if ((column->prefix_mask & 1u << class) && text.len >= prefix_lengths[class])
                take_postings(index, c, TERM_PREFIX,
                              (struct text){text.at, prefix_lengths[class]}, bits);
    }
}

uint32_t match_index_unguarded(const struct match_index *index)
{
    return index->unguarded;
}
