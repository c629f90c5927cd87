/* progress.c - see progress.h. */
#include "daemon/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"

#define TERMINAL_NS UINT64_C(200000000)
#define LINES_NS UINT64_C(5000000000)

void progress_begin(struct progress *progress, const char *unit, bool is_wanted, bool is_quiet)
{
    bool is_terminal = isatty(STDERR_FILENO) != 0;

    *progress = (struct progress){.is_on = is_wanted || (is_terminal && !is_quiet),
                                  .is_terminal = is_terminal,
                                  .begin_ns = host_mono_ns(),
                                  .unit = unit};
}

/* Units are given in the plural: a single word loses its s for one. */
static int unit_length(const struct progress *progress, uint64_t count)
{
    return (int)strlen(progress->unit) - (count == 1 && strchr(progress->unit, ' ') == NULL);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
    uint64_t now_ns = host_mono_ns();
    double seconds = (double)(now_ns - progress->begin_ns) / 1e9;

    if (!progress->is_on ||
        (progress->shown_ns != 0 &&
         now_ns - progress->shown_ns < (progress->is_terminal ? TERMINAL_NS : LINES_NS)))
        return;
    progress->shown_ns = now_ns;
    fprintf(stderr, "%s%" PRIu64, progress->is_terminal ? "\r" : "", done);
    if (total > 0)
        fprintf(stderr, " of %" PRIu64 " %.*s, %.0f %%", total, unit_length(progress, total),
                progress->unit, 100.0 * (double)done / (double)total);
    else
        fprintf(stderr, " %.*s", unit_length(progress, done), progress->unit);
    fprintf(stderr, ", %.1f s", seconds);
    if (total > done && done > 0)
        fprintf(stderr, ", %.0f s to go", seconds * (double)(total - done) / (double)done);
    fputs(progress->is_terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
    progress->has_line = progress->is_terminal;
}

void progress_end(struct progress *progress)
{
    if (progress->has_line)
        fputs("\r\033[K", stderr);
    progress->has_line = false;
}
