/* match_index.c - see match_index.h. */
#include "rules/match_index.h"

#include <string.h>
#include "base/hash.h"
#include "base/text.h"
#include "rules/match_guard.h"
#include "rules/match_range.h"
#include "rules/match_table.h"
#include "rules/severities.h"

enum { LABEL_NAMES = 2 * GUARD_COLUMNS_MAX, NO_PATTERN = UINT32_MAX };

struct column {
    struct operand operand;
    bool is_hashed; /* some rule asks for equality, alone or in a pair */
    bool has_equals, has_present;
    uint64_t prefix_mask; /* bit n - 1: some prefix has n bytes */
    uint32_t pattern;     /* any of those that rules are found by; NO_PATTERN */
    uint8_t pattern_severities;
};

struct pair {
    uint32_t low, high; /* columns */
};

struct used_word {
    uint32_t word;
    uint64_t bits;
};

struct match_index {
    uint32_t rule_count, word_count;
    uint32_t column_count, field_count, label_count;
    uint16_t field[GUARD_COLUMNS_MAX]; /* the columns that are no labels */
    struct column column[GUARD_COLUMNS_MAX];
    uint16_t label[LABEL_NAMES]; /* columns by the hash of their name, from 1 */
    uint32_t pair_count;
    struct pair pair[GUARD_PAIRS_MAX];
    struct match_range *range[NUMBER_COUNT];
    struct match_table table;
    uint64_t *unguarded; /* bit per rule without a guard */
    uint32_t always_count[SEVERITY_COUNT];
    struct used_word *always[SEVERITY_COUNT]; /* of those, who can be true at the severity */
    uint64_t *possible[SEVERITY_COUNT];       /* bit per rule that can be true at it */
    uint64_t *exact;                          /* bit per rule whose candidates are matches */
};

/* ---- hashes ---- */

/* Seeds are fixed: rules are not an attacker's, and an event's texts are only looked up, never
 * entered. */
static uint64_t text_hash(uint32_t column, struct text text)
{
    return hash64(text.at, text.len, hash_mix(column + 1));
}

static uint64_t pair_hash(uint64_t low, uint64_t high)
{
    return hash_mix(low ^ (high << 32 | high >> 32));
}

static uint64_t present_hash(uint32_t column)
{
    return hash_mix((uint64_t)column << 32 | TERM_PRESENT);
}

static uint64_t pattern_hash(uint32_t id)
{
    return hash_mix((uint64_t)id << 32 | TERM_PATTERN);
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
    return hash_mix(hash);
}

/* ---- building ---- */

struct builder {
    struct match_index *index;
    struct guard_survey *survey;
    struct pattern_table *patterns;
    struct arena *arena, *scratch;
    struct guard *guards; /* by rule */
    uint64_t term_count;  /* of all guards */
    uint32_t range_count[NUMBER_COUNT];
    struct interval *intervals[NUMBER_COUNT];
    struct match_filling *filling;
    uint32_t rule;
    uint8_t severities; /* of this rule */
    bool is_counting;   /* first round: how many rules a term has */
    bool out_of_memory;
};

/* The id of a term's pattern; a literal becomes one. False when there is no room. */
static bool pattern_of(struct builder *builder, const struct term *term, uint32_t *id)
{
    struct text column;

    if (term->kind == TERM_PATTERN) {
        *id = term->pattern;
        pattern_table_want(builder->patterns, *id);
        return true;
    }
    column = guard_pattern_column(term->operand, builder->scratch);
    return builder->patterns != NULL && column.at != NULL &&
           pattern_table_add_literal(builder->patterns, column, term->text, term->is_at_end, id);
}

/* Is there room for the term? What it needs is made ready. */
static bool prepare_term(void *self, const struct term *term)
{
    struct builder *builder = self;
    uint32_t id;

    if (builder->term_count == MATCH_TERMS_MAX)
        return false;
    if ((term->kind == TERM_LITERAL || term->kind == TERM_PATTERN) &&
        !pattern_of(builder, term, &id))
        return false;
    builder->term_count++;
    if (term->kind == TERM_RANGE)
        builder->range_count[term->number]++;
    return true;
}

