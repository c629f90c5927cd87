/*
 * cmd_digest.c - `tocsin digest`: one number for all that a data directory says was told.
 *
 * The number is that of the incident log, without its groups: two runs over the same input that
 * told the same have the same digest, however often one of them was broken off.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "daemon/commands.h"
#include "daemon/data_look.h"
#include "daemon/incident_log.h"
#include "daemon/line_writer.h"
#include "daemon/options.h"

enum { LINE_BYTES = 64 << 10 };

struct digest {
    struct option_list folders;
    const char *incidents;

    struct line_writer *writer; /* NULL: lines are not wanted */
    struct id128 hash;
    uint64_t lines;
};

static const struct option_row rows[] = {
    {"--incidents", OPTION_TEXT, offsetof(struct digest, incidents), "FILE", NULL,
     "Writes the incident log that the directory holds; - for standard output.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "digest",
    .usage = "[--incidents FILE] DIR",
    .about = "Prints a digest of all incident changes and ops in the journal of a data directory.\n"
             "Writes nothing there, and may look on while a daemon uses it.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = 1,
    .arguments_offset = offsetof(struct digest, folders),
    .exits = "0 64 65 66 74",
};

static void take_line(struct digest *digest, const char *line, size_t bytes)
{
    struct {
        struct id128 before, line;
    } pair = {digest->hash, hash128(line, bytes, 0)};

    digest->hash = hash128(&pair, sizeof(pair), 0);
    digest->lines++;
    if (digest->writer != NULL)
        line_writer_add(digest->writer, line, bytes);
}

static int read_all(struct digest *digest, struct journal_reader *reader, struct error *err)
{
    struct journal_record record;
    struct incident incident;
    char line[LINE_BYTES];
    size_t bytes;
    int rc;

    while ((rc = journal_reader_next(reader, &record, NULL, err)) == 1) {
        if (record.kind == JOURNAL_CHANGE) {
            memcpy((void *)&incident, (const void *)&record.change, sizeof(incident));
            bytes = incident_log_change(&incident, line, sizeof(line));
        } else if (record.kind == JOURNAL_OP) {
            /* Of the change before it, whose time it has. */
            const struct op op = {.id = record.op.id,
                                  .number = record.op.number,
                                  .kind = record.op.kind,
                                  .incident = &incident};
            incident.id = record.op.incident;
            bytes = incident_log_op(&op, record.op.sink, line, sizeof(line));
        } else {
            continue;
        }
        take_line(digest, line, bytes < sizeof(line) ? bytes : sizeof(line) - 1);
    }
    return rc;
}

static int run(struct digest *digest, struct error *err)
{
    struct data_look look;
    struct journal_reader *reader;
    enum segment_refusal why;
    char hex[ID128_TEXT_BYTES];
    int code = data_look_open(&look, digest->folders.item[0], err);

    if (code != EXIT_OK)
        return code;
    if (digest->incidents != NULL) {
        digest->writer = line_writer_open(digest->incidents, LINE_WRITER_TRUNCATE, err);
        if (digest->writer == NULL)
            return EXIT_IO;
    }
    if (journal_reader_create(&look.segments, &reader, &why, err) != 0)
        return data_look_exit_code(why);
    if (read_all(digest, reader, err) != 0)
        code = data_look_exit_code(journal_reader_refusal(reader));
    journal_reader_destroy(reader);
    if (code != EXIT_OK)
        return code;
    id128_format(digest->hash, hex);
    /* Beside the lines, where these go to standard output. */
    fprintf(digest->writer != NULL && strcmp(digest->incidents, "-") == 0 ? stderr : stdout,
            "%s %" PRIu64 "\n", hex, digest->lines);
    return EXIT_OK;
}

int cmd_digest(int argc, char **argv)
{
    struct digest digest = {.incidents = NULL};
    struct error err = {{0}};
    int code, rc;

    if (!options_read(&table, argc, argv, &digest, &code))
        return code;
    code = run(&digest, &err);
    rc = line_writer_close(digest.writer);
    if (code == EXIT_OK && rc != 0) {
        line_writer_say(digest.incidents, rc, &err);
        code = EXIT_IO;
    }
    if (code != EXIT_OK)
        fprintf(stderr, "%s\n", err.text);
    return code;
}
