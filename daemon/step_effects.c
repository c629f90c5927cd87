/* step_effects.c - see step_effects.h. */
#include "daemon/step_effects.h"

#include <inttypes.h>
#include <string.h>
#include "base/plural.h"
#include "daemon/rules_running.h"
#include "rules/drop_reach.h"
#include "rules/names_read.h"
#include "rules/names_spread.h"

enum { SHOWN_RULES = 5, SENTENCE_BYTES = 1200 };

static const char *const kind_names[EFFECT_KINDS] = {[EFFECT_BY] = "by",
                                                     [EFFECT_EXPECT] = "expect",
                                                     [EFFECT_READS] = "where, close",
                                                     [EFFECT_DROP] = "drop",
                                                     [EFFECT_DROP_EXPECT] = "drop, expect"};

/* A name that becomes another one, or, without one, what is dropped. */
struct other_name {
    const char *name, *through;
    size_t origin;             /* the step that does it, a place in the preview */
    uint32_t drop, drop_place; /* the step that drops, in the set (rules/drop_reach.h) */
};

struct other_names {
    struct other_name *at;
    size_t count;
};

/* EFFECT_KINDS: the rule has nothing to do with it. */
static enum step_effect_kind kind_of(const struct rule_set *set, uint32_t index,
                                     const struct other_name *other)
{
    const bool expects = rule_set_rule(set, index)->form_kind == FORM_EXPECT;
    unsigned reads;

    if (other->name == NULL) {
        if (!drop_reaches(set, other->drop, other->drop_place, index))
            return EFFECT_KINDS;
        return expects ? EFFECT_DROP_EXPECT : EFFECT_DROP;
    }
    reads = rule_reads_name(set, index, other->name);
    if ((reads & NAME_IN_BY) != 0)
        return expects ? EFFECT_EXPECT : EFFECT_BY;
    return reads != 0 ? EFFECT_READS : EFFECT_KINDS;
}

/* What all forms of a rule hold. */
struct held {
    uint64_t keys, open;
    bool is_known, is_there; /* the latter: one of them is in force */
};

struct finding {
    const struct rules_running *running, *next;
    const struct rule_set *set;
    struct arena *arena;
    struct held *held; /* of the rules of `next`, once it was asked for */
    uint8_t *kinds;    /* the same: of the name that is looked at; each costs two conditions */
};

static const struct held *held_by(const struct finding *finding, size_t rule)
{
    const struct rules_running *running = finding->running;
    struct held *held = &finding->held[rule];

    if (held->is_known)
        return held;
    held->is_known = true;
    for (size_t i = 0; i < running->count; i++) {
        const struct engine_rule_counters *form = &running->rules[i].held;
        if (strcmp(form->rule_id, finding->next->rules[rule].held.rule_id) != 0)
            continue;
        held->is_there |= form->current;
        held->keys += form->keys;
        held->open += form->open;
    }
    return held;
}

static bool is_of_keys(enum step_effect_kind kind)
{
    return kind == EFFECT_EXPECT || kind == EFFECT_DROP_EXPECT;
}

static bool has_effect_on(const struct finding *finding, size_t rule, enum step_effect_kind kind)
{
    const struct held *held = held_by(finding, rule);

    return held->is_there &&
           (!finding->running->is_counted || (is_of_keys(kind) ? held->keys : held->open) > 0);
}

/* Which rules have what to do with the name; *counts, of each kind. */
static void find_kinds(const struct finding *finding, const struct other_name *other,
                       size_t counts[EFFECT_KINDS + 1])
{
    memset(counts, 0, (EFFECT_KINDS + 1) * sizeof(*counts));
    for (size_t i = 0; i < finding->next->count; i++) {
        enum step_effect_kind kind = kind_of(finding->set, (uint32_t)i, other);
        if (kind != EFFECT_KINDS && !has_effect_on(finding, i, kind))
            kind = EFFECT_KINDS;
        finding->kinds[i] = (uint8_t)kind;
        counts[kind]++;
    }
}