static void note_pair(struct match_index *index, uint32_t low, uint32_t high)
{
    uint32_t i = 0;

    while (i < index->pair_count && (index->pair[i].low != low || index->pair[i].high != high))
        i++;
    if (i == index->pair_count) /* the guards keep to GUARD_PAIRS_MAX */
        index->pair[index->pair_count++] = (struct pair){low, high};
}

/* The key and hash of a term, noting at its columns what an event has to look up. */
static uint64_t read_term(struct builder *builder, const struct term *term, struct match_key *key)
{
    struct match_index *index = builder->index;
    struct column *column;

    *key = (struct match_key){.kind = term->kind,
                              .column = guard_column(builder->survey, term->operand)};
    column = &index->column[key->column];
    switch (term->kind) {
    case TERM_PRESENT:
        column->has_present = true;
        return present_hash(key->column);
    case TERM_PREFIX:
        key->text = term->text;
        key->text.len =
            key->text.len < GUARD_PREFIX_BYTES_MAX ? key->text.len : GUARD_PREFIX_BYTES_MAX;
        column->prefix_mask |= (uint64_t)1 << (key->text.len - 1);
        return prefix_hash(key->column, key->text);
    case TERM_PAIR:
        key->other_column = guard_column(builder->survey, term->other);
        key->text = term->text;
        key->other = term->other_text;
        column->is_hashed = index->column[key->other_column].is_hashed = true;
        note_pair(index, key->column, key->other_column);
        return pair_hash(text_hash(key->column, key->text),
                         text_hash(key->other_column, key->other));
    case TERM_LITERAL:
    case TERM_PATTERN:
        /* Found once already, so found again. */
        if (!pattern_of(builder, term, &column->pattern))
            builder->out_of_memory = true;
        column->pattern_severities |= builder->severities;
        *key = (struct match_key){.kind = TERM_PATTERN, .column = column->pattern};
        return pattern_hash(column->pattern);
    default:
        key->text = term->text;
        column->is_hashed = column->has_equals = true;
        return text_hash(key->column, key->text);
    }
}

static bool enter_term(void *self, const struct term *term)
{
    struct builder *builder = self;
    struct match_key key;

    if (term->kind == TERM_RANGE) {
        if (!builder->is_counting)
            builder->intervals[term->number][builder->range_count[term->number]++] =
                (struct interval){term->low, term->high, builder->rule};
        return true;
    }
    uint64_t hash = read_term(builder, term, &key);
    if (builder->is_counting)
        match_table_count(builder->filling, hash, &key, builder->rule);
    else
        match_table_enter(builder->filling, hash, &key, builder->rule);
    return true;
}

static uint64_t *bits_create(const struct match_index *index, struct arena *arena)
{
    return arena_alloc_many(arena, (size_t)index->word_count + 1, sizeof(uint64_t));
}

static void bit_set(uint64_t *bits, uint32_t rule)
{
    bits[rule / 64] |= (uint64_t)1 << rule % 64;
}

/* Chooses every rule's guard, and notes who has none, at which severities it can be true, and
 * whether that is all there is to it. */
static bool choose_guards(struct builder *builder, const struct program *programs)
{
    struct match_index *index = builder->index;

    for (uint32_t i = 0; i < index->rule_count; i++) {
        struct guard *guard = &builder->guards[i];
        uint8_t severities = severities_possible(&programs[i]);
        if (!guard_choose(builder->survey, &programs[i], builder->scratch, guard))
            return false;
        bool has_guard = guard_exists(guard) && guard_visit(guard, prepare_term, builder);
        if (!has_guard)
            bit_set(index->unguarded, i);
        for (unsigned s = 0; s < SEVERITY_COUNT; s++)
            if (severities & 1u << s)
                bit_set(index->possible[s], i);
        /* Without its guard, who is a candidate is one for every event. */
        if (guard_is_all(guard) && (has_guard || !guard_exists(guard)))
            bit_set(index->exact, i);
    }
    return true;
}

static void enter_guards(struct builder *builder, const struct program *programs, bool is_counting)
{
    struct match_index *index = builder->index;

    builder->is_counting = is_counting;
    for (uint32_t i = 0; i < index->rule_count && !builder->out_of_memory; i++) {
        builder->rule = i;
        builder->severities = severities_possible(&programs[i]);
        if (!(index->unguarded[i / 64] >> i % 64 & 1))
            guard_visit(&builder->guards[i], enter_term, builder);
    }
}

