/*
 * cmd_fsck.c - `tocsin fsck` and `tocsin ledger`: whether a data directory is whole, and what it
 * counts. Neither ever writes there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/vector.h"
#include "correlate/engine.h"
#include "base/plural.h"
#include "daemon/commands.h"
#include "daemon/data_look.h"
#include "daemon/options.h"
#include "daemon/past_check.h"
#include "daemon/units.h"
#include "store/history_query.h"
#include "store/kept_files.h"

struct look_options {
    struct option_list folders;
    bool sets;
};

static const struct option_row fsck_rows[] = {
    {"--sets", OPTION_FLAG, offsetof(struct look_options, sets), NULL, NULL,
     "Lists the rule sets and settings that were in force, each with its id and since when.",
     .min = 0},
};

static const struct option_table fsck_table = {
    .command = "fsck",
    .usage = "[options] DIR",
    .rows = fsck_rows,
    .row_count = OPTION_ROWS(fsck_rows),
    .about = "Reads everything in a data directory and says whether it is whole; what is damaged\n"
             "is named with file and byte. Writes nothing there, and may look on while a daemon\n"
             "uses it.",
    .arguments_min = 1,
    .arguments_max = 1,
    .arguments_offset = offsetof(struct look_options, folders),
    .exits = "0 64 65 66 74",
};

static const struct option_table ledger_table = {
    .command = "ledger",
    .usage = "DIR",
    .about =
        "Prints what a data directory has counted, as of its last commit, as one JSON object.\n"
        "Writes nothing there, and may look on while a daemon uses it.",
    .arguments_min = 1,
    .arguments_max = 1,
    .arguments_offset = offsetof(struct look_options, folders),
    .exits = "0 64 65 66 74",
};

/* From when on there are groups; the sums are of all that there ever were. */
static int print_begin(struct data_look *at, const struct data_look_known *known, struct error *err)
{
    struct data_look_begin begin;
    char time[UNIT_TEXT_BYTES];
    int code = EXIT_OK;

    if (known->begin > 1)
        code = data_look_begin(at, &begin, err);
    if (known->begin > 1 && code == EXIT_OK)
        printf("journal: it begins with frame %" PRIu64 "%s%s: what was before is in snapshots and "
               "history alone\n",
               begin.frame, begin.n_ms > INT64_MIN ? ", of " : "",
               begin.n_ms > INT64_MIN ? unit_format_time(begin.n_ms, time) : "");
    return code;
}

static void print_check(const struct journal_summary *sum, const struct segment_end *end,
                        uint64_t unfinished)
{
    printf("journal: %zu segment%s, %" PRIu64 " group%s, %zu partition%s, %zu mark%s, %" PRIu64
           " change%s, %" PRIu64 " op%s of which %zu %s owed and %zu dead: whole\n",
           end->place_count, plural(end->place_count), sum->groups, plural(sum->groups),
           sum->part_count, plural(sum->part_count), sum->mark_count, plural(sum->mark_count),
           sum->changes, plural(sum->changes), sum->ops_made, plural(sum->ops_made), sum->ops_owed,
           sum->ops_owed == 1 ? "is" : "are", sum->ops_dead);
    if (end->torn_bytes > 0 || unfinished > 0)
        printf("journal: its end was not finished (%" PRIu64 " bytes, %" PRIu64
               " groups): the next start cuts it\n",
               end->torn_bytes, unfinished);
}

/* What a recovery would load. */
static int check_rules(const struct data_look *at, const struct data_look_known *known,
                       struct error *err)
{
    const struct journal_summary *sum = &known->sum;
    const struct snapshot_facts *facts = &known->recalled.begin.facts;
    char folder[DATA_DIR_PATH_BYTES];
    struct id128 *ids =
        memory_alloc(((sum->rules_count + 1) * 2 + facts->set_count) * sizeof(*ids));
    struct kept_counts sets = {0}, counts;
    size_t count = 0;
    int rc;

    data_dir_folder(&at->dir, "blobs", folder);
    for (size_t i = 0; i < sum->rules_count; i++)
        ids[count++] = sum->rules[i].set;
    for (uint32_t i = 0; i < facts->set_count; i++)
        ids[count++] = facts->sets[i];
    rc = kept_files_look(folder, ids, count, false, &sets, err);
    for (size_t i = 0; i < sum->rules_count; i++)
        ids[count++] = sum->rules[i].settings;
    if (rc == 0)
        rc = kept_files_look(folder, ids, count, false, &counts, err);
    free(ids);
    if (rc != 0)
        return rc == -ENOENT || rc == -EBADMSG ? EXIT_DATA : EXIT_IO;
    printf("rules: %zu set%s, %zu file%s of %s, %" PRIu64 " bytes: whole\n", sets.lists,
           plural(sets.lists), sets.contents, plural(sets.contents),
           sets.lists == 1 ? "it" : "them", sets.bytes);
    return EXIT_OK;
}

