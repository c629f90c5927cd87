/* rule_test_why.c - see rule_test_why.h. */
#include "daemon/rule_test_why.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test_record.h"
#include "daemon/why.h"

/* A test's story is short; of a long one the middle goes. */
enum { STORY_LINES = 24 };

struct naming {
    const struct rule_test *test;
    struct rule_test_source *source; /* for the places alone; nobody reads it */
};

static void put_time(void *self, int64_t ms, char to[WHY_TIME_BYTES])
{
    const struct naming *naming = self;

    _Static_assert((int)WHY_TIME_BYTES >= (int)RULE_TEST_TIME_BYTES, "a time fits");
    rule_test_format_time(ms - naming->test->settings.start_ms, to);
}

static void put_place(void *self, int32_t partition, int64_t offset, char to[WHY_PLACE_BYTES])
{
    const struct naming *naming = self;
    const struct rule_test_event *event = rule_test_source_event(naming->source, partition, offset);

    if (event != NULL)
        snprintf(to, WHY_PLACE_BYTES, "line %" PRIu32, rule_test_place(event->node->span).line);
    else
        snprintf(to, WHY_PLACE_BYTES, "offset %" PRId64, offset);
}

static char *print_story(struct why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to == NULL)
        return NULL;
    why_print_story(why, to);
    fclose(to);
    return text;
}

static char *answer(const struct rule_test *test, struct rule_set *rules,
                    struct why_question *question)
{
    struct naming naming = {.test = test};
    const struct why_names names = {&naming, put_time, put_place};
    struct engine_config config;
    struct topic_config topic;
    struct error ignored;
    struct why *why = NULL;
    char *text = NULL;
    bool runs = true;

    rule_test_engine_config(test, &topic, &config);
    question->names = &names;
    question->notes_max = STORY_LINES;
    naming.source = rule_test_source_create(test, config.slack_ms);
    if (naming.source != NULL)
        why = why_create(question, rules, &config, &ignored);
    if (why != NULL) {
        do
            runs = rule_test_run_for(test, &config, rules, why_listener(why), &ignored) == 0;
        while (runs && why_pass(why));
        if (runs)
            text = print_story(why);
    }
    why_destroy(why);
    rule_test_source_destroy(naming.source);
    return text;
}

char *rule_test_why_incident(const struct rule_test *test, struct rule_set *rules,
                             struct id128 incident)
{
    struct why_question question;
    struct error ignored;
    char id[ID128_TEXT_BYTES];

    id128_format(incident, id);
    return why_ask_incident(id, &question, &ignored) == 0 ? answer(test, rules, &question) : NULL;
}

char *rule_test_why_not_key(const struct rule_test *test, struct rule_set *rules, const char *rule,
                            const char *key)
{
    struct why_question question;
    struct error ignored;

    if (why_ask_whynot(key, &question, &ignored) != 0 || question.subject != WHY_KEY)
        return NULL;
    question.rule = rule;
    return answer(test, rules, &question);
}
