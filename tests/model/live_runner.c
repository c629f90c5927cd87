/*
 * live_runner.c - runs live scenarios of tests/model/generate.py on the bench's virtual time.
 *
 * What a recording cannot show is shown here: partitions that join and leave, that cannot be read
 * for a while, seals and caps by the clock, and rules that are switched under way. The scenario's
 * live.jsonl is a script, one step a line:
 *
 *   {"put":M,"offset":N,"log_time":N,"payload":S}   a record for membership M of settings.json
 *   {"pass":MS} {"settle":true}                     the clock goes on; the engine comes to rest
 *   {"join":M} {"leave":M}                          of a partition's membership
 *   {"readable":M,"is":B} {"answers":M,"is":B}      whether it can be read, and is answered
 *   {"switch":FILE}                                 another rule set
 *
 * When it is over all partitions end, as recordings do. A line of standard input is a run, as for
 * engine_runner; the answer begins with the marks that the run made and the watermark at which it
 * ended, a line each, and then goes on in the same way: incident log, ledger, "done". The model
 * computes with those marks: what the clock and the threads decided is in them and nowhere else.
 */
#include "tests/engine_bench.h"
#include "tests/model/scenario.h"

#include <unistd.h>

enum { RUN_S = 120, PATH_BYTES = 1024, LIVE_LINE_BYTES = 64 << 10, SETS_MAX = 8 };

/* Memberships are counted in the order of their joins, and a place may be used again: what comes
 * after a join belongs to it. */
static void marks_print(const struct bench *bench, const int *joined)
{
    int member_of[BENCH_FEEDS] = {0}, joins = 0;

    if (bench->mark_count == BENCH_MARKS)
        fail_msg("more than %d marks", BENCH_MARKS);
    for (size_t i = 0; i < bench->mark_count; i++) {
        const struct mark *mark = &bench->mark[i];
        if (mark->kind == MARK_SWITCH) {
            printf("{\"kind\":\"switch\",\"value\":%" PRId64 "}\n", mark->value_ms);
            continue;
        }
        if (mark->kind == MARK_BEGIN) {
            printf("{\"kind\":\"begin\",\"value\":%" PRId64 "}\n", mark->value_ms);
            continue;
        }
        assert(mark->part < BENCH_FEEDS);
        if (mark->kind == MARK_JOIN)
            member_of[mark->part] = joined[joins++];
        int member = member_of[mark->part];
        const struct feed *feed = &bench->feed[member]->feed;
        printf(
            "{\"kind\":\"%s\",\"member\":%d,\"topic\":\"%s\",\"partition\":%d,\"offset\":%" PRId64
            ",\"value\":",
            mark_kind_name(mark->kind), member, feed->topic, (int)feed->partition, mark->offset);
        if (mark->value_ms == INT64_MIN)
            printf("null}\n");
        else
            printf("%" PRId64 "}\n", mark->value_ms);
    }
    int64_t watermark = engine_watermark(bench->engine);
    if (watermark != INT64_MIN)
        printf("{\"kind\":\"watermark\",\"value\":%" PRId64 "}\n", watermark);
}

/* rules.yaml and those that it is switched to, rules-1.yaml and so on. False with a sentence on
 * standard output when one is refused: which random conditions are possible only the loader says.
 */
static bool rules_load(const char *folder, struct rule_set **sets)
{
    struct error err = {""};

    for (int i = 0; i < SETS_MAX; i++) {
        char path[PATH_BYTES];
        if (i == 0)
            snprintf(path, sizeof(path), "%s/rules.yaml", folder);
        else
            snprintf(path, sizeof(path), "%s/rules-%d.yaml", folder, i);
        if (i > 0 && access(path, F_OK) != 0)
            break;
        if (rule_set_load((const char *[]){path}, 1, &sets[i], &err) != 0) {
            printf("%s\n", err.text);
            return false;
        }
    }
    return true;
}

struct live {
    struct bench *bench;
    const char *folder;
    struct rule_set **sets;  /* NULL where taken by the engine */
    int joined[BENCH_FEEDS]; /* memberships in the order of their joins */
    int join_count;
};

static void join(struct live *live, int member)
{
    assert(live->join_count < BENCH_FEEDS);
    live->joined[live->join_count++] = member;
    bench_change(live->bench->feed[member], SOURCE_JOIN);
}

static struct bench_feed *feed_of(struct live *live, const json_t *member)
{
    assert(json_is_integer(member) && (size_t)json_integer_value(member) < BENCH_FEEDS);
    return live->bench->feed[json_integer_value(member)];
}

