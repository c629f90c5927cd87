/* match_index.c - see match_index.h. */
#include "rules/match_index.h"

#include <string.h>
#include "base/hash.h"

enum {
    COLUMNS_MAX = 96,
    /* A guard of more terms than this costs more than it saves. */
    GUARD_TERMS_MAX = 4096,
    /* Prefixes are looked up by at most their first 64 bytes: one bit per length. */
    PREFIX_BYTES_MAX = 64,
    EVERY_SEVERITY = (1 << SEVERITY_COUNT) - 1,
};

enum term_kind { TERM_EQUALS, TERM_PREFIX };

struct term {
    enum term_kind kind;
    const struct operand *operand; /* the field or label */
    struct text text;
};

/* Terms are walked twice: to weigh a guard, and to enter it. */
typedef bool (*term_visit)(void *self, const struct term *term);

struct entry {
    struct text text;
    uint64_t hash; /* of column, kind and text; 0: free */
    uint32_t column;
    enum term_kind kind;
    uint32_t first, count; /* of its rules in the list of all postings */
    uint32_t last_rule;    /* while building: entered last, counted from 1 */
};

struct column {
    struct operand operand;
    bool has_equals;
    uint64_t prefix_mask; /* bit n - 1: some prefix has n bytes */
};

struct match_index {
    uint32_t rule_count, word_count;
    uint32_t unguarded;
    uint32_t column_count;
    struct column column[COLUMNS_MAX];
    uint32_t entry_mask;
    struct entry *entries;
    uint32_t *postings;                 /* rules, those of one entry side by side */
    uint64_t *always;                   /* bit per rule without a guard */
    uint64_t *possible[SEVERITY_COUNT]; /* bit per rule that can be true at it */
    uint64_t *exact;                    /* bit per rule whose candidates are matches */
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
    bool is_broad =
        term->operand->kind == OPERAND_FIELD &&
        (term->operand->field == RULE_FIELD_TENANT || term->operand->field == RULE_FIELD_SOURCE);

    weight->cost += is_broad ? 10000 : term->kind == TERM_PREFIX ? 100 : 1;
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

/* ---- severities ---- */

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

/* The severities at which one test can be true. */
static uint8_t test_severities(const struct instruction *at)
{
    uint8_t mask = 0;

    switch ((enum opcode)at->op) {
    case OP_CONSTANT:
        return at->left.number != 0 ? EVERY_SEVERITY : 0;
    case OP_COMPARE_NUMBER:
        /* One side is the field, the other a constant. */
        if (is_severity(&at->left) == is_severity(&at->right) ||
            (at->left.kind != OPERAND_CONSTANT && at->right.kind != OPERAND_CONSTANT))
            return EVERY_SEVERITY;
        return severities_of(at);
    case OP_IN_NUMBER:
        if (!is_severity(&at->left))
            return EVERY_SEVERITY;
        for (uint32_t i = 0; i < at->list.count; i++)
            mask |= (uint8_t)(1u << at->list.numbers[i]);
        return mask;
    default:
        return EVERY_SEVERITY;
    }
}

/* The severities at which the whole can be true: all must allow it below &&, one
 * below ||; of a negation nothing is said. */
static uint8_t possible_severities(const struct program *program, uint32_t index)
{
    const struct instruction *at = &program->code[index];
    uint8_t mask = at->op == OP_AND ? EVERY_SEVERITY : 0;

    if (at->op != OP_AND && at->op != OP_OR)
        return test_severities(at);
    for (uint32_t i = index + 1; i < at->end; i = program->code[i].end) {
        uint8_t side = possible_severities(program, i);
        mask = at->op == OP_AND ? mask & side : mask | side;
    }
    return mask;
}

/* ---- what guard and severities leave to be evaluated ---- */

enum extent {
    EXTENT_SEVERITY, /* true exactly at the possible severities */
    EXTENT_GUARD,    /* true exactly when a term of the guard holds */
    EXTENT_BOTH,     /* true exactly when both say so */
    EXTENT_MORE,     /* has to be evaluated */
};

static bool is_short_term(void *self, const struct term *term)
{
    (void)self;
    return term->kind != TERM_PREFIX || term->text.len <= PREFIX_BYTES_MAX;
}

static enum extent test_extent(const struct instruction *at)
{
    bool reads_severity =
        at->op == OP_COMPARE_NUMBER
            ? is_severity(&at->left) != is_severity(&at->right) &&
                  (at->left.kind == OPERAND_CONSTANT || at->right.kind == OPERAND_CONSTANT)
            : at->op == OP_IN_NUMBER && is_severity(&at->left);