static void print_set(const struct journal_rules *rules)
{
    char set[ID128_TEXT_BYTES], settings[ID128_TEXT_BYTES], at[UNIT_TEXT_BYTES];

    id128_format(rules->set, set);
    id128_format(rules->settings, settings);
    printf("from %s: rule set %s, settings %s\n",
           rules->from_ms == INT64_MIN ? "the beginning" : unit_format_time(rules->from_ms, at),
           set, settings);
}

struct sets {
    VECTOR_OF(struct journal_rules) list;
};

static int read_sets(const struct data_look *at, struct sets *sets, struct error *err)
{
    struct journal_reader *reader;
    struct journal_record record;
    enum segment_refusal why;
    int rc = journal_reader_create(&at->segments, &reader, &why, err);

    if (rc != 0)
        return data_look_exit_code(why);
    sets->list.count = 0;
    while ((rc = journal_reader_next(reader, &record, NULL, err)) == 1)
        if (record.kind == JOURNAL_RULES)
            vector_add(&sets->list) = record.rules;
    why = journal_reader_refusal(reader);
    journal_reader_destroy(reader);
    return rc == 0 ? EXIT_OK : data_look_exit_code(why);
}

/* What the audit calls by the same ids: all that the journal holds, and the one that is in force,
 * should that not be among them. */
static int print_sets(struct data_look *at, const struct data_look_known *known, struct error *err)
{
    struct sets sets = {.list = {.at = NULL}};
    int code;

    do
        code = read_sets(at, &sets, err);
    while (code != EXIT_OK && data_look_again(at));
    if (code == EXIT_OK && known->begin > 1)
        printf("sets: which were in force before frame %" PRIu64 " is not known any more\n",
               known->begin);
    for (size_t i = 0; code == EXIT_OK && i < sets.list.count; i++)
        print_set(&sets.list.at[i]);
    if (code == EXIT_OK && sets.list.count == 0 && known->sum.rules_count > 0)
        print_set(&known->sum.rules[known->sum.rules_count - 1]);
    free(sets.list.at);
    return code;
}

/* All of them, also those that no start asks for while a newer one is good. */
static int check_snapshots(const struct data_look *at, const struct data_look_known *known,
                           struct error *err)
{
    const struct snapshot_folder folder = data_look_snapshots(at);
    const struct snapshot_content *begin = &known->recalled.begin;
    uint64_t number[SNAPSHOT_LIST_MAX];
    int count = snapshot_file_list(&folder, number), rc = 0;

    if (known->passed_over.text[0] != '\0') {
        error_set(err, "%s", known->passed_over.text);
        return EXIT_DATA;
    }
    for (int i = 0; i < count && rc == 0; i++) {
        struct snapshot_content content;
        enum snapshot_refusal why;
        if (number[i] == begin->number)
            continue;
        rc = snapshot_file_read(&folder, number[i], &content, &why, err);
        if (rc == -ENOENT) /* a daemon has removed it meanwhile */
            rc = 0;
        else if (rc == 0)
            snapshot_content_release(&content);
        else
            return why == SNAPSHOT_WORLD ? EXIT_IO : EXIT_DATA;
    }
    if (begin->number > 0) {
        char time[UNIT_TEXT_BYTES];
        printf("snapshots: %d, the newest of %s, %" PRIu64 " bytes: whole\n", known->recalled.count,
               unit_format_time(begin->facts.at_ms, time), begin->file_bytes);
    }
    return EXIT_OK;
}

/* What was pushed, and what people had the daemon do. */
static int check_intake(const struct data_look *at, const struct data_look_known *known,
                        struct error *err)
{
    struct data_look_intake counts;
    int code = data_look_intake(at, &counts, err);

    if (code == EXIT_OK)
        code = past_check_intake(&known->sum, &known->recalled.begin, at->dir.path, counts.next,
                                 false, err);
    if (code != EXIT_OK)
        return code;
    printf("intake: %zu segment%s, %" PRIu64 " record%s of events, %" PRIu64 " act%s: whole\n",
           counts.end.place_count, plural(counts.end.place_count), counts.of[INTAKE_EVENTS],
           plural(counts.of[INTAKE_EVENTS]), counts.of[INTAKE_ACT], plural(counts.of[INTAKE_ACT]));
    if (counts.first > 0) {
        char time[UNIT_TEXT_BYTES];
        printf("intake: it begins with record %" PRIu64 ", of %s\n", counts.first,
               unit_format_time(counts.first_wall_ms, time));
    }
    if (counts.end.torn_bytes > 0)
        printf("intake: its end was not finished (%" PRIu64 " bytes): the next start cuts it\n",
               counts.end.torn_bytes);
    return EXIT_OK;
}

