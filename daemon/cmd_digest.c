/*
 * cmd_digest.c - `tocsin digest`: one number for all that a data directory says was told.
 *
 * The number is that of the incident log, without its groups: two runs over the same input that
 * told the same have the same digest, however often one of them was broken off.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "daemon/commands.h"
#include "daemon/data_look.h"
#include "daemon/incident_lines.h"
#include "daemon/line_writer.h"
#include "daemon/options.h"
#include "daemon/units.h"

enum { CHUNK_BYTES = 256 << 10 };

struct digest {
    struct option_list folders;
    const char *incidents;

    struct line_writer *writer; /* NULL: lines are not wanted */
    struct snapshot_lines lines;
};

static const struct option_row rows[] = {
    {"--incidents", OPTION_TEXT, offsetof(struct digest, incidents), "FILE", NULL,
     "Writes the incident log that the directory holds; - for standard output.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "digest",
    .usage = "[--incidents FILE] DIR | FILE",
    .about =
        "Prints a digest of all incident changes and ops that a data directory has told, or\n"
        "that an incident log holds, and how many they are. What the journal has let go of is\n"
        "in it, by the snapshots. Writes nothing there, and may look on while a daemon runs.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = 1,
    .arguments_offset = offsetof(struct digest, folders),
    .exits = "0 64 65 66 74",
};

/* ---- of a data directory ---- */

static void write_line(void *self, const char *line, size_t bytes)
{
    struct digest *digest = self;

    line_writer_add(digest->writer, line, bytes);
}

/* The newest snapshot that says what the lines before it came to. False: there is none. */
static bool find_begin(const struct data_look *look, struct snapshot_facts *facts)
{
    const struct snapshot_folder folder = data_look_snapshots(look);
    uint64_t number[SNAPSHOT_LIST_MAX];
    int count = snapshot_file_list(&folder, number);
    bool is_found = false;

    for (int i = 0; i < count && !is_found; i++) {
        struct snapshot_content content;
        enum snapshot_refusal why;
        struct error ignored;
        if (snapshot_file_read(&folder, number[i], &content, &why, &ignored) != 0)
            continue;
        *facts = content.facts;
        is_found = facts->has_lines;
        snapshot_content_release(&content);
    }
    return is_found;
}

static int read_directory(struct digest *digest, const struct data_look *look, struct error *err)
{
    struct journal_reader *reader;
    struct snapshot_facts facts = {.has_lines = false};
    enum segment_refusal why;
    uint64_t begin;
    int code = EXIT_OK;

    if (journal_reader_create(&look->segments, &reader, &why, err) != 0)
        return data_look_exit_code(why);
    begin = journal_reader_begin(reader);
    digest->lines = (struct snapshot_lines){.count = 0};
    if (begin > 1 && !find_begin(look, &facts)) {
        error_set(err,
                  "%s: it begins with frame %" PRIu64 ", and no snapshot that is whole says what "
                  "was told before",
                  look->folder, begin);
        code = EXIT_DATA;
    }
    if (code == EXIT_OK && begin > 1) {
        digest->lines = facts.lines;
        journal_reader_skip(reader, &facts.known);
    }
    if (code == EXIT_OK &&
        incident_lines_read(reader, incident_lines_add, &digest->lines, err) != 0)
        code = data_look_exit_code(journal_reader_refusal(reader));
    if (code == EXIT_OK && begin > 1 && !journal_reader_has_skipped(reader)) {
        error_set(err, "%s: it does not hold frame %" PRIu64 ", which the newest snapshot rests on",
                  look->folder, facts.known.frame);
        code = EXIT_DATA;
    }
    journal_reader_destroy(reader);
    return code;
}

/* All lines from the first that the journal still has; says from when on they are. */
static int write_lines(struct digest *digest, struct data_look *look, struct error *err)
{
    struct journal_reader *reader;
    struct data_look_begin begin;
    enum segment_refusal why;
    char time[UNIT_TEXT_BYTES];
    int code = data_look_begin(look, &begin, err);

    if (code != EXIT_OK)
        return code;
    if (begin.frame > 1)
        fprintf(stderr,
                "note: the journal begins with frame %" PRIu64 "%s%s: lines of before are not in "
                "it any more (data.journal.keep)\n",
                begin.frame, begin.n_ms > INT64_MIN ? ", of " : "",
                begin.n_ms > INT64_MIN ? unit_format_time(begin.n_ms, time) : "");
    if (journal_reader_create(&look->segments, &reader, &why, err) != 0)
        return data_look_exit_code(why);
    if (incident_lines_read(reader, write_line, digest, err) != 0)
        code = data_look_exit_code(journal_reader_refusal(reader));
    journal_reader_destroy(reader);
    return code;
}

static int run_directory(struct digest *digest, struct error *err)
{
    struct data_look look;
    int code = data_look_open(&look, digest->folders.item[0], err);

    if (code != EXIT_OK)
        return code;
    if (digest->incidents != NULL) {
        digest->writer = line_writer_open(digest->incidents, LINE_WRITER_TRUNCATE, err);
        if (digest->writer == NULL)
            return EXIT_IO;
    }
    do
        code = read_directory(digest, &look, err);
    while (code != EXIT_OK && data_look_again(&look));
    return code == EXIT_OK && digest->writer != NULL ? write_lines(digest, &look, err) : code;
}

/* ---- of an incident log ---- */

/* Whole lines of it go to the digest; a last one that is not ended is none yet. */
static int read_lines(struct digest *digest, const char *path, int fd, struct error *err)
{
    const struct host *h = host();
    VECTOR_OF(char) text = {.at = NULL};
    int64_t size = h->size(h->self, fd), at = 0;
    int rc = size < 0 ? (int)size : 0;

    while (rc == 0 && at < size) {
        size_t bytes = size - at < CHUNK_BYTES ? (size_t)(size - at) : CHUNK_BYTES, used = 0;
        vector_reserve(&text, bytes);
        rc = host_pread_all(fd, text.at + text.count, bytes, at);
        if (rc != 0)
            break;
        text.count += bytes;
        at += (int64_t)bytes;
        for (char *end; (end = memchr(text.at + used, '\n', text.count - used)) != NULL;) {
            incident_lines_add(&digest->lines, text.at + used, (size_t)(end - text.at) - used);
            used = (size_t)(end - text.at) + 1;
        }
        text.count -= used;
        memmove(text.at, text.at + used, text.count);
    }
    free(text.at);
    if (rc != 0)
        error_set(err, "%s: it cannot be read: %s", path, strerrordesc_np(-rc));
    return rc == 0 ? EXIT_OK : EXIT_IO;
}

/* False: it is none, or cannot be opened; the data directory's own sentence says what is wrong. */
static bool open_log(const char *path, int *fd)
{
    const struct host *h = host();

    *fd = h->open(h->self, path, O_RDONLY | O_NONBLOCK, 0);
    if (*fd >= 0 && h->is_regular(h->self, *fd))
        return true;
    if (*fd >= 0)
        h->close(h->self, *fd);
    return false;
}

/* ---- both ---- */

static int run(struct digest *digest, struct error *err)
{
    const char *path = digest->folders.item[0];
    char hex[ID128_TEXT_BYTES];
    int code, fd;

    if (!open_log(path, &fd)) {
        code = run_directory(digest, err);
    } else {
        code = read_lines(digest, path, fd, err);
        host()->close(host()->self, fd);
        if (digest->incidents != NULL) {
            error_set(err, "--incidents is for a data directory, and %s is a file", path);
            code = EXIT_USAGE;
        }
    }
    if (code != EXIT_OK)
        return code;
    id128_format(digest->lines.hash, hex);
    /* Beside the lines, where these go to standard output. */
    fprintf(digest->writer != NULL && strcmp(digest->incidents, "-") == 0 ? stderr : stdout,
            "%s %" PRIu64 "\n", hex, digest->lines.count);
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
