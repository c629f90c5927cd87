/* replay_input.c - see replay_input.h. */
#include "daemon/command.h"
#include "daemon/replay_input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "daemon/mark_log.h"
#include "daemon/units.h"
#include "daemon/options.h"
#include "daemon/replay_intake.h"
#include "ingest/file_source.h"
#include "ingest/recording_source.h"
#include "ingest/tlog_source.h"
#include "store/recording.h"

/* One more than an engine takes. */
enum { PARTS_MAX = 4096 };

/* A source whose partitions are known before the engine asks, so that marks can be told whose
 * they are: it passes on what the source of the files said. */
struct replay_input {
    struct source base; /* first: source ops cast back */
    struct source *source;
    struct source_change *joins; /* all partitions, in the order in which the engine counts them */
    size_t join_count, told;
    const struct mark *marks; /* owned by the source, or `own` */
    size_t mark_count;
    struct mark *own;
    bool has_marks;       /* the form can carry marks */
    struct source *range; /* `source`, or inside of it; NULL: all is read */
    struct replay_intake intake;
    uint64_t torn_bytes;
    int64_t undated_ms;
    bool is_lines;         /* files of JSON lines */
    bool is_dated_by_file; /* that is the last change of a file */
    struct mark_list read; /* counts of what --marks had */
    int64_t from_ms;       /* INT64_MIN: it begins at no time that is known */
};

/* One form of input: a row of the table below. */
struct form {
    const char *ending; /* NULL: any other */
    int (*open)(const char *const *paths, size_t count, const char *topic,
                struct replay_input *input, struct error *err);
};

static int open_tlog(const char *const *paths, size_t count, const char *topic,
                     struct replay_input *input, struct error *err)
{
    (void)topic; /* it names its own */
    if (count > 1) {
        error_set(err, "%s: only one .tlog file can be replayed at a time", paths[1]);
        return -EINVAL;
    }
    input->has_marks = true;
    return tlog_source_open(paths[0], &input->source, &input->marks, &input->mark_count, err);
}

static int open_recording(const char *const *paths, size_t count, const char *topic,
                          struct replay_input *input, struct error *err)
{
    int rc = recording_source_open(paths, count, &input->source, err);

    (void)topic; /* it names its own */
    if (rc != 0)
        return rc;
    input->has_marks = true;
    input->marks = recording_source_marks(input->source, &input->mark_count);
    input->torn_bytes = recording_source_torn(input->source);
    return 0;
}

static int open_lines(const char *const *paths, size_t count, const char *topic,
                      struct replay_input *input, struct error *err)
{
    struct file_input files[OPTION_LIST_MAX] = {{0}};

    for (size_t i = 0; i < count; i++)
        files[i] = (struct file_input){paths[i], topic, (int32_t)i};
    input->is_lines = true;
    return file_source_open(files, count, &input->source, err);
}

static const struct form forms[] = {
    {".trec", open_recording},
    {".tlog", open_tlog},
    {NULL, open_lines},
};

static const struct form *form_of(const char *path)
{
    const struct form *form = forms; /* the first row is that of recordings */
    size_t length = strlen(path);

    if (strcmp(path, "-") != 0 && recording_begins(path))
        return form;
    for (; form->ending != NULL; form++) {
        size_t ending = strlen(form->ending);
        if (length >= ending && strcmp(path + length - ending, form->ending) == 0)
            break;
    }
    return form;
}

/* ---- the source that passes on ---- */

static size_t input_changes(struct source *source, struct source_change *out, size_t max)
{
    struct replay_input *input = (struct replay_input *)source;
    size_t count = 0;

    while (count < max && input->told < input->join_count)
        out[count++] = input->joins[input->told++];
    return count;
}

static void input_drop(struct source *source, struct feed *feed)
{
    struct source *inner = ((struct replay_input *)source)->source;

    if (inner->ops->drop != NULL)
        inner->ops->drop(inner, feed);
}

static void input_wake_on(struct source *source, struct feed *feed, int waker)
{
    struct source *inner = ((struct replay_input *)source)->source;

    inner->ops->wake_on(inner, feed, waker);
}

static bool input_ready(struct source *source, struct error *why)
{
    struct source *inner = ((struct replay_input *)source)->source;

    return inner->ops->ready(inner, why);
}

static const struct source_ops input_ops = {
    .changes = input_changes,
    .drop = input_drop,
    .wake_on = input_wake_on,
    .ready = input_ready,
};