/* The `count` rules to which it is of this kind. False: memory is short. */
static bool take_rules(const struct finding *finding, size_t count, struct step_effect *effect)
{
    const char **rules = arena_alloc_many(finding->arena, count, sizeof(*rules));

    for (size_t i = 0; rules != NULL && effect->rule_count < count; i++) {
        const char *id = finding->next->rules[i].held.rule_id;
        if (finding->kinds[i] != effect->kind)
            continue;
        rules[effect->rule_count] = arena_copy(finding->arena, id, strlen(id));
        if (rules[effect->rule_count++] == NULL)
            return false;
        effect->keys += finding->held[i].keys;
        effect->open += finding->held[i].open;
    }
    effect->rules = rules;
    return rules != NULL;
}

/* False: memory is short. */
static bool find_effects(const struct finding *finding, const struct other_names *names,
                         size_t origin, struct step_effects *out)
{
    size_t count = 0, counts[EFFECT_KINDS + 1];

    for (size_t n = 0; n < names->count; n++)
        count += names->at[n].origin == origin;
    out->at = arena_alloc_many(finding->arena, count * EFFECT_KINDS + 1, sizeof(*out->at));
    for (size_t n = 0; out->at != NULL && n < names->count; n++) {
        if (names->at[n].origin != origin)
            continue;
        find_kinds(finding, &names->at[n], counts);
        for (int kind = 0; kind < EFFECT_KINDS; kind++) {
            struct step_effect *effect = &out->at[out->count];
            if (counts[kind] == 0)
                continue;
            *effect = (struct step_effect){.name = names->at[n].name,
                                           .through = names->at[n].through,
                                           .kind = (enum step_effect_kind)kind};
            if (!take_rules(finding, counts[kind], effect))
                return false;
            out->count++;
        }
    }
    return out->at != NULL;
}

/* ---- which names become others ---- */

struct following {
    const struct preview_steps *steps;
    const struct rule_set *set;
    struct names_spread spread;
    struct other_names names;
};

static bool is_unchanged(const struct preview_step *step)
{
    return strcmp(step->state, "unchanged") == 0;
}

static void follow_changed(struct following *follow, size_t place)
{
    const struct step_names *names = &follow->steps->at[place].names;

    for (size_t i = 0; i < names->count; i++) {
        names_spread_add(&follow->spread, names->at[i], place);
        follow->names.at[follow->names.count++] =
            (struct other_name){.name = names->at[i], .origin = place};
    }
}

/* One that changes says itself what it does. */
static void follow_step(struct following *follow, uint32_t index, size_t place,
                        struct spread_name *made)
{
    const struct enrich_set *steps = rule_set_enrich(follow->set);
    const struct preview_step *step = &follow->steps->at[place];
    const bool drops = enrich_step_at(steps, index)->drops;
    uint32_t count = 0;

    if (!is_unchanged(step)) {
        follow_changed(follow, place);
        if (drops)
            made[count++] = (struct spread_name){NULL, place};
    } else {
        count = names_spread_step(&follow->spread, steps, index, made);
    }
    for (uint32_t i = 0; i < count; i++)
        follow->names.at[follow->names.count++] =
            (struct other_name){.name = made[i].name,
                                .through = is_unchanged(step) ? step->id : NULL,
                                .origin = made[i].origin,
                                .drop = index,
                                .drop_place = drops ? drop_place(follow->set, index) : 0};
}

/* Steps that go come before those that stood behind them and stay; `gone` is how far the preview
 * has been looked through for them. */
static void follow_gone(struct following *follow, size_t *gone, size_t until)
{
    for (; *gone < until; (*gone)++)
        if (strcmp(follow->steps->at[*gone].state, "gone") == 0)
            follow_changed(follow, *gone);
}

static size_t place_of(const struct preview_steps *steps, const char *id)
{
    size_t i = 0;

    while (i < steps->count && strcmp(steps->at[i].id, id) != 0)
        i++;
    return i;
}

