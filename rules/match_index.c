/* match_index.c - see match_index.h. */
#include "rules/match_index.h"

#include <string.h>
#include "base/hash.h"
#include "rules/match_guard.h"
#include "rules/match_range.h"

enum { LABEL_NAMES = 2 * GUARD_COLUMNS_MAX, NO_PATTERN = UINT32_MAX };

/* What an event looks at first: sixteen bytes, four to a cache line. */
struct entry {
    uint64_t hash;         /* 0: free */
    uint32_t first, count; /* of its rules in the list of all postings */
};

/* What an entry stands for, looked at when the hash agrees. */
struct key {
    struct text text, other;
    uint32_t column, other_column; /* of a pattern: its id */
    enum term_kind kind;
};

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
    uint32_t unguarded_count;
    uint32_t column_count, field_count, label_count;
    uint16_t field[GUARD_COLUMNS_MAX]; /* the columns that are no labels */
    struct column column[GUARD_COLUMNS_MAX];
    uint16_t label[LABEL_NAMES]; /* columns by the hash of their name, from 1 */
    uint32_t pair_count;
    struct pair pair[GUARD_PAIRS_MAX];
    struct match_range *range[NUMBER_COUNT];
    uint32_t entry_mask;
    /* A bit for each hash in the table, eight places an entry: most of what events look up is not
     * there, and this much stays in the nearest cache. */
    uint64_t filter_mask;
    uint64_t *filter;
    struct entry *entries;
    struct key *keys;    /* of entries */
    uint32_t *postings;  /* rules, those of one entry side by side */
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

/* Never 0, which marks a free entry. */
static uint64_t equals_hash(uint64_t text_hash)
{
    return text_hash | 1;
}

static uint64_t pair_hash(uint64_t low, uint64_t high)
{
    return hash_mix(low ^ (high << 32 | high >> 32)) | 1;
}

static uint64_t present_hash(uint32_t column)
{
    return hash_mix((uint64_t)column << 32 | TERM_PRESENT) | 1;
}

