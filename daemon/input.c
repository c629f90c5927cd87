/*
 * input.c - see input.h.
 */
#include "daemon/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "daemon/log.h"
#include "ingest/kafka_source.h"

/* Levels are those of syslog. */
static void say(void *self, int level, const char *text)
{
    (void)self;
    log_event(level <= 3   ? LOG_ERROR
              : level == 4 ? LOG_WARNING
              : level <= 6 ? LOG_INFO
                           : LOG_DEBUG,
              "kafka", log_text("what", text));
}

/* The lists that kafka_config borrows. */
struct lists {
    const char **topics;
    const char **gap_topics;
    struct kafka_option *options;
};

static void lists_release(struct lists *lists)
{
    free(lists->topics);
    free(lists->gap_topics);
    free(lists->options);
}

static int fill(const struct config *config, struct kafka_config *kafka, struct lists *lists,
                struct error *err)
{
    size_t topics = config->input.topics.count, options = config->input.properties.count;

    lists->topics = calloc(topics + 1, sizeof(*lists->topics));
    lists->gap_topics = calloc(topics + 1, sizeof(*lists->gap_topics));
    lists->options = calloc(options + 1, sizeof(*lists->options));
    if (lists->topics == NULL || lists->gap_topics == NULL || lists->options == NULL) {
        error_set(err, "out of memory for the input's configuration");
        return -ENOMEM;
    }
    kafka_config_init(kafka);
    for (size_t i = 0; i < topics; i++) {
        lists->topics[i] = config->input.topics.item[i].topic;
        if (config->input.topics.item[i].gaps_expected)
            lists->gap_topics[kafka->gap_topic_count++] = lists->topics[i];
    }
    for (size_t i = 0; i < options; i++) {
        const struct config_pair *pair = &config->input.properties.item[i];
        lists->options[i].key = pair->name;
        lists->options[i].value = pair->is_absent ? NULL : pair->value;
    }
    kafka->brokers = config->input.brokers;
    kafka->topics = lists->topics;
    kafka->topic_count = topics;
    kafka->gap_topics = lists->gap_topics;
    kafka->group = config->input.group;
    kafka->mode = config->input.mode == INPUT_GROUP ? KAFKA_GROUP : KAFKA_ASSIGN;
    kafka->start = config->input.start;
    kafka->accept_gap = config->input.accept_gap;
    kafka->unreachable_ms = (unsigned)config->input.unreachable_ms;
    kafka->options = lists->options;
    kafka->option_count = options;
    if (config->data.dir[0] != '\0') /* else nothing is read again */
        kafka->snapshot_ms = config->data.snapshot_every_ms;
    kafka->log = say;
    return 0;
}

/* The property at fault, shown where it stands. -EINVAL, or 0 when each is good by itself. */
static int check_properties(const struct config *config, const struct kafka_config *kafka,
                            struct error *err)
{
    for (size_t i = 0; i < kafka->option_count; i++) {
        const struct config_pair *pair = &config->input.properties.item[i];
        struct diagnostics diag;
        struct error why = {""};
        int rc = kafka_option_check(&kafka->options[i], &why);
        if (rc == 0)
            continue;
        diagnostics_init(&diag, err);
        diagnose(&diag, rc == -ENOENT ? pair->name_place : pair->value_place, "input: %s",
                 why.text);
        return diagnostics_finish(&diag);
    }
    return 0;
}

int input_check(const struct config *config, struct error *err)
{
    struct kafka_config kafka;
    struct lists lists = {0};
    int rc = fill(config, &kafka, &lists, err);

    if (rc == 0)
        rc = check_properties(config, &kafka, err);
    if (rc != 0)
        goto out;
    rc = kafka_config_check(&kafka, err);
    if (rc == -EINVAL)
        error_prefix(err, "%s%sinput: ", config->path, config->path[0] != '\0' ? ": " : "");
out:
    lists_release(&lists);
    return rc;
}

int input_open(const struct config *config, struct input_past past, struct source **out,
               struct error *err)
{
    struct kafka_config kafka;
    struct lists lists = {0};
    int rc = fill(config, &kafka, &lists, err);

    kafka.began_at = past.began_at;
    kafka.began_at_self = past.self;
    if (past.queued_mb > 0)
        kafka.queued_mb = past.queued_mb;
    kafka.is_lost = past.is_lost;
    if (rc == 0)
        rc = kafka_source_open(&kafka, out, err);
    lists_release(&lists);
    return rc;
}

static void say_plainly(void *self, int level, const char *text)
{
    if (level <= 4)
        fprintf(stderr, "tocsin %s: %s\n", (const char *)self, text);
}

int input_open_again(const struct config *config, const struct input_instead *instead,
                     const char *command, struct source **out, struct error *err)
{
    size_t own = config->input.properties.count;
    struct kafka_option *options = calloc(own + instead->option_count + 1, sizeof(*options));
    struct kafka_config kafka;
    struct lists lists = {0};
    int rc = fill(config, &kafka, &lists, err);

    if (rc == 0 && options == NULL) {
        error_set(err, "out of memory for the input's configuration");
        rc = -ENOMEM;
    }
    if (rc != 0)
        goto out;
    for (size_t i = 0; i < own + instead->option_count; i++)
        options[i] = i < own ? lists.options[i] : instead->options[i - own];
    kafka.options = options;
    kafka.option_count = own + instead->option_count;
    if (instead->brokers != NULL)
        kafka.brokers = instead->brokers;
    if (instead->topic_count > 0) {
        kafka.topics = instead->topics;
        kafka.topic_count = instead->topic_count;
    }
    kafka.group = NULL;
    kafka.mode = KAFKA_ASSIGN;
    kafka.read_only = true;
    kafka.start = instead->start;
    kafka.start_offset = instead->start_offset;
    kafka.log = say_plainly;
    kafka.log_self = (void *)command;
    rc = kafka_source_open(&kafka, out, err);
out:
    lists_release(&lists);
    free(options);
    return rc;
}
