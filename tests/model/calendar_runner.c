/*
 * calendar_runner.c - answers what maintenance windows say, for tests/model/run_calendars.py.
 *
 * A request is a line "BYTES COUNT", the bytes of a rule file whose first mute is a maintenance
 * window, and COUNT lines with a time in milliseconds. The answer is COUNT lines "OPEN UNTIL",
 * or one line with what is wrong with the file; then "done".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "rules/mute.h"
#include "rules/rule_set.h"

enum { BYTES_MAX = 1 << 20 };

static char text[BYTES_MAX + 1];

static int answer(size_t bytes, unsigned count)
{
    struct rule_set *set = NULL;
    struct error err = {""};
    int rc = rule_set_parse("calendar.yaml", text, bytes, &set, &err);

    for (unsigned i = 0; i < count; i++) {
        int64_t at_ms;
        if (scanf("%" SCNd64, &at_ms) != 1)
            return 1;
        if (rc != 0)
            continue;
        struct calendar_state state = mute_at(rule_set_mute(set, 0), at_ms);
        printf("%d %" PRId64 "\n", state.is_open, state.until_ms);
    }
    if (rc != 0)
        printf("%s\n", err.text);
    printf("done\n");
    fflush(stdout);
    rule_set_destroy(set);
    return 0;
}

int main(void)
{
    size_t bytes;
    unsigned count;

    while (scanf("%zu %u", &bytes, &count) == 2) {
        if (getchar() != '\n' || bytes > BYTES_MAX || fread(text, 1, bytes, stdin) != bytes)
            return 1;
        text[bytes] = '\0';
        if (answer(bytes, count) != 0)
            return 1;
    }
    return 0;
}
