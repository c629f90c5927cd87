/* score.c - see score.h. */
#include "daemon/score.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "daemon/plain.h"

enum { FILE_BYTES_MAX = 1 << 30 };

/* Calls `take` for each line; stops at the first error and names the line. */
static int each_line(const char *path,
                     int (*take)(void *self, const char *, size_t, struct error *), void *self,
                     struct error *err)
{
    char *text = NULL;
    size_t bytes, line = 0;
    int rc = host_read_file(path, FILE_BYTES_MAX, &text, &bytes);

    if (rc != 0) {
        error_set(err, "%s: %s", path, host_read_why(rc));
        return rc;
    }
    for (char *at = text; rc == 0 && at < text + bytes;) {
        char *end = memchr(at, '\n', (size_t)(text + bytes - at));
        size_t length = (size_t)((end != NULL ? end : text + bytes) - at);
        line++;
        rc = length > 0 ? take(self, at, length, err) : 0;
        at += length + 1;
    }
    if (rc != 0)
        error_prefix(err, "%s:%zu: ", path, line);
    free(text);
    return rc;
}

static void free_words(char **words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        free(words[i]);
    free(words);
}

static char **copy_words(const json_t *array)
{
    size_t count = json_array_size(array);
    char **words = calloc(count + 1, sizeof(*words));

    for (size_t i = 0; words != NULL && i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        words[i] = strdup(text != NULL ? text : "");
        if (words[i] == NULL) {
            free_words(words);
            return NULL;
        }
    }
    return words;
}

/* Room for one more item, zeroed; NULL when memory is short. */
static void *grown(void **items, size_t *count, size_t bytes)
{
    char *more = *items;

    if ((*count & (*count - 1)) == 0) { /* full at each power of two */
        more = realloc(*items, (*count > 0 ? 2 * *count : 1) * bytes);
        if (more == NULL)
            return NULL;
        *items = more;
    }
    more += (*count)++ * bytes;
    memset(more, 0, bytes);
    return more;
}

static void copy_text(const json_t *root, const char *name, char *to, size_t bytes)
{
    const char *text = json_string_value(json_object_get(root, name));

    snprintf(to, bytes, "%s", text != NULL ? text : "");
}

static int take_truth(void *self, const char *line, size_t bytes, struct error *err)
{
    struct score *score = self;
    json_error_t at;
    json_t *root = json_loadb(line, bytes, 0, &at);
    void *items = score->faults;
    struct score_fault *fault;
    int rc = 0;

    if (!json_is_object(root)) {
        error_set(err, "not a line of truth: %s", root == NULL ? at.text : "not an object");
        rc = -EINVAL;
    } else if (json_object_get(root, "stream_end") != NULL) {
        score->stream_end_ms = (int64_t)json_integer_value(json_object_get(root, "stream_end"));
        score->events_sent = (uint64_t)json_integer_value(json_object_get(root, "events"));
    } else if ((fault = grown(&items, &score->fault_count, sizeof(*fault))) == NULL) {
        error_set(err, "out of memory");
        rc = -ENOMEM;
    } else {
        score->faults = items;
        copy_text(root, "kind", fault->kind, sizeof(fault->kind));
        copy_text(root, "root_kind", fault->root_kind, sizeof(fault->root_kind));
        copy_text(root, "root", fault->root, sizeof(fault->root));
        copy_text(root, "key", fault->key, sizeof(fault->key));
        fault->start_ms = (int64_t)json_integer_value(json_object_get(root, "start"));
        fault->end_ms = (int64_t)json_integer_value(json_object_get(root, "end"));
        fault->rules = copy_words(json_object_get(root, "rules"));
        fault->affected = copy_words(json_object_get(root, "affected"));
        fault->caught_by = SIZE_MAX;
        if (fault->rules == NULL || fault->affected == NULL) {
            error_set(err, "out of memory");
            rc = -ENOMEM;
        }
    }
    json_decref(root);
    return rc;
}

/* The pages of one channel, for each_line(). */
struct taken_pages {
    struct score *score;
    enum page_channel channel;
};

static struct score_incident *find_incident(struct score *score, const char *id)
{
    for (size_t i = score->incident_count; i > 0; i--)
        if (strcmp(score->incidents[i - 1].opened.id, id) == 0)
            return &score->incidents[i - 1];
    return NULL;
}