/* False: memory is short. */
static bool follow_names(const struct rule_set *of, struct arena *arena,
                         const struct preview_steps *steps, struct other_names *out)
{
    const struct enrich_set *set = rule_set_enrich(of);
    struct following follow = {.steps = steps, .set = of};
    struct spread_name *made;
    size_t max = 0, gone = 0;

    for (size_t i = 0; i < steps->count; i++)
        max += steps->at[i].names.count;
    for (uint32_t i = 0; i < enrich_count(set); i++)
        max += enrich_step_names(set, i, NULL, 0) + 1;
    follow.names.at = arena_alloc_many(arena, max + 1, sizeof(*follow.names.at));
    made = arena_alloc_many(arena, max + 1, sizeof(*made));
    if (follow.names.at == NULL || made == NULL || !names_spread_init(&follow.spread, max, arena))
        return false;
    for (uint32_t i = 0; i < enrich_count(set); i++) {
        const size_t place = place_of(steps, enrich_step_at(set, i)->id);
        if (strcmp(steps->at[place].state, "new") != 0)
            follow_gone(&follow, &gone, place);
        follow_step(&follow, i, place, made);
    }
    follow_gone(&follow, &gone, steps->count);
    *out = follow.names;
    return true;
}

bool step_effects_find(const struct rules_running *running, const struct rules_running *next,
                       const struct rule_set *set, struct arena *arena, struct preview_steps *steps)
{
    const struct finding finding = {
        .running = running,
        .next = next,
        .set = set,
        .arena = arena,
        .held = arena_alloc_many(arena, next->count + 1, sizeof(*finding.held)),
        .kinds = arena_alloc_many(arena, next->count + 1, sizeof(*finding.kinds))};
    struct other_names names;

    if (finding.held == NULL || finding.kinds == NULL || !follow_names(set, arena, steps, &names))
        return false;
    memset(finding.held, 0, (next->count + 1) * sizeof(*finding.held));
    for (size_t i = 0; i < steps->count; i++)
        if (!is_unchanged(&steps->at[i]) &&
            !find_effects(&finding, &names, i, &steps->at[i].effects))
            return false;
    return true;
}

static bool names_rule(const struct step_effect *effect, const char *rule_id)
{
    size_t i = 0;

    while (i < effect->rule_count && strcmp(effect->rules[i], rule_id) != 0)
        i++;
    return i < effect->rule_count;
}

static bool has_effect(const struct preview_steps *steps, const char *rule_id, unsigned kinds)
{
    for (size_t i = 0; i < steps->count; i++)
        for (size_t k = 0; k < steps->at[i].effects.count; k++)
            if ((kinds & 1U << steps->at[i].effects.at[k].kind) != 0 &&
                names_rule(&steps->at[i].effects.at[k], rule_id))
                return true;
    return false;
}

bool step_effects_reopen(const struct preview_steps *steps, const char *rule_id)
{
    return has_effect(steps, rule_id, 1U << EFFECT_BY | 1U << EFFECT_READS);
}

bool step_effects_close(const struct preview_steps *steps, const char *rule_id)
{
    return has_effect(steps, rule_id, 1U << EFFECT_DROP);
}

/* ---- telling ---- */

struct line {
    char at[SENTENCE_BYTES];
    size_t used;
};

static void put(struct line *line, const char *text)
{
    for (; *text != '\0' && line->used + 1 < sizeof(line->at); text++)
        line->at[line->used++] = *text;
    line->at[line->used] = '\0';
}

/* "a, b and c", "a, b, c, d, e and 3 more". */
static void put_rules(struct line *line, const struct step_effect *effect)
{
    size_t shown = effect->rule_count > SHOWN_RULES + 1 ? SHOWN_RULES : effect->rule_count;
    char more[32];

    for (size_t i = 0; i < shown; i++) {
        if (i > 0)
            put(line, i + 1 == effect->rule_count ? " and " : ", ");
        put(line, effect->rules[i]);
    }
    if (shown == effect->rule_count)
        return;
    snprintf(more, sizeof(more), " and %zu more", effect->rule_count - shown);
    put(line, more);
}

