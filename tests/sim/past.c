/* past.c - see past.h. */
#include "sim/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/data_look.h"
#include "sim/disk.h"
#include "sim/errand.h"
#include "sim/world.h"
#include "store/history_files.h"

#define ANEW DISK_FOLDER "/anew.db"

enum { PAST_SAME, PAST_BEHIND, PAST_DIFFERS };

/* What stands in a table, a row a line. */
static void write_rows(struct sql *sql, const char *table, FILE *to)
{
    struct sql_query *query;
    struct error err = {""};
    char text[2048], columns[1024];

    snprintf(text, sizeof(text),
             "SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ') "
             "FROM pragma_table_info('%s')",
             table);
    if (sql_prepare(sql, text, &query, &err) != 0 || sql_step(query, &err) != 1)
        abort();
    snprintf(columns, sizeof(columns), "%s", sql_text(query, 0));
    sql_query_release(query);
    snprintf(text, sizeof(text), "SELECT %s AS line FROM %s ORDER BY 1", columns, table);
    if (sql_prepare(sql, text, &query, &err) != 0)
        abort();
    fprintf(to, "%s\n", table);
    while (sql_step(query, &err) == 1)
        fprintf(to, "%s\n", sql_text(query, 0));
    sql_query_release(query);
}

/* The caller frees it. NULL: it cannot be read, with a sentence. */
static char *rows_of(const char *path, struct id128 directory, struct history_state *state,
                     struct error *err)
{
    static const char *const tables[] = {"incident", "change", "member", "notification"};
    enum history_refusal why;
    struct history *history;
    char *all = NULL;
    size_t bytes;
    FILE *to;

    if (history_open(path, directory, HISTORY_READ, &history, &why, err) != 0)
        return NULL;
    history_state(history, state);
    to = open_memstream(&all, &bytes);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        write_rows(history_sql(history), tables[i], to);
    fclose(to);
    history_close(history);
    return all;
}

/* The first line in which they differ. */
static int compare(const char *there, const char *anew)
{
    char *why = world->report.sentence;

    while (*there != '\0' && *anew != '\0') {
        size_t a = strcspn(there, "\n"), b = strcspn(anew, "\n");
        if (a != b || memcmp(there, anew, a) != 0)
            break;
        there += a + 1;
        anew += b + 1;
    }
    if (*there == '\0' && *anew == '\0')
        return PAST_SAME;
    snprintf(why, sizeof(world->report.sentence), "it has %.*s, and made anew %.*s",
             (int)(strcspn(there, "\n") % 220), there, (int)(strcspn(anew, "\n") % 220), anew);
    return PAST_DIFFERS;
}

static int look(void)
{
    const struct history_limits limits = {0};
    struct history_rebuilt rebuilt;
    struct history_state there, made;
    struct data_look look;
    struct error err = {""};
    char path[WORLD_PATH_BYTES], *rows = NULL, *anew = NULL;
    int result = PAST_DIFFERS;

    snprintf(path, sizeof(path), "%s/" HISTORY_FILE, disk_data());
    if (data_look_open(&look, disk_data(), &err) == 0)
        rows = rows_of(path, look.dir.id, &there, &err);
    if (rows != NULL && history_rebuild(ANEW, &look.segments, &limits, &rebuilt, &err) == 0)
        anew = rows_of(ANEW, look.dir.id, &made, &err);
    if (anew == NULL)
        snprintf(world->report.sentence, sizeof(world->report.sentence), "%.500s", err.text);
    else if (there.place.frame < made.place.frame)
        result = PAST_BEHIND;
    else
        result = compare(rows, anew);
    host()->unlink(host()->self, ANEW);
    free(rows);
    free(anew);
    return result;
}

bool past_is_same(bool *is_behind, char why[512])
{
    const struct life_report report = world->report;
    int result = errand_run(look);

    snprintf(why, 512, "%.511s", world->report.sentence);
    world->report = report;
    *is_behind = result == PAST_BEHIND;
    return result == PAST_SAME || result == PAST_BEHIND;
}
