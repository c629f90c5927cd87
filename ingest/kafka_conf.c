/*
 * kafka_conf.c - configuration in, librdkafka configuration out.
 *
 * An operator may set what concerns the way to the brokers (security, sockets,
 * sizes). What tocsin's promises rest on - commits, offset reset, assignment - is
 * set here and refused from outside with the reason. See kafka_source.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/kafka_internal.h"

/* Keys that pass, by prefix when they end in '.'. */
static const char *const option_keys[] = {
    "security.protocol",
    "ssl.",
    "sasl.",
    "enable.ssl.certificate.verification",
    "socket.",
    "broker.address.",
    "client.id",
    "client.rack",
    "group.instance.id",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "isolation.level",
    "check.crcs",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "receive.message.max.bytes",
    "message.max.bytes",
    "queued.min.messages",
    "queued.max.messages.kbytes",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "connections.max.idle.ms",
    "api.version.request.timeout.ms",
    "debug",
};

void kafka_config_init(struct kafka_config *config)
{
    *config = (struct kafka_config){
        .start = "latest",
        .start_offset = -1,
        .fetch_wait_ms = 10,
        .probe_ms = 10,
        .metadata_ms = 30000,
        .commit_ms = 5000,
        .unreachable_ms = 30000,
        .say_ms = 10000,
        .snapshot_ms = 300000,
        .queued_mb = 256,
    };
}

static bool option_is_allowed(const char *key)
{
    for (size_t i = 0; i < sizeof(option_keys) / sizeof(option_keys[0]); i++) {
        size_t len = strlen(option_keys[i]);
        if (option_keys[i][len - 1] == '.' ? strncmp(key, option_keys[i], len) == 0
                                           : strcmp(key, option_keys[i]) == 0)
            return true;
    }
    return false;
}

/* librdkafka takes any word here and fails only when the client is made, again and again. */
static int check_mechanism(const char *key, const char *value, struct error *err)
{
    static const char *const known[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI",
                                        "OAUTHBEARER"};

    if (strcmp(key, "sasl.mechanism") != 0 && strcmp(key, "sasl.mechanisms") != 0)
        return 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(value, known[i]) == 0)
            return 0;
    error_set(err,
              "kafka option %s: the value is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI "
              "and OAUTHBEARER",
              key);
    return -EINVAL;
}

/* Sets one property; "env:" and "file:" values are looked up here and live only
 * inside librdkafka. */
int kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value, struct error *err)
{
    char why[512];
    char *file = NULL;
    size_t bytes;
    int rc = 0;

    if (strncmp(value, "env:", 4) == 0) {
        const char *from = getenv(value + 4);
        if (from == NULL) {
            error_set(err, "kafka option %s: the environment variable %s is not set", key,
                      value + 4);
            return -EINVAL;
        }
        value = from;
    } else if (strncmp(value, "file:", 5) == 0) {
        rc = host_read_file(value + 5, 1 << 20, &file, &bytes);
        if (rc != 0) {
            error_set(err, "kafka option %s: %s: %s", key, value + 5, strerror(-rc));
            return -EINVAL;
        }
        file[strcspn(file, "\r\n")] = '\0';
        value = file;
    }
    rc = check_mechanism(key, value, err);
    if (rc == 0 && rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        /* librdkafka's sentence repeats the value, which may be a secret. */
        if (file != NULL || strstr(key, "password") != NULL)
            error_set(err, "kafka option %s: the value is not accepted", key);
        else
            error_set(err, "kafka option %s: %s", key, why);
        rc = -EINVAL;
    }
    free(file);
    return rc;
}