/* What people look at; none is fine. */
static int check_history(const struct data_look *at, uint64_t last_frame, struct error *err)
{
    struct history_reader *reader;
    struct history_state state;
    enum history_refusal why;
    char path[DATA_DIR_PATH_BYTES];
    uint64_t incidents;
    int rc;

    data_dir_folder(&at->dir, HISTORY_FILE, path);
    rc = history_reader_open(path, at->dir.id, &reader, &why, err);
    if (rc != 0 && why == HISTORY_MISSING)
        return EXIT_OK;
    if (rc == 0) {
        history_reader_state(reader, &state);
        rc = history_reader_check(reader, &incidents, err);
        history_reader_close(reader);
        why = rc == -EBADMSG ? HISTORY_DAMAGED : HISTORY_WORLD;
        if (rc == -EBADMSG)
            error_prefix(err, "%s: ", path);
    }
    if (rc != 0) {
        error_prefix(err, "the history; tocsin history --rebuild makes it anew: ");
        return why == HISTORY_WORLD ? EXIT_IO : EXIT_DATA;
    }
    printf("history: %" PRIu64 " incidents, up to frame %" PRIu64 " of %" PRIu64 ": whole\n",
           incidents, state.place.frame, last_frame);
    return EXIT_OK;
}

static const char *const fates[JOURNAL_FATE_COUNT] = {"owed", "intent", "retry", "uncertain",
                                                      "made", "done",   "dead",  "superseded"};

static void print_ledger(const struct journal_summary *sum)
{
    printf("{\"to\":%" PRId64 ",\"engine\":{", sum->to_ms);
    for (uint32_t i = 0; i < sum->counts->count && i < ENGINE_COUNTS; i++)
        printf("%s\"%s\":%" PRIu64, i > 0 ? "," : "", engine_count_name((enum engine_count)i),
               sum->counts->value[i]);
    printf("},\"incidents\":{\"changes\":%" PRIu64 ",\"opened\":%" PRIu64 ",\"closed\":%" PRIu64
           "},\"ops\":{\"all\":%" PRIu64,
           sum->changes, sum->opened, sum->closed, sum->ops_made);
    for (int i = 0; i < JOURNAL_FATE_COUNT; i++)
        printf(",\"%s\":%" PRIu64, fates[i], sum->ops_by_fate[i]);
    printf("}}\n");
}

static int check(struct data_look *at, const struct data_look_known *known, bool with_sets,
                 struct error *err)
{
    const struct journal_reader *reader = known->recalled.reader;
    int code;

    print_check(&known->sum, journal_reader_end(reader), journal_reader_unfinished(reader));
    code = print_begin(at, known, err);
    if (code == EXIT_OK)
        code = check_rules(at, known, err);
    if (code == EXIT_OK && with_sets)
        code = print_sets(at, known, err);
    if (code == EXIT_OK)
        code = check_snapshots(at, known, err);
    if (code == EXIT_OK)
        code = check_intake(at, known, err);
    if (code == EXIT_OK)
        code = check_history(at, journal_reader_end(reader)->next_frame - 1, err);
    return code;
}

static int look(const struct option_table *table, int argc, char **argv, bool is_check)
{
    struct look_options options = {.folders = {.count = 0}};
    struct data_look_known known;
    struct data_look at;
    struct error err = {{0}};
    int code;

    if (!options_read(table, argc, argv, &options, &code))
        return code;
    code = data_look_open(&at, options.folders.item[0], &err);
    if (code == EXIT_OK)
        code = data_look_recall(&at, &known, &err);
    if (code != EXIT_OK) {
        fprintf(stderr, "%s\n", err.text);
        return code;
    }
    if (is_check)
        code = check(&at, &known, options.sets, &err);
    else
        print_ledger(&known.sum);
    if (code != EXIT_OK)
        fprintf(stderr, "%s\n", err.text);
    snapshot_recalled_release(&known.recalled);
    return code;
}

int cmd_fsck(int argc, char **argv)
{
    return look(&fsck_table, argc, argv, true);
}

int cmd_ledger(int argc, char **argv)
{
    return look(&ledger_table, argc, argv, false);
}
