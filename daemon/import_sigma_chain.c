/*
 * import_sigma_chain.c - correlations of correlations. See import_sigma_correlation.h.
 *
 *   brute_force:  event_count of refused, by user
 *   break_in:     temporal_ordered of brute_force, accepted, by user
 *
 * becomes a rule `on: incidents` over one rule for each that it is made of, correlations and
 * detections alike:
 *
 *   brute-force-seen   count() >= n                 closes at once
 *   accepted-seen      one event is an incident     closes at once
 *   break-in           on: incidents, of: [brute-force-seen, accepted-seen], sequence
 *
 * A rule that is told gathers what comes while its incident is open, so whoever looks at its
 * incidents would see one where the correlation came true again and again. Parts are therefore
 * rules of their own, also where `generate` makes them rules that are told: their incidents end
 * with the millisecond. Nobody is told of them; one maintenance window that is always open sees to
 * it, which makes no difference to rules on incidents.
 *
 * An incident shows its key and nothing else, so a chain groups by, and counts, what all its
 * correlations group by. A detection is grouped by what the chain wants.
 *
 * All rules of a chain are one entry of the result: the engine takes them together or not at all.
 */
#include <string.h>
#include "daemon/import_sigma_correlation.h"

/* ---- reading ---- */

static struct correlation *root_of(struct correlation *c)
{
    while (c->parent != NULL)
        c = c->parent;
    return c;
}

static bool is_above(const struct correlation *c, const struct sigma_rule *rule)
{
    for (; c != NULL; c = c->parent)
        if (c->rule == rule)
            return true;
    return false;
}

/* Rules that are shared are read, and written, once for each chain: a bound of both. */
static bool count_part(struct correlation *c, const struct sigma_rule *base, struct span span)
{
    struct sigma *sigma = c->sigma;
    const struct yaml_node *map = yaml_node_find(base->document, "correlation");
    const struct yaml_node *rules = base->kind == SIGMA_CORRELATION && map->kind == YAML_MAP
                                        ? yaml_node_find(map, "rules")
                                        : NULL;

    if (rules != NULL)
        sigma->part_base_count += rules->count;
    if (++root_of(c)->part_count > SIGMA_PARTS_MAX)
        return correlation_refuse(c, span,
                                  "a chain is made of at most %d rules, over others and counted "
                                  "as often as it refers to them",
                                  SIGMA_PARTS_MAX);
    if (++sigma->part_count > SIGMA_ALL_PARTS_MAX || sigma->part_base_count > SIGMA_ALL_BASES_MAX)
        return correlation_refuse(c, span,
                                  "the chains of a set are made of at most %d rules, and those of "
                                  "at most %d",
                                  SIGMA_ALL_PARTS_MAX, SIGMA_ALL_BASES_MAX);
    return true;
}

bool chain_read_part(struct correlation *c, uint32_t i, struct span span)
{
    struct sigma_rule *base = c->base[i];
    struct correlation *part;

    if (!count_part(c, base, span))
        return false;
    if (base->kind != SIGMA_CORRELATION)
        return true;
    if (is_above(c, base))
        return correlation_refuse(c, span, "it is made of itself");
    part = import_pool_alloc(&c->sigma->work->scratch, sizeof(*part));
    *part = (struct correlation){
        .sigma = c->sigma,
        .rule = base,
        .map = yaml_node_find(base->document, "correlation"),
        .parent = c,
        .count_max = INT64_MAX,
        .expr = {.pool = &c->sigma->work->scratch},
    };
    c->part[i] = part;
    return correlation_read_all(part) ||
           correlation_refuse(c, span, "it is made of the %.140s, which cannot be carried over",
                              base->construct);
}

bool chain_add_key(struct correlation *part, struct import_target key, struct span span)
{
    if (part->by_count == SIGMA_BY_MAX)
        return correlation_refuse(part, span, "a key takes %d fields beside the tenant",
                                  SIGMA_BY_MAX);
    part->by_name[part->by_count] = (struct text){"", 0};
    part->by[part->by_count++] = key;
    for (uint32_t i = 0; part->is_chain && i < part->base_count; i++)
        if (part->part[i] != NULL && !chain_add_key(part->part[i], key, span))
            return false;
    return true;
}

bool chain_is_shown(struct correlation *c, const struct import_target *field, struct span span)
{
    static const char *const hidden[] = {"check", "dedup_key", "message", "value"};

    for (size_t i = 0; c->is_chain && i < sizeof(hidden) / sizeof(hidden[0]); i++)
        if (strcmp(field->text, hidden[i]) == 0)
            return correlation_refuse(c, span,
                                      "a chain looks at incidents, which do not show %s of their "
                                      "events: map the field to a label",
                                      hidden[i]);
    return true;
}

/* ---- writing ---- */

static const char *part_id(struct correlation *c, const struct sigma_rule *base)
{
    struct text title = base->title.len > 0 ? base->title : base->name;

    return import_id(c->sigma->work, "sigma-",
                     import_word(import_name(c->sigma->work, "%.*s seen",
                                             title.len < 100 ? (int)title.len : 100, title.at)));
}

