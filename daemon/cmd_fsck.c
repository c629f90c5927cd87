/*
 * cmd_fsck.c - `tocsin fsck` and `tocsin ledger`: whether a data directory is whole, and what it
 * counts. Neither ever writes there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "correlate/engine.h"
#include "daemon/commands.h"
#include "daemon/data_look.h"
#include "daemon/options.h"
#include "store/intake_log.h"
#include "store/history_query.h"
#include "store/kept_files.h"

struct look_options {
    struct option_list folders;
};

static const struct option_table fsck_table = {
    .command = "fsck",
    .usage = "DIR",
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

static void print_check(const struct journal_summary *sum, const struct segment_end *end,
                        uint64_t unfinished)
{
    printf("journal: %zu segments, %" PRIu64 " groups, %zu partitions, %zu marks, %" PRIu64
           " changes, %" PRIu64 " ops of which %zu are owed or dead: whole\n",
           end->place_count, sum->groups, sum->part_count, sum->mark_count, sum->changes,
           sum->ops_made, sum->op_count);
    if (end->torn_bytes > 0 || unfinished > 0)
        printf("journal: its end was not finished (%" PRIu64 " bytes, %" PRIu64
               " groups): the next start cuts it\n",
               end->torn_bytes, unfinished);
}

/* What a recovery would load. */
static int check_rules(const struct data_look *at, const struct journal_summary *sum,
                       struct error *err)
{
    char folder[DATA_DIR_PATH_BYTES];
    struct id128 *ids = memory_alloc((sum->rules_count + 1) * 2 * sizeof(*ids));
    struct kept_counts sets = {0}, counts;
    size_t count = 0;
    int rc;

    data_dir_folder(&at->dir, "blobs", folder);
    for (size_t i = 0; i < sum->rules_count; i++)
        ids[count++] = sum->rules[i].set;
    rc = kept_files_look(folder, ids, count, false, &sets, err);
    for (size_t i = 0; i < sum->rules_count; i++)
        ids[count++] = sum->rules[i].settings;
    if (rc == 0)
        rc = kept_files_look(folder, ids, count, false, &counts, err);
    free(ids);
    if (rc != 0)
        return rc == -ENOENT || rc == -EBADMSG ? EXIT_DATA : EXIT_IO;
    printf("rules: %zu sets, %zu files of them, %" PRIu64 " bytes: whole\n", sets.lists,
           sets.contents, sets.bytes);
    return EXIT_OK;
}

static void count_record(void *self, const struct intake_record *record)
{
    uint64_t *counts = self;

    counts[record->kind]++;
}

/* What was pushed, and what people had the daemon do. */
static int check_intake(const struct data_look *at, struct error *err)
{
    uint64_t counts[INTAKE_KIND_COUNT] = {0};
    char folder[DATA_DIR_PATH_BYTES];
    const struct segment_config segments = {.folder = folder,
                                            .kind = "intake",
                                            .directory = at->dir.id,
                                            .segment_bytes = INTAKE_SEGMENT_BYTES};
    struct segment_end end;
    enum segment_refusal why;

    data_dir_folder(&at->dir, "intake", folder);
    if (intake_log_read(&segments, count_record, counts, &end, &why, err) != 0)
        return data_look_exit_code(why);
    printf("intake: %zu segments, %" PRIu64 " records of events, %" PRIu64 " acts: whole\n",
           end.place_count, counts[INTAKE_EVENTS], counts[INTAKE_ACT]);
    if (end.torn_bytes > 0)
        printf("intake: its end was not finished (%" PRIu64 " bytes): the next start cuts it\n",
               end.torn_bytes);
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

static int look(const struct option_table *table, int argc, char **argv, bool is_check)
{
    struct look_options options = {.folders = {.count = 0}};
    struct journal_recall *recall = NULL;
    struct journal_summary sum;
    struct segment_end end;
    struct data_look at;
    struct error err = {{0}};
    uint64_t unfinished = 0;
    int code;

    if (!options_read(table, argc, argv, &options, &code))
        return code;
    code = data_look_open(&at, options.folders.item[0], &err);
    if (code == EXIT_OK)
        code = data_look_recall(&at, &recall, &end, &unfinished, &err);
    if (code != EXIT_OK) {
        fprintf(stderr, "%s\n", err.text);
        return code;
    }
    journal_recall_summary(recall, &sum);
    if (!is_check) {
        print_ledger(&sum);
    } else {
        print_check(&sum, &end, unfinished);
        code = check_rules(&at, &sum, &err);
        if (code == EXIT_OK)
            code = check_intake(&at, &err);
        if (code == EXIT_OK)
            code = check_history(&at, end.next_frame - 1, &err);
        if (code != EXIT_OK)
            fprintf(stderr, "%s\n", err.text);
    }
    journal_recall_destroy(recall);
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