static void put(struct bench_feed *feed, const json_t *step)
{
    const json_t *payload = json_object_get(step, "payload");

    feed->next_offset = number(step, "offset");
    bench_put_bytes(feed, number(step, "log_time") - BENCH_T0, json_string_value(payload),
                    json_string_length(payload));
}

static void switch_rules(struct live *live, const char *name)
{
    unsigned i;

    if (sscanf(name, "rules-%u.yaml", &i) != 1 || i >= SETS_MAX || live->sets[i] == NULL)
        fail_msg("%s is not there, or was switched to before", name);
    engine_switch_rules(live->bench->engine, live->sets[i]);
    live->sets[i] = NULL;
}

static void step_run(struct live *live, const json_t *step)
{
    const json_t *value;
    bool is = json_is_true(json_object_get(step, "is"));

    if ((value = json_object_get(step, "put")) != NULL)
        put(feed_of(live, value), step);
    else if ((value = json_object_get(step, "pass")) != NULL)
        bench_clock_move(live->bench, json_integer_value(value));
    else if (json_object_get(step, "settle") != NULL)
        bench_settle(live->bench);
    else if ((value = json_object_get(step, "join")) != NULL)
        join(live, (int)json_integer_value(value));
    else if ((value = json_object_get(step, "leave")) != NULL)
        bench_change(feed_of(live, value), SOURCE_LEAVE);
    else if ((value = json_object_get(step, "readable")) != NULL)
        bench_state_set(feed_of(live, value), is ? FEED_LIVE : FEED_UNREADABLE);
    else if ((value = json_object_get(step, "answers")) != NULL)
        bench_answers_set(feed_of(live, value), is);
    else if ((value = json_object_get(step, "switch")) != NULL)
        switch_rules(live, json_string_value(value));
    else
        fail_msg("an unknown step in live.jsonl");
}

static void script_run(struct live *live)
{
    char path[PATH_BYTES];
    static char line[LIVE_LINE_BYTES];
    json_error_t fault;

    snprintf(path, sizeof(path), "%s/live.jsonl", live->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        json_t *step = json_loads(line, 0, &fault); /* ours */
        if (step == NULL)
            fail_msg("%s: %s", path, fault.text);
        step_run(live, step);
        json_decref(step);
    }
    fclose(file);
}

/* Memberships as the scenario lists them; those that are there from the start join. */
static void members_read(struct live *live, const json_t *members)
{
    size_t i;
    const json_t *member;

    json_array_foreach (members, i, member) {
        struct bench_feed *feed =
            bench_feed_unjoined(live->bench, json_string_value(json_object_get(member, "topic")),
                                (int32_t)number(member, "partition"));
        feed->feed.start_offset = number(member, "start");
        if (!json_is_true(json_object_get(member, "joins")))
            join(live, (int)i);
    }
}

static void run_line(const struct form *form, struct rule_set **sets)
{
    char path[PATH_BYTES];
    struct settings settings;
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct live live = {.bench = bench, .folder = form->folder, .sets = sets};
    json_error_t fault;

    snprintf(path, sizeof(path), "%s/settings.json", form->folder);
    json_t *scenario = json_load_file(path, 0, &fault); /* ours */
    if (scenario == NULL)
        fail_msg("%s:%d: %s", path, fault.line, fault.text);
    rule_set_destroy(bench->rules);
    bench->rules = sets[0];
    sets[0] = NULL;
    scenario_read(scenario, &settings, &bench->config);
    form_apply(form, &bench->config);
    bench->refuses = form->shuffle != 0;
    bench_go_live(bench);
    members_read(&live, json_object_get(scenario, "partitions"));
    bench_start(bench);
    script_run(&live);
    bench_settle(bench);
    for (size_t i = 0; i < bench->feed_count; i++)
        bench_state_set(bench->feed[i], FEED_FINISHED);
    if (!engine_wait_finished(bench->engine, 0))
        fail_msg("not finished");
    bench_stop(bench);
    marks_print(bench, live.joined);
    if (bench->log.used > 0)
        fwrite(bench->log.at, 1, bench->log.used, stdout);
    ledger_print(&bench->counters);
    bench_destroy(bench);
    json_decref(scenario);
}

int main(void)
{
    static char buffer[1 << 20];
    char line[PATH_BYTES + 128];
    struct form form;

    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        alarm(RUN_S); /* a run that hangs ends the process */
        struct rule_set *sets[SETS_MAX] = {NULL};
        if (form_read(line, &form) && rules_load(form.folder, sets))
            run_line(&form, sets);
        for (int i = 0; i < SETS_MAX; i++)
            rule_set_destroy(sets[i]);
        printf("done\n");
        fflush(stdout);
    }
    return 0;
}