static int learn_parts(struct replay_input *input, struct error *err)
{
    input->joins = calloc(PARTS_MAX, sizeof(*input->joins));
    if (input->joins == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    input->join_count = input->source->ops->changes(input->source, input->joins, PARTS_MAX);
    if (input->join_count < PARTS_MAX)
        return 0;
    error_set(err, "the input has more than %d partitions", PARTS_MAX - 1);
    return -EINVAL;
}

/* Marks that may be made void are a copy of ours. */
static int cut(struct replay_input *input, const struct range_config *range, struct error *err)
{
    struct source *source = input->source;
    int rc;

    input->own = malloc((input->mark_count + 1) * sizeof(*input->own));
    if (input->own == NULL) {
        error_set(err, "out of memory for %zu marks", input->mark_count);
        return -ENOMEM;
    }
    if (input->mark_count > 0)
        memcpy(input->own, input->marks, input->mark_count * sizeof(*input->own));
    input->marks = input->own;
    input->source = NULL; /* taken */
    rc = range_source_open(source, range, &input->source, err);
    if (rc != 0)
        return rc;
    input->range = input->source;
    range_source_own_marks(input->range, input->own, input->mark_count);
    return 0;
}

/* What no time of the log and no event dates is dated by its file. */
static void note_modified(struct replay_input *input, const char *const *paths, size_t count)
{
    const struct host *h = host();
    int64_t latest = INT64_MIN;

    for (size_t i = 0; i < count && strcmp(paths[i], "-") != 0; i++) {
        int fd = h->open(h->self, paths[i], O_RDONLY | O_NONBLOCK, 0);
        int64_t modified = INT64_MIN;
        if (fd < 0)
            return;
        if (h->is_regular(h->self, fd))
            modified = h->modified_ms(h->self, fd);
        h->close(h->self, fd);
        if (modified == INT64_MIN)
            return;
        if (modified > latest)
            latest = modified;
    }
    if (latest == INT64_MIN)
        return;
    input->undated_ms = latest;
    input->is_dated_by_file = true;
}

/* Beside the partitions what was pushed, if anything was. */
static int add_intake(struct replay_input *input, const char *data_dir,
                      const struct replay_input *like, const struct range_config *range,
                      struct error *err)
{
    int rc = 0;

    if (like != NULL)
        input->intake = like->intake;
    else
        rc = replay_intake_find(data_dir, range, &input->intake, err);
    if (rc != 0 || input->intake.first == input->intake.next)
        return rc;
    return replay_intake_over(&input->intake, input->source, &input->source, err);
}

/* What all ways of opening end with. */
static int finish_open(struct replay_input *input, const struct range_config *range,
                       const char *data_dir, const struct replay_input *like,
                       struct replay_input **out, struct error *err)
{
    int rc = 0;

    input->base.ops = &input_ops;
    input->read.since_ms = input->intake.since_ms = INT64_MIN;
    input->from_ms =
        range != NULL && range->from.kind == RANGE_TIME ? range->from.value : INT64_MIN;
    if (range != NULL)
        rc = cut(input, range, err);
    if (rc == 0 && data_dir != NULL)
        rc = add_intake(input, data_dir, like, range, err);
    if (rc == 0)
        rc = learn_parts(input, err);
    if (rc != 0) {
        replay_input_close(input);
        return rc;
    }
    *out = input;
    return 0;
}

int replay_input_open(const char *const *paths, size_t count, const char *topic,
                      const struct range_config *range, struct replay_input **out,
                      struct error *err)
{
    const struct form *form = form_of(paths[0]);
    struct range_config own;
    struct replay_input *input;
    int rc;

    if (count > OPTION_LIST_MAX) {
        error_set(err, "more than %d files cannot be replayed together", OPTION_LIST_MAX);
        return -EINVAL;
    }
    for (size_t i = 1; i < count; i++)
        if (form_of(paths[i]) != form) {
            error_set(err, "%s and %s are of different forms and cannot be replayed together",
                      paths[0], paths[i]);
            return -EINVAL;
        }
    input = calloc(1, sizeof(*input));
    if (input == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    rc = form->open(paths, count, topic, input, err);
    if (rc != 0) {
        free(input);
        return rc;
    }
    input->undated_ms = host_wall_ms();
    note_modified(input, paths, count);
    if (range != NULL) {
        own = *range;
        own.lends_time = true; /* to records without log time, which every form may have */
        range = &own;
    }
    return finish_open(input, range, NULL, NULL, out, err);
}

int replay_input_take(struct source *source, const struct range_config *range, const char *data_dir,
                      const struct replay_input *like, struct replay_input **out, struct error *err)
{
    struct replay_input *input = calloc(1, sizeof(*input));

    if (input == NULL) {
        source->ops->close(source);
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    input->source = source;
    input->undated_ms = host_wall_ms();
    input->has_marks = true;
    return finish_open(input, range, data_dir, like, out, err);
}

int replay_input_can_repeat(const char *const *paths, size_t count, struct error *err)
{
    const struct host *h = host();

    for (size_t i = 0; i < count; i++) {
        bool can_repeat;
        char byte;
        int fd;
        if (strcmp(paths[i], "-") == 0) {
            error_set(err, "standard input cannot be read twice: name a file");
            return -EINVAL;
        }
        /* The opening of a pipe would wait for a writer. */
        fd = h->open(h->self, paths[i], O_RDONLY | O_NONBLOCK, 0);
        if (fd < 0)
            continue;
        can_repeat = h->is_regular(h->self, fd) || h->read(h->self, fd, &byte, 1) == -EISDIR;
        h->close(h->self, fd);
        if (!can_repeat) {
            error_set(err, "%s: this is no regular file, and cannot be read twice", paths[i]);
            return -EINVAL;
        }
    }
    return 0;
}

void replay_input_close(struct replay_input *input)
{
    if (input == NULL)
        return;
    if (input->source != NULL)
        input->source->ops->close(input->source);
    free(input->joins);
    free(input->own);
    free(input);
}

struct source *replay_input_source(struct replay_input *input)
{
    return &input->base;
}

const struct source *replay_input_inner(const struct replay_input *input)
{
    return input->range;
}

int replay_input_read_marks(struct replay_input *input, const char *path, struct error *err)
{
    struct mark_part *parts = calloc(input->join_count + 1, sizeof(*parts));
    int rc = -ENOMEM;

    if (parts == NULL) {
        error_set(err, "out of memory");
        return rc;
    }
    for (size_t i = 0; i < input->join_count; i++)
        parts[i] = (struct mark_part){input->joins[i].feed->topic, input->joins[i].feed->partition,
                                      input->joins[i].feed->start_offset};
    rc = mark_log_read(path, parts, input->join_count, &input->read, err);
    free(parts);
    if (rc != 0)
        return rc;
    free(input->own);
    input->marks = input->own = input->read.marks;
    input->mark_count = input->read.count;
    if (input->range != NULL)
        range_source_own_marks(input->range, input->own, input->mark_count);
    input->has_marks = false; /* given: nothing to say about their absence */
    return 0;
}

const struct mark *replay_input_marks(const struct replay_input *input, size_t *count)
{
    *count = input->mark_count;
    return input->marks;
}

void replay_input_follow_switches(struct replay_input *input)
{
    input->read.switches = 0;
}

int64_t replay_input_undated(const struct replay_input *input)
{
    return input->undated_ms;
}

void replay_input_say_undated(const struct replay_input *input, uint64_t undated, FILE *to)
{
    char when[UNIT_TEXT_BYTES];

    if (undated == 0)
        return;
    fprintf(to,
            "note: %" PRIu64 " record%s no time, neither in the event (`time`) nor in the log: "
            "they count as of the time of the one before, the first as of %s, %s\n",
            undated, undated == 1 ? " has" : "s have",
            input->is_dated_by_file ? "the last change of the file" : "the opening of the input",
            unit_format_time(input->undated_ms, when));
}

void replay_input_say(const struct replay_input *input, FILE *to)
{
    if (input->torn_bytes > 0)
        fprintf(to,
                "note: the recording was cut off; %" PRIu64 " byte%s at its end cannot be read\n",
                input->torn_bytes, plural(input->torn_bytes));
    if (input->has_marks && input->mark_count == 0)
        fprintf(to, "note: no marks were recorded; where the clock sealed a partition live, "
                    "results may differ\n");
    if (input->read.foreign > 0)
        fprintf(to, "note: %zu mark%s of partitions that are not in the input\n",
                input->read.foreign, input->read.foreign == 1 ? " is" : "s are");
    if (input->read.late > 0) {
        const struct feed *feed = input->joins[input->read.late_part].feed;
        fprintf(to,
                "note: the run read %s/%" PRId32 " from offset %" PRId64
                " on, and the input has it from %" PRId64 " on",
                feed->topic, feed->partition, input->read.late_offset, feed->start_offset);
        if (input->read.late > 1)
            fprintf(to, ", and %zu partition%s more than the run", input->read.late - 1,
                    plural(input->read.late - 1));
        fprintf(to, ": results differ by what these bring; --from offset:N leaves them out\n");
    }
    if (input->intake.since_ms > input->from_ms) {
        char when[UNIT_TEXT_BYTES];
        fprintf(to,
                "note: what was pushed and done before %s is not on record any more (intake.keep, "
                "intake.bytes.max): results may differ\n",
                unit_format_time(input->intake.since_ms, when));
    }
    if (input->read.since_ms > input->from_ms) {
        char when[UNIT_TEXT_BYTES];
        fprintf(to,
                "note: the journal has no marks of before %s any more (data.journal.keep): where "
                "the clock sealed a partition before that, times and results may differ\n",
                unit_format_time(input->read.since_ms, when));
    }
    if (input->read.switches > 0)
        fprintf(to, "note: the run switched its rules, and these read all of it: results "
                    "differ where others were in force\n");
    if (input->read.leaves > 0)
        fprintf(to, "note: partitions left the run; from there on results may differ\n");
}

bool replay_input_is_lines(const struct replay_input *input)
{
    return input->is_lines;
}

int replay_input_exit_code(int rc)
{
    switch (rc) {
    case 0:
        return EXIT_OK;
    case -EINVAL:
    case -EBADMSG:
        return EXIT_DATA;
    case -EALREADY:
        return EXIT_USAGE;
    case -ENOMEM:
        return EXIT_SYSTEM;
    case -ETIMEDOUT:
        return EXIT_UNAVAILABLE;
    case -EIO:
        return EXIT_IO;
    default:
        return EXIT_NO_INPUT;
    }
}