    if (at->op == OP_CONSTANT || reads_severity)
        return EXTENT_SEVERITY;
    return test_terms(at, is_short_term, NULL) ? EXTENT_GUARD : EXTENT_MORE;
}

static enum extent extent_of(const struct program *program, uint32_t index)
{
    const struct instruction *at = &program->code[index];
    unsigned seen[EXTENT_MORE + 1] = {0}, sides = 0;

    if (at->op != OP_AND && at->op != OP_OR)
        return test_extent(at);
    for (uint32_t i = index + 1; i < at->end; i = program->code[i].end, sides++)
        seen[extent_of(program, i)]++;
    if (seen[EXTENT_SEVERITY] == sides)
        return EXTENT_SEVERITY;
    if (at->op == OP_OR)
        return seen[EXTENT_GUARD] == sides ? EXTENT_GUARD : EXTENT_MORE;
    /* Of several guarded sides the guard holds but one. */
    return seen[EXTENT_MORE] == 0 && seen[EXTENT_GUARD] + seen[EXTENT_BOTH] == 1 ? EXTENT_BOTH
                                                                                 : EXTENT_MORE;
}

/* ---- table ---- */

/* Never 0, which marks a free entry. Seeds are fixed: rules are not an attacker's,
 * and an event's texts are only looked up, never entered. */
static uint64_t equals_hash(uint32_t column, struct text text)
{
    return hash64(text.at, text.len, hash_mix(column + 1)) | 1;
}

/* Prefixes have a hash that grows byte by byte, so that one walk over a text gives
 * the hashes of all its prefixes. Source: FNV-1a, 64 bit, with a final mix. */
static uint64_t prefix_start(uint32_t column)
{
    return 0xcbf29ce484222325ULL ^ hash_mix(column + 1);
}

static uint64_t prefix_add(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 0x100000001b3ULL;
}

static uint64_t prefix_hash(uint32_t column, struct text text)
{
    uint64_t hash = prefix_start(column);

    for (uint32_t i = 0; i < text.len; i++)
        hash = prefix_add(hash, text.at[i]);
    return hash_mix(hash) | 1;
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
    bool is_counting; /* first round: how many postings an entry has */
};

static bool columns_fit(void *self, const struct term *term)
{
    return column_of(self, term->operand) < COLUMNS_MAX;
}

static bool enter_term(void *self, const struct term *term)
{
    struct builder *builder = self;
    struct match_index *index = builder->index;
    struct text text = term->text;
    uint32_t column = column_of(index, term->operand);
    uint64_t hash;

    if (term->kind == TERM_PREFIX) {
        text.len = text.len < PREFIX_BYTES_MAX ? text.len : PREFIX_BYTES_MAX;
        index->column[column].prefix_mask |= (uint64_t)1 << (text.len - 1);
        hash = prefix_hash(column, text);
    } else {
        index->column[column].has_equals = true;
        hash = equals_hash(column, text);
    }
    struct entry *entry = entry_find(index, hash, column, term->kind, text);
    if (entry->hash == 0)
        *entry = (struct entry){.text = text, .hash = hash, .column = column, .kind = term->kind};
    if (entry->last_rule == builder->rule + 1)
        return true; /* the same term twice in one rule */
    entry->last_rule = builder->rule + 1;
    if (!builder->is_counting)
        index->postings[entry->first + entry->count] = builder->rule;
    entry->count++;
    return true;
}

/* Gives every entry its stretch of the list of postings. */
static void place_postings(struct match_index *index)
{
    uint32_t first = 0;

    for (uint32_t i = 0; i <= index->entry_mask; i++) {
        struct entry *entry = &index->entries[i];
        entry->first = first;
        first += entry->count;
        entry->count = entry->last_rule = 0;
    }
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

static void enter_guards(struct match_index *index, const struct program *programs,
                         uint32_t **costs, bool is_counting)
{
    for (uint32_t i = 0; i < index->rule_count; i++) {
        struct builder builder = {index, i, is_counting};
        if (costs[i][0] != GUARD_NONE)
            guard_terms(&programs[i], 0, costs[i], enter_term, &builder);
    }
}

static uint64_t *bits_create(const struct match_index *index, struct arena *arena)
{
    return arena_alloc_many(arena, (size_t)index->word_count + 1, sizeof(uint64_t));
}

static void bit_set(uint64_t *bits, uint32_t rule)
{
    bits[rule / 64] |= (uint64_t)1 << rule % 64;
}

/* Notes of each rule whether it has a guard, at which severities it can be true,
 * and whether that is all there is to it. */
static bool mark_rules(struct match_index *index, const struct program *programs, uint32_t **costs,
                       struct arena *arena)
{
    index->always = bits_create(index, arena);
    index->exact = bits_create(index, arena);
    if (index->always == NULL || index->exact == NULL)
        return false;
    for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
        index->possible[s] = bits_create(index, arena);
        if (index->possible[s] == NULL)
            return false;
    }
    for (uint32_t i = 0; i < index->rule_count; i++) {
        uint8_t severities = possible_severities(&programs[i], 0);
        enum extent extent = extent_of(&programs[i], 0);
        bool is_guarded = costs[i][0] != GUARD_NONE;
        if (!is_guarded)
            bit_set(index->always, i);
        for (unsigned s = 0; s < SEVERITY_COUNT; s++)
            if (severities & 1u << s)
                bit_set(index->possible[s], i);
        if (extent == EXTENT_SEVERITY || (is_guarded && extent != EXTENT_MORE))
            bit_set(index->exact, i);
    }
    return true;
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
    terms = count_guards(index, programs, costs, scratch);
    if (terms == UINT32_MAX)
        return NULL;
    while (room < 2 * terms)
        room *= 2;
    index->entry_mask = room - 1;
    index->entries = arena_alloc_many(arena, room, sizeof(struct entry));
    index->postings = arena_alloc_many(arena, (size_t)terms + 1, sizeof(uint32_t));
    if (index->entries == NULL || index->postings == NULL)
        return NULL;
    enter_guards(index, programs, costs, true);
    place_postings(index);
    enter_guards(index, programs, costs, false);
    if (!mark_rules(index, programs, costs, arena))
        return NULL;
    return index;
}

/* ---- lookup ---- */

static void take_postings(const struct match_index *index, uint64_t hash, uint32_t column,
                          enum term_kind kind, struct text text, uint64_t *bits)
{
    const struct entry *entry = entry_find(index, hash, column, kind, text);