static uint64_t pattern_hash(uint32_t id)
{
    return hash_mix((uint64_t)id << 32 | TERM_PATTERN) | 1;
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

static bool texts_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static bool is_same_key(const struct key *a, const struct key *b)
{
    return a->kind == b->kind && a->column == b->column && a->other_column == b->other_column &&
           texts_equal(a->text, b->text) && texts_equal(a->other, b->other);
}

/* The entry of a key, or the free one where it would stand. */
static uint32_t entry_find(const struct match_index *index, uint64_t hash, const struct key *key)
{
    uint32_t at = (uint32_t)(hash >> 32) & index->entry_mask;

    while (index->entries[at].hash != 0 &&
           (index->entries[at].hash != hash || !is_same_key(&index->keys[at], key)))
        at = (at + 1) & index->entry_mask;
    return at;
}

static uint64_t *filter_word(const struct match_index *index, uint64_t hash)
{
    return &index->filter[hash >> 8 & index->filter_mask];
}

static uint64_t filter_bit(uint64_t hash)
{
    return (uint64_t)1 << (hash >> 1 & 63);
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
    uint32_t *last_rule; /* of each entry: entered last, counted from 1 */
    uint32_t rule;
    uint8_t severities; /* of this rule */
    bool is_counting;   /* first round: how many postings an entry has */
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
static uint64_t read_term(struct builder *builder, const struct term *term, struct key *key)
{
    struct match_index *index = builder->index;
    struct column *column;

    *key = (struct key){.kind = term->kind, .column = guard_column(builder->survey, term->operand)};
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
        *key = (struct key){.kind = TERM_PATTERN, .column = column->pattern};
        return pattern_hash(column->pattern);
    default:
        key->text = term->text;
        column->is_hashed = column->has_equals = true;
        return equals_hash(text_hash(key->column, key->text));
    }
}

/* Patterns' texts do not outlive the load. */
static bool keep_texts(struct builder *builder, struct key *key)
{
    struct text *texts[] = {&key->text, &key->other};

    for (int i = 0; i < 2; i++) {
        if (texts[i]->len == 0)
            continue;
        texts[i]->at = arena_copy(builder->arena, texts[i]->at, texts[i]->len);
        if (texts[i]->at == NULL)
            return false;
    }
    return true;
}

static bool enter_term(void *self, const struct term *term)
{
    struct builder *builder = self;
    struct match_index *index = builder->index;
    struct key key;
    uint64_t hash;
    uint32_t at;

    if (term->kind == TERM_RANGE) {
        if (!builder->is_counting)
            builder->intervals[term->number][builder->range_count[term->number]++] =
                (struct interval){term->low, term->high, builder->rule};
        return true;
    }
    hash = read_term(builder, term, &key);
    at = entry_find(index, hash, &key);
    if (index->entries[at].hash == 0) {
        if (!keep_texts(builder, &key)) {
            builder->out_of_memory = true;
            return false;
        }
        index->entries[at].hash = hash;
        *filter_word(index, hash) |= filter_bit(hash);
        index->keys[at] = key;
    }
    if (builder->last_rule[at] == builder->rule + 1)
        return true; /* the same term twice in one rule */
    builder->last_rule[at] = builder->rule + 1;
    if (!builder->is_counting)
        index->postings[index->entries[at].first + index->entries[at].count] = builder->rule;
    index->entries[at].count++;
    return true;
}

/* Gives every entry its stretch of the list of postings. */
static void place_postings(struct builder *builder)
{
    struct match_index *index = builder->index;
    uint32_t first = 0;

    for (uint32_t i = 0; i <= index->entry_mask; i++) {
        index->entries[i].first = first;
        first += index->entries[i].count;
        index->entries[i].count = builder->last_rule[i] = 0;
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

/* Chooses every rule's guard, and notes who has none, at which severities it can be true, and
 * whether that is all there is to it. */
static bool choose_guards(struct builder *builder, const struct program *programs)
{
    struct match_index *index = builder->index;

    for (uint32_t i = 0; i < index->rule_count; i++) {
        struct guard *guard = &builder->guards[i];
        uint8_t severities = guard_severities(&programs[i]);
        if (!guard_choose(builder->survey, &programs[i], builder->scratch, guard))
            return false;
        bool has_guard = guard_exists(guard) && guard_visit(guard, prepare_term, builder);
        if (!has_guard) {
            bit_set(index->unguarded, i);
            index->unguarded_count++;
        }
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
        builder->severities = guard_severities(&programs[i]);
        if (!(index->unguarded[i / 64] >> i % 64 & 1))
            guard_visit(&builder->guards[i], enter_term, builder);
    }
}

/* The table of terms, filled in two rounds: counted, then entered. */
static bool build_table(struct builder *builder, const struct program *programs)
{
    struct match_index *index = builder->index;
    uint32_t room = 16;

    while (room < 2 * builder->term_count)
        room *= 2;
    index->entry_mask = room - 1;
    index->filter_mask = room / 16 - 1; /* words, for at most room / 2 entries */
    index->filter = arena_alloc_many(builder->arena, room / 16, sizeof(uint64_t));
    index->entries = arena_alloc_many(builder->arena, room, sizeof(struct entry));
    index->keys = arena_alloc_many(builder->arena, room, sizeof(struct key));
    index->postings =
        arena_alloc_many(builder->arena, (size_t)builder->term_count + 1, sizeof(uint32_t));
    builder->last_rule = arena_alloc_many(builder->scratch, room, sizeof(uint32_t));
    if (index->filter == NULL || index->entries == NULL || index->keys == NULL ||
        index->postings == NULL || builder->last_rule == NULL)
        return false;
    for (int n = 0; n < NUMBER_COUNT; n++) {
        builder->intervals[n] = arena_alloc_many(
            builder->scratch, (size_t)builder->range_count[n] + 1, sizeof(struct interval));
        if (builder->intervals[n] == NULL)
            return false;
        builder->range_count[n] = 0;
    }
    enter_guards(builder, programs, true);
    place_postings(builder);
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

/* One event on its way through the index. */
struct finding {
    const struct match_index *index;
    struct candidates *out;
    struct program_input *input;
    unsigned severity;
    uint64_t has_text[GUARD_COLUMNS_MAX / 64];
    struct text
        text[GUARD_COLUMNS_MAX]; /* where has_text says so; the hash of those that have one */
    uint64_t hash[GUARD_COLUMNS_MAX];
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

static void take_entry(struct finding *finding, uint64_t hash, const struct key *key)
{
    const struct match_index *index = finding->index;
    const struct entry *entry;

    if (!(*filter_word(index, hash) & filter_bit(hash)))
        return;
    entry = &index->entries[entry_find(index, hash, key)];
    for (uint32_t i = 0; i < entry->count; i++)
        take_rule(finding->out, index->postings[entry->first + i]);
}

static void take_prefixes(struct finding *finding, uint32_t column, struct text text)
{
    uint64_t left = finding->index->column[column].prefix_mask, hash = prefix_start(column);
    uint32_t length = 0;

    for (; left != 0; left &= left - 1) {
        uint32_t wanted = (uint32_t)__builtin_ctzll(left) + 1;
        if (wanted > text.len)
            return;
        while (length < wanted)
            hash = prefix_add(hash, text.at[length++]);
        take_entry(finding, hash_mix(hash) | 1,
                   &(struct key){.kind = TERM_PREFIX, .column = column, .text = {text.at, length}});
    }
}

static void take_pattern(void *self, uint32_t id)
{
    take_entry(self, pattern_hash(id), &(struct key){.kind = TERM_PATTERN, .column = id});
}

static bool has_text(const struct finding *finding, uint32_t column)
{
    return finding->has_text[column / 64] >> column % 64 & 1;
}

static void take_column(struct finding *finding, uint32_t c, struct text text)
{
    const struct column *column = &finding->index->column[c];
    struct pattern_scan *patterns = &finding->input->patterns;

    finding->has_text[c / 64] |= (uint64_t)1 << c % 64;
    finding->text[c] = text;
    if (column->is_hashed) {
        finding->hash[c] = text_hash(c, text);
        if (column->has_equals)
            take_entry(finding, equals_hash(finding->hash[c]),
                       &(struct key){.kind = TERM_EQUALS, .column = c, .text = text});
    }
    if (column->has_present)
        take_entry(finding, present_hash(c), &(struct key){.kind = TERM_PRESENT, .column = c});
    if (column->prefix_mask != 0)
        take_prefixes(finding, c, text);
    /* Not before a rule that the severity lets through asks for it. */
    if (column->pattern != NO_PATTERN && (column->pattern_severities >> finding->severity & 1))
        pattern_scan_visit(patterns, pattern_set_column(patterns->set, column->pattern), text,
                           take_pattern, finding);
}

static void take_pairs(struct finding *finding)
{
    for (uint32_t i = 0; i < finding->index->pair_count; i++) {
        uint32_t low = finding->index->pair[i].low, high = finding->index->pair[i].high;
        if (has_text(finding, low) && has_text(finding, high))
            take_entry(finding, pair_hash(finding->hash[low], finding->hash[high]),
                       &(struct key){.kind = TERM_PAIR,
                                     .column = low,
                                     .other_column = high,
                                     .text = finding->text[low],
                                     .other = finding->text[high]});
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
    memset(finding.has_text, 0, sizeof(finding.has_text));
    memset(out->used, 0, sizeof(out->used));
    for (uint32_t i = 0; i < index->always_count[finding.severity]; i++)
        take_bits(out, index->always[finding.severity][i].word,
                  index->always[finding.severity][i].bits);
    for (uint32_t i = 0; i < index->field_count; i++)
        if (operand_text(&index->column[index->field[i]].operand, input, &text))
            take_column(&finding, index->field[i], text);
    for (uint32_t i = 0; index->label_count > 0 && i < event->label_count; i++) {
        struct event_label label = event_text_label(event, i);
        uint16_t column = index->label[label_place(index, label.name)];
        if (column != 0 && !has_text(&finding, column - 1u)) /* of equal names the first counts */
            take_column(&finding, column - 1u, label.value);
    }
    take_pairs(&finding);
    take_numbers(&finding);
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

uint32_t match_index_unguarded(const struct match_index *index)
{
    return index->unguarded_count;
}