/* A detection: each event is an incident. */
static bool put_detection(struct correlation *c, uint32_t i, struct import_text *entry)
{
    struct expr_build build = {.pool = &c->sigma->work->scratch};
    const struct import_target *counted = c->type == VALUE_COUNT ? &c->field : NULL;
    struct expr *where = NULL, *base;

    for (uint32_t k = 0; k < c->by_count; k++)
        where =
            expr_join(&build, EXPR_AND, where, expr_term(&build, c->by[k].presence, NULL, true));
    if (counted != NULL)
        where =
            expr_join(&build, EXPR_AND, where, expr_term(&build, counted->presence, NULL, true));
    base = correlation_base_expr(c, i, &build);
    if (base == NULL)
        return false;
    where = expr_join(&build, EXPR_AND, where, base);
    if (build.is_full)
        return correlation_refuse(c, c->rule->document->span,
                                  "its conditions pass the 16 KiB of an expression");
    import_text_format(entry, "  - id: %s\n    on: events\n    where: |\n      ", c->part_id[i]);
    expr_print(where, entry, 6);
    import_text_put(entry, "\n");
    correlation_put_by(c, counted, entry);
    import_text_put(entry, "    window: 1ms\n    when: count() >= 1\n");
    correlation_put_title(c, c->base[i], entry);
    import_text_format(entry, "\n      priority: %s\n    close: " CHAIN_PART_CLOSE "\n",
                       sigma_priority(c->base[i]->level));
    return true;
}

uint32_t chain_first(const struct correlation *c, uint32_t i)
{
    uint32_t first = 0;

    while (c->base[first] != c->base[i])
        first++;
    return first;
}

bool chain_put_parts(struct correlation *c, struct import_text *entry)
{
    for (uint32_t i = 0; i < c->base_count; i++) {
        struct correlation *part = c->part[i];
        if (chain_first(c, i) < i) {
            c->part_id[i] = c->part_id[chain_first(c, i)];
            continue;
        }
        c->part_id[i] = part_id(c, c->base[i]);
        sigma_base_comment(c->sigma, c->base[i], entry);
        for (uint32_t j = 0; part != NULL && !part->is_chain && j < part->base_count; j++)
            sigma_base_comment(c->sigma, part->base[j], entry);
        if (part != NULL ? !correlation_put_rule(part, c->part_id[i], entry)
                         : !put_detection(c, i, entry))
            return false;
        import_text_put(entry, "\n");
    }
    return true;
}

/* ---- what is known at the end ---- */

static void gather_parts(struct correlation *c, struct sigma_chain *chain, struct import_text *ids)
{
    for (uint32_t i = 0; i < c->base_count; i++) {
        if (chain_first(c, i) < i)
            continue;
        if (c->part[i] != NULL && c->part[i]->is_chain)
            gather_parts(c->part[i], chain, ids);
        import_text_format(ids, "%s\"%s\"", chain->count++ > 0 ? ", " : "", c->part_id[i]);
    }
}

void chain_note(struct correlation *c, struct import_made *made)
{
    struct import_work *work = c->sigma->work;
    struct sigma_chain *chain = import_pool_alloc(&work->pool, sizeof(*chain));
    struct import_text ids = {NULL, 0, 0};

    chain->made = made;
    gather_parts(c, chain, &ids);
    chain->ids = import_text_take(&ids, &work->pool);
    if (c->sigma->last_chain != NULL)
        c->sigma->last_chain->next = chain;
    else
        c->sigma->first_chain = chain;
    c->sigma->last_chain = chain;
    if (made->differs == NULL)
        made->differs_span = yaml_node_find(c->map, "rules")->span;
    made->differs =
        import_name(work,
                    "%s%sit looks at incidents of rules made for it (%.200s%s): each counts anew "
                    "once it has come true, events of one key in one millisecond are one, and all "
                    "is seen at the end of the round (engine.round)",
                    made->differs != NULL ? made->differs : "", made->differs != NULL ? "; " : "",
                    chain->ids, strlen(chain->ids) > 200 ? "..." : "");
}

/* One window for all of them. */
static void add_window(struct sigma *sigma, const char *ids, uint32_t count, struct span span)
{
    struct import_work *work = sigma->work;
    struct import_text entry = {NULL, 0, 0}, comment = {NULL, 0, 0};
    const char *id = import_id(work, "sigma-", import_word("parts of chains untold"));
    const char *where = import_rules_term(work, ids, count);
    struct import_made *made;

    import_comment(&comment, "rules that others are made of",
                   import_word("nobody is told of their incidents"));
    import_text_format(&entry, "  - id: %s\n    where: %s\n    time_intervals:\n      - {}\n", id,
                       where);
    made = import_add(work, IMPORT_MAINTENANCE, id, &comment, &entry, span, "parts of chains");
    made->without = "their incidents are told";
}

void sigma_chains_finish(struct sigma *sigma)
{
    struct import_text ids = {NULL, 0, 0};
    const struct sigma_chain *first = NULL;
    uint32_t count = 0;

    if (sigma->first_chain != NULL)
        import_flush(sigma->work);
    for (struct sigma_chain *chain = sigma->first_chain; chain != NULL; chain = chain->next) {
        if (chain->made->is_refused)
            continue;
        first = first != NULL ? first : chain;
        import_text_format(&ids, "%s%s", count > 0 ? ", " : "", chain->ids);
        count += chain->count;
    }
    if (first != NULL)
        add_window(sigma, ids.at, count, first->made->span);
    import_text_release(&ids);
}