/* The table of terms, filled in two rounds: counted, then entered. */
static bool build_table(struct builder *builder, const struct program *programs)
{
    builder->filling = match_table_fill(&builder->index->table, builder->term_count, builder->arena,
                                        builder->scratch);
    if (builder->filling == NULL)
        return false;
    for (int n = 0; n < NUMBER_COUNT; n++) {
        builder->intervals[n] = arena_alloc_many(
            builder->scratch, (size_t)builder->range_count[n] + 1, sizeof(struct interval));
        if (builder->intervals[n] == NULL)
            return false;
        builder->range_count[n] = 0;
    }
    enter_guards(builder, programs, true);
    if (builder->out_of_memory || !match_table_place(builder->filling))
        return false;
    enter_guards(builder, programs, false);
    return !builder->out_of_memory;
}

static bool build_ranges(struct builder *builder)
{
    for (int n = 0; n < NUMBER_COUNT; n++) {
        if (builder->range_count[n] == 0)
            continue;
        builder->index->range[n] = match_range_create(
            builder->intervals[n], builder->range_count[n], builder->arena, builder->scratch);
        if (builder->index->range[n] == NULL)
            return false;
    }
    return true;
}

static uint32_t label_place(const struct match_index *index, struct text name)
{
    uint32_t at = (uint32_t)hash64(name.at, name.len, 0) % LABEL_NAMES;

    while (index->label[at] != 0 &&
           !texts_equal(index->column[index->label[at] - 1].operand.text, name))
        at = (at + 1) % LABEL_NAMES;
    return at;
}

/* Fields are visited one by one; labels as an event brings them. */
static void place_columns(struct match_index *index)
{
    for (uint32_t c = 0; c < index->column_count; c++) {
        const struct column *column = &index->column[c];
        if (!column->is_hashed && !column->has_present && column->prefix_mask == 0 &&
            column->pattern == NO_PATTERN)
            continue;
        if (column->operand.kind != OPERAND_LABEL) {
            index->field[index->field_count++] = (uint16_t)c;
        } else {
            index->label[label_place(index, column->operand.text)] = (uint16_t)(c + 1);
            index->label_count++;
        }
    }
}

/* Rules without a guard, by severity, as words that an event starts with. */
static bool place_always(struct match_index *index, struct arena *arena)
{
    for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
        index->always[s] =
            arena_alloc_many(arena, (size_t)index->word_count + 1, sizeof(struct used_word));
        if (index->always[s] == NULL)
            return false;
        for (uint32_t w = 0; w < index->word_count; w++) {
            uint64_t bits = index->unguarded[w] & index->possible[s][w];
            if (bits != 0)
                index->always[s][index->always_count[s]++] = (struct used_word){w, bits};
        }
    }
    return true;
}

static bool build(struct builder *builder, const struct program *programs)
{
    struct match_index *index = builder->index;

    index->unguarded = bits_create(index, builder->arena);
    index->exact = bits_create(index, builder->arena);
    if (index->unguarded == NULL || index->exact == NULL)
        return false;
    for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
        index->possible[s] = bits_create(index, builder->arena);
        if (index->possible[s] == NULL)
            return false;
    }
    index->column_count = guard_column_count(builder->survey);
    for (uint32_t c = 0; c < index->column_count; c++)
        index->column[c] = (struct column){.operand = *guard_column_operand(builder->survey, c),
                                           .pattern = NO_PATTERN};
    if (!choose_guards(builder, programs) || !build_table(builder, programs) ||
        !build_ranges(builder))
        return false;
    place_columns(index);
    return place_always(index, builder->arena);
}

struct match_index *match_index_create(const struct program *programs, uint32_t count,
                                       struct pattern_table *patterns, struct arena *arena,
                                       struct arena *scratch)
{
    struct match_index *index = arena_alloc(arena, sizeof(*index));
    struct builder builder = {
        .index = index, .patterns = patterns, .arena = arena, .scratch = scratch};

