/*
 * durable_rules.c - rule sets of a data directory, kept with all that they were read from. See
 * durable.h.
 */
#include "daemon/durable_parts.h"

#include <errno.h>
#include "daemon/command.h"

int durable_begin_rules(struct durable *durable, struct rule_set **rules, struct rule_set **next,
                        struct error *err)
{
    const struct journal_summary *past = &durable->past;
    struct rule_set *first = NULL;
    struct id128 first_id, last_id;
    int rc = 0;

    *next = NULL;
    if (past->rules_count == 0)
        return EXIT_OK;
    first_id = past->rules[durable->first_rules].set;
    last_id = past->rules[past->rules_count - 1].set;
    if (!id128_equal(first_id, durable->rules) || !id128_equal(last_id, first_id))
        rc = rules_kept_load(durable->blobs, first_id, &first, err);
    if (rc != 0)
        return rc == -ENOMEM ? EXIT_SYSTEM : EXIT_DATA;
    if (first == NULL)
        return EXIT_OK;
    if (id128_equal(last_id, durable->rules))
        rule_set_destroy(*rules);
    else
        *next = *rules;
    *rules = first;
    return EXIT_OK;
}

int durable_former_rules(const struct durable *durable, struct rule_set **former, struct error *err)
{
    const struct journal_summary *past = &durable->past;

    *former = NULL;
    if (past->rules_count == 0 ||
        id128_equal(past->rules[past->rules_count - 1].set, durable->rules))
        return 0;
    return rules_kept_load(durable->blobs, past->rules[past->rules_count - 1].set, former, err);
}

struct rule_set *durable_rules_before(struct durable *durable, size_t index,
                                      struct engine_terms *terms)
{
    struct rule_set *set = NULL;
    struct error err = {""};

    if (durable_terms_then(durable, durable->switch_settings[index], terms, &err) != EXIT_OK ||
        rules_kept_load(durable->blobs, durable->switch_sets[index], &set, &err) != 0)
        durable_differ(durable, &err);
    return set;
}

void durable_switched(struct durable *durable, const struct rule_set *rules,
                      const struct engine_terms *terms)
{
    static const struct id128 unnamed;

    durable->switched = rule_set_hash(rules);
    durable->switched_settings = id128_equal(terms->id, unnamed) ? durable->journaled : terms->id;
}

bool durable_has_rules(const struct durable *durable, const struct rule_set *rules)
{
    return id128_equal(rule_set_hash(rules), durable->rules);
}

int durable_keep_rules(struct durable *durable, const struct rule_set *rules,
                       const struct rules_read *read, struct error *err)
{
    const struct id128 id = rule_set_hash(rules);
    int rc;

    if (durable->rules_kept >= KEPT_LISTS_MAX) {
        error_set(err,
                  "%s: its journal needs %zu rule sets, and more are not kept; restart, or give "
                  "these rules a data directory of their own",
                  durable->dir.path, durable->rules_kept);
        return -ENOSPC;
    }
    rc = rules_kept_save(durable->blobs, id, read, err);
    durable->rules_kept += rc == 0;
    return rc;
}

void durable_asked_for(struct durable *durable, const struct rule_set *rules,
                       const struct engine_terms *terms)
{
    durable->rules = rule_set_hash(rules);
    durable->terms = *terms;
}
