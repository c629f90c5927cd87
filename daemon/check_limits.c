/* check_limits.c - see check_limits.h. */
#include "daemon/check_limits.h"

#include <stdio.h>
#include "correlate/bounds_heard.h"
#include "correlate/quota_tell.h"
#include "correlate/shed.h"

enum { ASKED_MAX = 50, NAME_BYTES = 300, SENTENCE_BYTES = 600 };

/* Of whom or what it may be told, or some of them. */
struct told_of {
    char name[ASKED_MAX][NAME_BYTES];
    size_t count;
};

static void add(struct told_of *to, const char *name, const char *behind)
{
    if (to->count < ASKED_MAX)
        snprintf(to->name[to->count++], NAME_BYTES, "%.250s%s", name, behind);
}

static void add_tenants(struct told_of *to, const struct config *config)
{
    if (config->quotas.events > 0)
        add(to, "default", "");
    for (size_t i = 0; i < config->quotas.tenants.count; i++)
        if (config->quotas.tenants.item[i].events > 0)
            add(to, config->quotas.tenants.item[i].tenant, "");
}

static void add_partitions(struct told_of *to, const struct config *config)
{
    for (size_t i = 0; config->shedding.behind_ms > 0 && i < config->input.topics.count; i++)
        add(to, config->input.topics.item[i].topic, "/0");
}

static bool is_unheard(const struct rule_set *rules, const char *check, const struct told_of *of)
{
    const char *resources[ASKED_MAX];

    for (size_t i = 0; i < of->count; i++)
        resources[i] = of->name[i];
    return of->count > 0 && !limit_is_heard(rules, check, resources, of->count);
}

void check_limits(const struct config *config, const struct rule_set *rules,
                  void (*each)(void *self, const char *sentence), void *self)
{
    char sentence[SENTENCE_BYTES];
    struct told_of tenants = {.count = 0}, partitions = {.count = 0};

    if (rule_set_count(rules) == 0)
        return;
    add_tenants(&tenants, config);
    add_partitions(&partitions, config);
    if (is_unheard(rules, QUOTA_CHECK, &tenants))
        each(self, "no rule takes what tocsin says of a tenant over its quota (tenant @tocsin, "
                   "check " QUOTA_CHECK
                   "), so no incident would tell of it; the pack kafka has such a rule");
    if (is_unheard(rules, SHED_CHECK, &partitions))
        each(self, "no rule takes what tocsin says of a partition that is behind and sheds (tenant "
                   "@tocsin, check " SHED_CHECK
                   "), so no incident would tell of it; the pack kafka has such a rule");
    for (uint32_t i = 0; config->shedding.behind_ms > 0 && i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (rule->form_kind != FORM_EXPECT)
            continue;
        snprintf(sentence, sizeof(sentence),
                 "rule %s waits for signs of life: of those below %s none counts while their "
                 "partition sheds, so it misses who is alive; what is sent as a clear (severity "
                 "ok) counts",
                 rule->id, severity_name((enum severity)(config->shedding.below + SEVERITY_DEBUG)));
        each(self, sentence);
    }
}
