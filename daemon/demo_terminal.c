/*
 * demo_terminal.c - what a person watches: pages as they come, and under them one line
 * of counts that is written anew.
 */
#include "daemon/demo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

const char *demo_style(const struct demo *demo, const char *code)
{
    return demo->is_terminal ? code : "";
}

void demo_status_wipe(struct demo *demo)
{
    if (demo->has_status)
        printf("\r\033[K");
    demo->has_status = false;
}

const char *demo_grouped(double number, char to[32])
{
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%.0f", number);
    int at = 0;

    for (int i = 0; i < length && at < 30; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            to[at++] = ',';
        to[at++] = digits[i];
    }
    to[at] = '\0';
    return to;
}

static int64_t traffic_ms(const struct demo *demo)
{
    return (int64_t)((host_mono_ns() - demo->start_ns) / 1000000);
}

void demo_status_show(struct demo *demo)
{
    const struct demo_sample *sample = &demo->sample;
    char events[32], text[256];
    double folded = sample->events > 0 ? 100 * sample->duplicate / sample->events : 0;

    if (!demo->has_sample)
        return;
    snprintf(text, sizeof(text),
             "%5" PRId64 " s   %s events in, %.0f %% folded   incidents %.0f opened, %.0f resolved",
             traffic_ms(demo) / 1000, demo_grouped(sample->events, events), folded, sample->opened,
             sample->closed);
    demo_status_wipe(demo);
    /* A line that wraps could not be wiped again. */
    printf("%s%.*s%s", DIM(demo), demo->width - 1, text, PLAIN(demo));
    if (demo->is_terminal)
        demo->has_status = true;
    else
        printf("\n");
    fflush(stdout);
}

void demo_receiver_line(void *self, const char *line)
{
    static const char said[] = "receiving pages on http://127.0.0.1:";
    struct demo *demo = self;

    if (demo->receiver_port == 0) {
        if (strncmp(line, said, sizeof(said) - 1) == 0)
            demo->receiver_port = (unsigned)strtoul(line + sizeof(said) - 1, NULL, 10);
        return;
    }
    if (demo->is_closing) {
        if (demo->closing_count < DEMO_CLOSING_LINES_MAX)
            snprintf(demo->closing[demo->closing_count++], sizeof(demo->closing[0]), "%s", line);
        return;
    }
    demo_status_wipe(demo);
    puts(line);
    if (demo->is_terminal)
        demo_status_show(demo);
    fflush(stdout);
}