static void put_count(struct line *line, bool is_counted, uint64_t count, const char *one,
                      const char *many)
{
    char number[80];

    if (!is_counted)
        snprintf(number, sizeof(number), "%ss", many);
    else if (count == 1)
        snprintf(number, sizeof(number), "%s", one);
    else
        snprintf(number, sizeof(number), "%" PRIu64 " %ss", count, many);
    put(line, number);
}

static void print_dropped(const struct step_effect *effect, bool is_counted, struct line *line)
{
    put(line, "what ");
    put(line, effect->through != NULL ? "step " : "it drops may be ");
    if (effect->through != NULL) {
        put(line, effect->through);
        put(line, " drops by what it sets may be ");
    }
    put(line, effect->kind == EFFECT_DROP ? "of " : "a sign of life of ");
    put_rules(line, effect);
    if (effect->kind == EFFECT_DROP) {
        put(line, ": an alert of which nothing is heard any more expires, so ");
        put_count(line, is_counted, effect->open, "1 open incident", "open incident");
        put(line, " may close though it still fires");
        return;
    }
    put(line, ": of ");
    put_count(line, is_counted, effect->keys, "the key that is there now", "key");
    put(line, ", whichever gets none any more is missed");
}

static void print_sentence(const struct step_effect *effect, bool is_counted, struct line *line)
{
    static const char *const heads[EFFECT_KINDS] = {[EFFECT_BY] = ", is in by of ",
                                                    [EFFECT_EXPECT] = ", is in by of ",
                                                    [EFFECT_READS] =
                                                        ", is read by where or close of "};

    line->used = 0;
    if (effect->name == NULL) {
        print_dropped(effect, is_counted, line);
        return;
    }
    put(line, effect->name);
    if (effect->through == NULL) {
        put(line, ", which it sets");
    } else {
        put(line, ", which step ");
        put(line, effect->through);
        put(line, " makes of what it sets");
    }
    put(line, heads[effect->kind]);
    put_rules(line, effect);
    if (effect->kind == EFFECT_EXPECT) {
        put(line, ": a sign of life with another value than before is of another key, and of ");
        put_count(line, is_counted, effect->keys, "the key that is there now", "key");
        put(line, ", whichever gets none any more is missed");
        return;
    }
    put(line, effect->kind == EFFECT_BY
                  ? ": an alert with another value than before is of another key from its next "
                    "event on, a repeat too, so "
                  : ": an alert with another value than before may match no more, or anew, from "
                    "its next event on, a repeat too, so ");
    put_count(line, is_counted, effect->open, "1 open incident", "open incident");
    put(line, " may close, and open, and page, anew");
}

void step_effects_print(const struct step_effects *effects, bool is_counted, FILE *to)
{
    struct line line;

    for (size_t i = 0; i < effects->count; i++) {
        print_sentence(&effects->at[i], is_counted, &line);
        fprintf(to, "      %s\n", line.at);
    }
}

static json_t *known(bool is_known, uint64_t value)
{
    return is_known ? json_integer((json_int_t)value) : json_null();
}

json_t *step_effects_json(const struct step_effects *effects, bool is_counted)
{
    json_t *list = json_array();
    struct line line;

    for (size_t i = 0; i < effects->count; i++) {
        const struct step_effect *effect = &effects->at[i];
        json_t *rules = json_array();
        for (size_t r = 0; r < effect->rule_count; r++)
            json_array_append_new(rules, json_string(effect->rules[r]));
        print_sentence(effect, is_counted, &line);
        json_array_append_new(list, json_pack("{s:s?,s:s?,s:s,s:o,s:o,s:o,s:s}", "name",
                                              effect->name, "through", effect->through, "in",
                                              kind_names[effect->kind], "rules", rules, "keys",
                                              known(is_counted, effect->keys), "open",
                                              known(is_counted, effect->open), "meaning", line.at));
    }
    return list;
}
