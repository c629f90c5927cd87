/* replay_range.c - see replay_range.h. */
#include "daemon/replay_range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/input.h"
#include "daemon/replay_intake.h"
#include "daemon/setting_list.h"
#include "daemon/units.h"

enum { SPEED_MAX = 1000 };

/* One end of the range. `any` is the word for all. */
static int read_bound(const char *option, const char *text, const char *any,
                      struct range_bound *bound, struct error *err)
{
    int64_t value;

    *bound = (struct range_bound){.kind = RANGE_ANY};
    if (text == NULL || strcmp(text, any) == 0)
        return 0;
    if (strncmp(text, "offset:", 7) == 0) {
        if (unit_parse_count(text + 7, &value, err) != 0) {
            error_prefix(err, "%s %s: ", option, text);
            return -EINVAL;
        }
        *bound = (struct range_bound){.kind = RANGE_OFFSET, .value = value};
        return 0;
    }
    if (unit_parse_time(text, &value, err) != 0) {
        error_prefix(err, "%s %s: it is %s, offset:N or a time: ", option, text, any);
        return -EINVAL;
    }
    *bound = (struct range_bound){.kind = RANGE_TIME, .value = value};
    return 0;
}

static int read_bounds(const struct replay_range *range, struct range_config *config,
                       struct error *err)
{
    int rc = read_bound("--from", range->from, "earliest", &config->from, err);

    if (rc == 0)
        rc = read_bound("--to", range->to, "latest", &config->to, err);
    if (rc == 0 && config->from.kind != RANGE_ANY && config->from.kind == config->to.kind &&
        config->from.value >= config->to.value) {
        error_set(err, "--to %s is not after --from %s", range->to, range->from);
        rc = -EINVAL;
    }
    return rc;
}

static int open_files(const struct replay_range *range, const struct option_list *files,
                      const struct range_config *config, struct replay_input **out,
                      struct error *err)
{
    bool is_whole = config->from.kind == RANGE_ANY && config->to.kind == RANGE_ANY;

    if (range->brokers != NULL || range->settings.count > 0) {
        error_set(err, "%s reads a Kafka, and files are named: it is one or the other",
                  range->brokers != NULL ? "--brokers" : "--set");
        return EXIT_USAGE;
    }
    if (range->data_dir != NULL) {
        error_set(err, "--data goes with topics, and files are named");
        return EXIT_USAGE;
    }
    if (range->topics.count > 1) {
        error_set(err, "files of JSON lines stand for one topic, and --topic is given again");
        return EXIT_USAGE;
    }
    return replay_input_exit_code(replay_input_open(
        files->item, files->count, range->topics.count > 0 ? range->topics.item[0] : "events",
        is_whole && config->speed == 0 ? NULL : config, out, err));
}

static int open_topics(const struct replay_range *range, const struct config *config,
                       const struct range_config *cut, const char *command,
                       const struct replay_input *like, struct replay_input **out,
                       struct error *err)
{
    struct kafka_option settings[OPTION_LIST_MAX] = {{NULL, NULL}};
    const char *topics[CONFIG_ITEMS_MAX];
    char start[UNIT_TEXT_BYTES];
    struct input_instead instead = {.brokers = range->brokers,
                                    .topics = range->topics.item,
                                    .topic_count = range->topics.count,
                                    .options = settings,
                                    .option_count = range->settings.count,
                                    .start = "earliest",
                                    .start_offset = -1};
    struct range_config live = *cut;
    struct source *source;
    int rc = setting_list_split(&range->settings, settings, err);

    if (cut->from.kind == RANGE_TIME)
        instead.start = unit_format_time(cut->from.value, start);
    else if (cut->from.kind == RANGE_OFFSET)
        instead.start_offset = cut->from.value;
    live.like = like != NULL ? replay_input_inner(like) : NULL;
    live.topics = range->topics.item;
    live.topic_count = range->topics.count;
    if (live.topic_count == 0) {
        for (size_t i = 0; i < config->input.topics.count; i++)
            topics[i] = config->input.topics.item[i].topic;
        live.topics = topics;
        live.topic_count = config->input.topics.count;
    }
    if (rc == 0)
        rc = input_open_again(config, &instead, command, &source, err);
    setting_list_release(settings, range->settings.count);
    if (rc != 0)
        return rc == -EINVAL ? EXIT_USAGE : EXIT_SYSTEM;
    return replay_input_exit_code(
        replay_input_take(source, &live, range->data_dir, like, out, err));
}

int replay_range_open(const struct replay_range *range, const struct option_list *files,
                      const struct config *config, uint32_t speed, const char *command,
                      const struct replay_input *like, struct replay_input **out, struct error *err)
{
    struct range_config cut = {.speed = speed};

    if (read_bounds(range, &cut, err) != 0)
        return EXIT_USAGE;
    if (files->count > 0)
        return open_files(range, files, &cut, out, err);
    if (range->brokers == NULL && range->topics.count == 0 && config->path[0] == '\0') {
        error_set(err, "an argument is missing: name files, or --brokers and --topic, or --config");
        return EXIT_USAGE;
    }
    return open_topics(range, config, &cut, command, like, out, err);
}

void replay_range_add_silences(const struct replay_range *range, struct rule_set **rules,
                               struct rules_read *read, char note[SILENCES_NOTE_BYTES])
{
    struct range_config bounds = {.speed = 0};
    struct error err;
    char *text;

    note[0] = '\0';
    if (range->data_dir == NULL)
        return;
    text = silences_past_text(
        range->data_dir,
        read_bounds(range, &bounds, &err) == 0 && bounds.from.kind == RANGE_TIME ? bounds.from.value
                                                                                 : INT64_MIN,
        note);
    silences_past_add(text, rules, read, note);
    free(text);
}

void replay_range_say_empty(const struct replay_range *range, uint64_t records, FILE *to)
{
    if (records == 0 && (range->from != NULL || range->to != NULL))
        fprintf(to, "note: the input has no record from %s to %s\n",
                range->from != NULL ? range->from : "its beginning",
                range->to != NULL ? range->to : "its end");
}

void replay_range_say_pushed(const struct replay_range *range, const struct option_list *files,
                             const struct config *config, FILE *to)
{
    struct range_config cut = {.speed = 0};
    struct replay_intake found;
    struct error ignored;

    if (range->data_dir != NULL || files->count > 0 || range->brokers != NULL ||
        config->data.dir[0] == '\0' || read_bounds(range, &cut, &ignored) != 0 ||
        replay_intake_find(config->data.dir, &cut, &found, &ignored) != 0 ||
        found.first == found.next)
        return;
    fprintf(to,
            "note: what was pushed, and done to incidents, is not in the input; --data %s reads it "
            "beside the topics\n",
            config->data.dir);
}

int replay_range_speed(const char *text, uint32_t *speed, struct error *err)
{
    char *end = NULL;
    double value = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : 0;

    if (end != NULL && value > 0 && strcmp(end, "x") == 0 && value >= 1.0 / RANGE_SPEED_ONE &&
        value <= SPEED_MAX) {
        *speed = (uint32_t)(value * RANGE_SPEED_ONE + 0.5);
        return 0;
    }
    error_set(err, "a pace is written like 1x, 10x or 0.5x: 0.001x to %dx", SPEED_MAX);
    return -EINVAL;
}