rd_kafka_conf_t *kafka_conf_create(const struct kafka_option *options, size_t count,
                                   const char *brokers, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int rc = kafka_conf_set(conf, "bootstrap.servers", brokers, err);

    if (rc == 0)
        rc = kafka_conf_set(conf, "client.id", "tocsin", err);
    /* Jitter of 20 % around these is librdkafka's. */
    if (rc == 0)
        rc = kafka_conf_set(conf, "reconnect.backoff.ms", "100", err);
    if (rc == 0)
        rc = kafka_conf_set(conf, "reconnect.backoff.max.ms", "2000", err);
    if (rc == 0)
        rc = kafka_conf_set(conf, "log.connection.close", "false", err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (options[i].value != NULL)
            rc = kafka_conf_set(conf, options[i].key, options[i].value, err);
    if (rc != 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

static bool read_digits(const char **at, int count, int *to)
{
    *to = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *to = *to * 10 + (**at - '0');
    }
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar. Source: H. Hinnant,
 * "chrono-compatible low-level date algorithms", days_from_civil. */
static int64_t days_of_date(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400;
    int year_of_era = y - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int64_t)era * 146097 + day_of_era - 719468;
}

int kafka_time_parse(const char *text, int64_t *ms)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour, minute, second, zone_hour = 0, zone_minute = 0, sign = 0;
    int64_t fraction = 0;
    const char *at = text;

    if (*at != '\0' && strspn(at, "0123456789") == strlen(at) && strlen(at) <= 15) {
        *ms = strtoll(at, NULL, 10);
        return 0;
    }
    if (!read_digits(&at, 4, &year) || *at++ != '-' || !read_digits(&at, 2, &month) ||
        *at++ != '-' || !read_digits(&at, 2, &day) || (*at != 'T' && *at != 't' && *at != ' '))
        return -EINVAL;
    at++;
    if (!read_digits(&at, 2, &hour) || *at++ != ':' || !read_digits(&at, 2, &minute) ||
        *at++ != ':' || !read_digits(&at, 2, &second))
        return -EINVAL;
    if (*at == '.') {
        int scale = 100;
        if (*++at < '0' || *at > '9')
            return -EINVAL;
        for (; *at >= '0' && *at <= '9'; at++, scale /= 10)
            fraction += (*at - '0') * scale;
    }
    if (*at == 'Z' || *at == 'z') {
        at++;
    } else {
        if (*at != '+' && *at != '-')
            return -EINVAL;
        sign = *at++ == '+' ? 1 : -1;
        if (!read_digits(&at, 2, &zone_hour) || *at++ != ':' || !read_digits(&at, 2, &zone_minute))
            return -EINVAL;
    }
    if (*at != '\0' || month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        hour > 23 || minute > 59 || second > 60 || zone_hour > 23 || zone_minute > 59)
        return -EINVAL;
    *ms = ((days_of_date(year, month, day) * 24 + hour) * 60 + minute) * 60000 + second * 1000 +
          fraction - sign * (zone_hour * 60 + zone_minute) * (int64_t)60000;
    return 0;
}

int kafka_option_check(const struct kafka_option *option, struct error *err)
{
    rd_kafka_conf_t *conf;
    int rc = 0;

    if (!option_is_allowed(option->key)) {
        error_set(err,
                  "kafka option %s cannot be set: it is unknown, or tocsin sets it itself "
                  "(allowed are security.protocol, ssl.*, sasl.*, socket.* and what "
                  "docs/kafka.md lists)",
                  option->key);
        return -ENOENT;
    }
    conf = rd_kafka_conf_new();
    if (option->value != NULL)
        rc = kafka_conf_set(conf, option->key, option->value, err);
    rd_kafka_conf_destroy(conf);
    return rc;
}

int kafka_config_check(const struct kafka_config *config, struct error *err)
{
    rd_kafka_conf_t *conf;
    int64_t ms;

    if (config->brokers == NULL || config->brokers[0] == '\0') {
        error_set(err, "kafka: no brokers are named");
        return -EINVAL;
    }
    if (config->topic_count == 0) {
        error_set(err, "kafka: no topic is named");
        return -EINVAL;
    }
    for (size_t i = 0; i < config->topic_count; i++) {
        const char *topic = config->topics[i];
        if (topic[0] == '\0' || topic[0] == '^' || strlen(topic) > 249) {
            error_set(err, "kafka: \"%s\" is no topic name (patterns are not supported)", topic);
            return -EINVAL;
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(config->topics[j], topic) == 0) {
                error_set(err, "kafka: the topic %s is named twice", topic);
                return -EINVAL;
            }
    }
    if (config->mode == KAFKA_GROUP && (config->group == NULL || config->group[0] == '\0')) {
        error_set(err, "kafka: group mode needs the name of a group");
        return -EINVAL;
    }
    if (strcmp(config->start, "earliest") != 0 && strcmp(config->start, "latest") != 0 &&
        kafka_time_parse(config->start, &ms) != 0) {
        error_set(err,
                  "kafka: start \"%s\" is none of earliest, latest, a time like "
                  "2026-01-31T10:00:00Z, or milliseconds since 1970",
                  config->start);
        return -EINVAL;
    }
    for (size_t i = 0; i < config->option_count; i++)
        if (kafka_option_check(&config->options[i], err) != 0)
            return -EINVAL;
    conf = kafka_conf_create(config->options, config->option_count, config->brokers, err);
    if (conf == NULL)
        return -EINVAL;
    rd_kafka_conf_destroy(conf);
    return 0;
}

static int compare_topics(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *copy_text(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* Deep copy into the source; on failure kafka_config_release() cleans up. */
int kafka_config_copy(struct kafka_source *source, const struct kafka_config *config,
                      struct error *err)
{
    struct kafka_config *to = &source->config;
    bool complete;

    *to = *config;
    to->brokers = copy_text(config->brokers);
    to->group = copy_text(config->group);
    to->start = copy_text(config->start);
    to->option_count = to->topic_count = to->gap_topic_count = 0;
    source->topics = calloc(config->topic_count, sizeof(*source->topics));
    source->options = calloc(config->option_count + 1, sizeof(*source->options));
    source->gap_topics = calloc(config->gap_topic_count + 1, sizeof(*source->gap_topics));
    complete = to->brokers != NULL && to->start != NULL && source->topics != NULL &&
               source->options != NULL && source->gap_topics != NULL &&
               (to->group != NULL || config->group == NULL);
    for (size_t i = 0; complete && i < config->gap_topic_count; i++) {
        source->gap_topics[i] = strdup(config->gap_topics[i]);
        complete = source->gap_topics[i] != NULL;
        to->gap_topic_count = i + 1;
    }
    for (size_t i = 0; complete && i < config->topic_count; i++) {
        source->topics[i] = strdup(config->topics[i]);
        complete = source->topics[i] != NULL;
        to->topic_count = i + 1;
    }
    for (size_t i = 0; complete && i < config->option_count; i++) {
        source->options[i].key = strdup(config->options[i].key);
        source->options[i].value = strdup(config->options[i].value);
        complete = source->options[i].key != NULL && source->options[i].value != NULL;
        to->option_count = i + 1;
    }
    if (!complete) {
        error_set(err, "kafka: out of memory");
        return -ENOMEM;
    }
    qsort(source->topics, to->topic_count, sizeof(*source->topics), compare_topics);
    to->topics = (const char *const *)source->topics;
    to->gap_topics = (const char *const *)source->gap_topics;
    to->options = source->options;
    if (kafka_time_parse(to->start, &source->start_ms) != 0)
        source->start_ms = -1;
    return 0;
}

void kafka_config_release(struct kafka_source *source)
{
    free((char *)source->config.brokers);
    free((char *)source->config.group);
    free((char *)source->config.start);
    for (size_t i = 0; source->topics != NULL && i < source->config.topic_count; i++)
        free(source->topics[i]);
    free(source->topics);
    for (size_t i = 0; source->gap_topics != NULL && i < source->config.gap_topic_count; i++)
        free(source->gap_topics[i]);
    free(source->gap_topics);
    for (size_t i = 0; source->options != NULL && i < source->config.option_count; i++) {
        free((char *)source->options[i].key);
        free((char *)source->options[i].value);
    }
    free(source->options);
}