    builder.survey = guard_survey_create(programs, count, patterns, scratch);
    builder.guards = arena_alloc_many(scratch, (size_t)count + 1, sizeof(struct guard));
    if (index == NULL || builder.survey == NULL || builder.guards == NULL)
        return NULL;
    index->rule_count = count;
    index->word_count = (count + 63) / 64;
    return build(&builder, programs) ? index : NULL;
}

/* ---- finding ---- */

enum { HITS_MAX = 16 };

/* A term that the event seems to have. */
struct hit {
    uint64_t hash;
    struct match_key key;
};

/*
 * One event on its way through the index. Of many thousand terms hardly a slot or record is in a
 * cache near by, so nothing waits for one: all that the event says is looked for in the filter
 * first, what passed is fetched while the rest, and then patterns, are searched for, and read last.
 */
struct finding {
    const struct match_index *index;
    struct candidates *out;
    struct program_input *input;
    unsigned severity;
    uint32_t hit_count, near_count; /* near: whose records are on their way */
    uint32_t search_count;
    uint16_t search[GUARD_COLUMNS_MAX]; /* columns of which patterns are searched for */
    uint64_t has_text[GUARD_COLUMNS_MAX / 64];
    struct text
        text[GUARD_COLUMNS_MAX]; /* where has_text says so; the hash of those that have one */
    uint64_t hash[GUARD_COLUMNS_MAX];
    struct hit hit[HITS_MAX];
};

static void take_bits(struct candidates *out, uint32_t word, uint64_t bits)
{
    uint64_t *used = &out->used[word / 64], bit = (uint64_t)1 << word % 64;

    if (*used & bit) {
        out->bits[word] |= bits;
    } else {
        *used |= bit;
        out->bits[word] = bits;
    }
}

static void take_rule(void *self, uint32_t rule)
{
    take_bits(self, rule / 64, (uint64_t)1 << rule % 64);
}

/* Fetches the records of the hits that have none on its way. */
static void hits_near(struct finding *finding)
{
    for (; finding->near_count < finding->hit_count; finding->near_count++)
        match_table_prefetch_record(&finding->index->table, finding->hit[finding->near_count].hash);
}

/* Takes the rules of all hits. */
static void hits_take(struct finding *finding)
{
    hits_near(finding);
    for (uint32_t i = 0; i < finding->hit_count; i++) {
        uint32_t count = 0;
        const uint32_t *rules = match_table_find(&finding->index->table, finding->hit[i].hash,
                                                 &finding->hit[i].key, &count);
        for (uint32_t r = 0; r < count; r++)
            take_rule(finding->out, rules[r]);
    }
    finding->hit_count = finding->near_count = 0;
}

static void look_up(struct finding *finding, uint64_t hash, const struct match_key *key)
{
    const struct match_table *table = &finding->index->table;

    if (!match_table_may_hold(table, hash))
        return;
    match_table_prefetch_slot(table, hash);
    if (finding->hit_count == HITS_MAX)
        hits_take(finding);
    finding->hit[finding->hit_count++] = (struct hit){hash, *key};
}

static void look_up_prefixes(struct finding *finding, uint32_t column, struct text text)
{
    uint64_t left = finding->index->column[column].prefix_mask, hash = prefix_start(column);
    uint32_t length = 0;

    for (; left != 0; left &= left - 1) {
        uint32_t wanted = (uint32_t)__builtin_ctzll(left) + 1;
        if (wanted > text.len)
            return;
        while (length < wanted)
            hash = prefix_add(hash, text.at[length++]);
        look_up(
            finding, hash_mix(hash),
            &(struct match_key){.kind = TERM_PREFIX, .column = column, .text = {text.at, length}});
    }
}

static void look_up_pattern(void *self, uint32_t id)
{
    look_up(self, pattern_hash(id), &(struct match_key){.kind = TERM_PATTERN, .column = id});
}

static bool has_text(const struct finding *finding, uint32_t column)
{
    return finding->has_text[column / 64] >> column % 64 & 1;
}