    if (entry->hash == 0)
        return;
    for (uint32_t i = 0; i < entry->count; i++)
        bit_set(bits, index->postings[entry->first + i]);
}

static void take_prefixes(const struct match_index *index, uint32_t column, struct text text,
                          uint64_t *bits)
{
    uint64_t left = index->column[column].prefix_mask, hash = prefix_start(column);
    uint32_t length = 0;

    for (; left != 0; left &= left - 1) {
        uint32_t wanted = (uint32_t)__builtin_ctzll(left) + 1;
        if (wanted > text.len)
            return;
        while (length < wanted)
            hash = prefix_add(hash, text.at[length++]);
        take_postings(index, hash_mix(hash) | 1, column, TERM_PREFIX,
                      (struct text){text.at, length}, bits);
    }
}

void match_index_candidates(const struct match_index *index, struct program_input *input,
                            uint64_t bits[RULE_WORDS_MAX])
{
    unsigned severity = input->view->severity < SEVERITY_COUNT ? input->view->severity : 0;
    const uint64_t *possible = index->possible[severity];

    memcpy(bits, index->always, index->word_count * sizeof(uint64_t));
    for (uint32_t c = 0; c < index->column_count; c++) {
        const struct column *column = &index->column[c];
        struct text text;
        if (!operand_text(&column->operand, input, &text))
            continue;
        if (column->has_equals)
            take_postings(index, equals_hash(c, text), c, TERM_EQUALS, text, bits);
        if (column->prefix_mask != 0)
            take_prefixes(index, c, text, bits);
    }
    for (uint32_t w = 0; w < index->word_count; w++)
        bits[w] &= possible[w];
}

const uint64_t *match_index_exact(const struct match_index *index)
{
    return index->exact;
}

uint32_t match_index_unguarded(const struct match_index *index)
{
    return index->unguarded;
}