static int take_page(void *self, const char *line, size_t bytes, struct error *err)
{
    struct taken_pages *taken = self;
    struct score *score = taken->score;
    void *items = score->incidents;
    struct score_incident *incident;
    struct page page;
    int rc = page_from_line(&page, line, bytes, err);

    if (rc != 0 || page.channel != taken->channel)
        return rc;
    incident = find_incident(score, page.id);
    if (incident == NULL && (page.kind == PAGE_RESOLVE || page.kind == PAGE_ACK))
        return 0; /* its opening was before the file began */
    if (incident == NULL) {
        incident = grown(&items, &score->incident_count, sizeof(*incident));
        if (incident == NULL) {
            error_set(err, "out of memory");
            return -ENOMEM;
        }
        score->incidents = items;
        incident->opened = page;
        incident->fault = SIZE_MAX;
    }
    incident->update_count += page.kind == PAGE_UPDATE;
    if (page.kind == PAGE_RESOLVE)
        incident->resolved_ms = page.received_ms;
    return 0;
}

static bool has_word(char *const *words, const char *word)
{
    for (size_t i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static bool is_in_time(const struct score_fault *fault, const struct page *page)
{
    return page->opened_ms >= fault->start_ms && page->opened_ms <= fault->end_ms + SCORE_GRACE_MS;
}

/* A word of the truth is "host:db01", a key is "tenant=acme host=db01". */
static bool is_about(const struct score_fault *fault, const char *key)
{
    while (*key != '\0') {
        size_t token = strcspn(key, " ");
        const char *value = memchr(key, '=', token);
        size_t length = value != NULL ? (size_t)(key + token - ++value) : 0;
        for (size_t i = 0; value != NULL && fault->affected[i] != NULL; i++) {
            const char *name = strchr(fault->affected[i], ':');
            if (name != NULL && strlen(name + 1) == length && memcmp(name + 1, value, length) == 0)
                return true;
        }
        key += token;
        key += *key == ' ';
    }
    return false;
}

static void judge(struct score *score, size_t index)
{
    struct score_incident *incident = &score->incidents[index];
    const struct page *page = &incident->opened;

    for (size_t i = 0; i < score->fault_count; i++) {
        struct score_fault *fault = &score->faults[i];
        if (fault->caught_by != SIZE_MAX || !is_in_time(fault, page) ||
            !has_word(fault->rules, page->rule) || strcmp(fault->key, page->key) != 0)
            continue;
        fault->caught_by = index;
        incident->fault = i;
        incident->verdict = SCORE_CATCHES;
        score->caught++;
        return;
    }
    for (size_t i = 0; i < score->fault_count; i++) {
        struct score_fault *fault = &score->faults[i];
        if (!is_in_time(fault, page) ||
            (strcmp(fault->key, page->key) != 0 && !is_about(fault, page->key)))
            continue;
        fault->side_count++;
        incident->fault = i;
        incident->verdict = SCORE_SIDE;
        score->side++;
        return;
    }
    incident->verdict = SCORE_FALSE;
    score->wrong++;
}

static int compare_ms(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

static int64_t page_ms(const struct score *score, const struct score_fault *fault)
{
    return score->incidents[fault->caught_by].opened.received_ms - fault->start_ms;
}

static void take_times(struct score *score)
{
    int64_t *times = calloc(score->caught + 1, sizeof(*times));
    size_t count = 0;

    if (times == NULL)
        return; /* the median stays unknown; the verdicts do not need it */
    for (size_t i = 0; i < score->fault_count; i++)
        if (score->faults[i].caught_by != SIZE_MAX)
            times[count++] = page_ms(score, &score->faults[i]);
    qsort(times, count, sizeof(*times), compare_ms);
    if (count > 0) {
        score->page_ms_median = times[(count - 1) / 2];
        score->page_ms_worst = times[count - 1];
    }
    free(times);
}

static void fault_release(struct score_fault *fault)
{
    free_words(fault->rules);
    free_words(fault->affected);
}

/* A stream that was interrupted never sent the faults planned for later. */
static void drop_faults_never_sent(struct score *score)
{
    size_t kept = 0;

    if (score->stream_end_ms == 0)
        return;
    for (size_t i = 0; i < score->fault_count; i++) {
        if (score->faults[i].start_ms <= score->stream_end_ms)
            score->faults[kept++] = score->faults[i];
        else
            fault_release(&score->faults[i]);
    }
    score->fault_count = kept;
}

/* The stream ended before the fault did, and before it was found. */
static bool is_cut_off(const struct score *score, const struct score_fault *fault)
{
    return fault->caught_by == SIZE_MAX && score->stream_end_ms != 0 &&
           fault->end_ms > score->stream_end_ms;
}

int score_load(struct score *score, const char *truth_path, const char *pages_path,
               enum page_channel channel, struct error *err)
{
    struct taken_pages taken = {score, channel};
    int rc;

    *score = (struct score){0};
    rc = each_line(truth_path, take_truth, score, err);
    if (rc == 0)
        rc = each_line(pages_path, take_page, &taken, err);
    if (rc != 0) {
        score_release(score);
        return rc;
    }
    drop_faults_never_sent(score);
    for (size_t i = 0; i < score->incident_count; i++)
        judge(score, i);
    for (size_t i = 0; i < score->fault_count; i++)
        score->cut_off += is_cut_off(score, &score->faults[i]);
    score->missed = score->fault_count - score->caught - score->cut_off;
    take_times(score);
    return 0;
}

void score_release(struct score *score)
{
    for (size_t i = 0; i < score->fault_count; i++)
        fault_release(&score->faults[i]);
    free(score->faults);
    free(score->incidents);
    *score = (struct score){0};
}

static void print_fault(const struct score *score, const struct score_fault *fault, FILE *to,
                        bool has_colour)
{
    const struct score_incident *by;
    char resolved[32] = "still open";

    fprintf(to, "  %-17s %-16s ", fault->kind, fault->root);
    if (is_cut_off(score, fault)) {
        fprintf(to, "had just begun\n");
        return;
    }
    if (fault->caught_by == SIZE_MAX) {
        fprintf(to, "%smissed%s\n", has_colour ? "\033[1;31m" : "", has_colour ? "\033[0m" : "");
        return;
    }
    by = &score->incidents[fault->caught_by];
    if (by->resolved_ms > 0)
        snprintf(resolved, sizeof(resolved), "%.1f s",
                 (double)(by->resolved_ms - by->opened.received_ms) / 1000);
    plain_printf(to, "%-2s %-15.15s %7.1f s %10s", by->opened.priority, by->opened.rule,
                 (double)page_ms(score, fault) / 1000, resolved);
    if (fault->side_count > 0)
        fprintf(to, "   +%u", fault->side_count);
    fputc('\n', to);
}

static void print_false(const struct page *page, const char *bad, const char *off, FILE *to)
{
    fprintf(to, "  %sfalse%s  ", bad, off);
    plain_printf(to, "%s %s: %s (%s)", page->priority, page->rule, page->title, page->key);
    fputc('\n', to);
}

void score_print(const struct score *score, FILE *to, bool has_colour)
{
    const char *dim = has_colour ? "\033[2m" : "";
    const char *good = has_colour ? "\033[1;32m" : "";
    const char *bad = has_colour ? "\033[1;31m" : "";
    const char *off = has_colour ? "\033[0m" : "";
    bool is_good = score->missed == 0 && score->wrong == 0;

    fprintf(to, "%s  %-17s %-16s %-18s %9s %10s%s\n", dim, "fault", "root", "caught by", "paged in",
            "open for", off);
    for (size_t i = 0; i < score->fault_count; i++) {
        bool is_old = i + SCORE_ROWS_MAX < score->fault_count;
        if (!is_old || score->faults[i].caught_by == SIZE_MAX)
            print_fault(score, &score->faults[i], to, has_colour);
    }
    if (score->fault_count > SCORE_ROWS_MAX)
        fprintf(to, "  %sonly the last %d and all missed ones are shown%s\n", dim, SCORE_ROWS_MAX,
                off);
    for (size_t i = 0; i < score->incident_count; i++) {
        const struct page *page = &score->incidents[i].opened;
        if (score->incidents[i].verdict == SCORE_FALSE)
            print_false(page, bad, off, to);
    }
    fprintf(to, "\n  %s%zu of %zu fault%s caught, %zu missed, %zu false%s", is_good ? good : bad,
            score->caught, score->caught + score->missed, plural(score->caught + score->missed),
            score->missed, score->wrong, off);
    if (score->side > 0)
        fprintf(to, "; %zu more incident%s of these faults", score->side, plural(score->side));
    if (score->caught > 0)
        fprintf(to, "\n  time to page: median %.1f s, worst %.1f s",
                (double)score->page_ms_median / 1000, (double)score->page_ms_worst / 1000);
    fprintf(to, "\n");
}