static void look_up_column(struct finding *finding, uint32_t c, struct text text)
{
    const struct column *column = &finding->index->column[c];

    finding->has_text[c / 64] |= (uint64_t)1 << c % 64;
    finding->text[c] = text;
    if (column->is_hashed) {
        finding->hash[c] = text_hash(c, text);
        if (column->has_equals)
            look_up(finding, finding->hash[c],
                    &(struct match_key){.kind = TERM_EQUALS, .column = c, .text = text});
    }
    if (column->has_present)
        look_up(finding, present_hash(c), &(struct match_key){.kind = TERM_PRESENT, .column = c});
    if (column->prefix_mask != 0)
        look_up_prefixes(finding, c, text);
    /* Not before a rule that the severity lets through asks for it. */
    if (column->pattern != NO_PATTERN && (column->pattern_severities >> finding->severity & 1))
        finding->search[finding->search_count++] = (uint16_t)c;
}

static void look_up_pairs(struct finding *finding)
{
    for (uint32_t i = 0; i < finding->index->pair_count; i++) {
        uint32_t low = finding->index->pair[i].low, high = finding->index->pair[i].high;
        if (has_text(finding, low) && has_text(finding, high))
            look_up(finding, pair_hash(finding->hash[low], finding->hash[high]),
                    &(struct match_key){.kind = TERM_PAIR,
                                        .column = low,
                                        .other_column = high,
                                        .text = finding->text[low],
                                        .other = finding->text[high]});
    }
}

static void search_columns(struct finding *finding)
{
    struct pattern_scan *patterns = &finding->input->patterns;

    for (uint32_t i = 0; i < finding->search_count; i++) {
        const struct column *column = &finding->index->column[finding->search[i]];
        pattern_scan_visit(patterns, pattern_set_column(patterns->set, column->pattern),
                           finding->text[finding->search[i]], look_up_pattern, finding);
    }
}

static void take_numbers(struct finding *finding)
{
    struct match_range *const *range = finding->index->range;
    const struct event_view *view = finding->input->view;

    if (range[NUMBER_VALUE] != NULL && view->text->has_value &&
        view->text->value == view->text->value)
        match_range_find(range[NUMBER_VALUE], match_range_key(view->text->value), take_rule,
                         finding->out);
    if (range[NUMBER_AGE] != NULL)
        match_range_find(range[NUMBER_AGE], view->et_ms - view->text->ts_ms, take_rule,
                         finding->out);
    if (range[NUMBER_TS] != NULL)
        match_range_find(range[NUMBER_TS], view->text->ts_ms, take_rule, finding->out);
}

void match_index_find(const struct match_index *index, struct program_input *input,
                      struct candidates *out)
{
    struct finding finding;
    const struct event_text *event = input->view->text;
    struct text text;

    finding.index = index;
    finding.out = out;
    finding.input = input;
    finding.severity = input->view->severity < SEVERITY_COUNT ? input->view->severity : 0;
    finding.hit_count = finding.near_count = finding.search_count = 0;
    memset(finding.has_text, 0, sizeof(finding.has_text));
    memset(out->used, 0, sizeof(out->used));
    for (uint32_t i = 0; i < index->always_count[finding.severity]; i++)
        take_bits(out, index->always[finding.severity][i].word,
                  index->always[finding.severity][i].bits);
    for (uint32_t i = 0; i < index->field_count; i++)
        if (operand_text(&index->column[index->field[i]].operand, input, &text))
            look_up_column(&finding, index->field[i], text);
    for (uint32_t i = 0; index->label_count > 0 && i < event->label_count; i++) {
        struct event_label label = event_text_label(event, i);
        uint16_t column = index->label[label_place(index, label.name)];
        if (column != 0 && !has_text(&finding, column - 1u)) /* of equal names the first counts */
            look_up_column(&finding, column - 1u, label.value);
    }
    look_up_pairs(&finding);
    hits_near(&finding);
    search_columns(&finding);
    hits_near(&finding);
    take_numbers(&finding);
    hits_take(&finding);
    for (uint32_t g = 0; g < RULE_GROUPS_MAX; g++)
        for (uint64_t left = out->used[g]; left != 0; left &= left - 1) {
            uint32_t w = g * 64 + (uint32_t)__builtin_ctzll(left);
            out->bits[w] &= index->possible[finding.severity][w];
        }
}

const uint64_t *match_index_exact(const struct match_index *index)
{
    return index->exact;
}

bool match_index_is_unguarded(const struct match_index *index, uint32_t rule)
{
    return index->unguarded[rule / 64] >> rule % 64 & 1;
}
