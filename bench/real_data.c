/* real_data.c - see real_data.h. */
#include "bench/real_data.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench/daemon_run.h"
#include "bench/result.h"

static const struct scenario {
    const char *name;
    long events, incidents;
} scenarios[] = {{"fox", 473104, 23},
                 {"shaw", 70782, 28},
                 {"russellmitchell", 45544, 27},
                 {"wheeler", 616161, 22},
                 {"wilson", 634246, 27}};

/* Makes NAME.0.json and NAME.1.json of it. */
static bool convert(const char *folder, const char *name)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execlp("python3", "python3", AIT_ADS_TOOL, folder, name, "--output", ".", (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static long number_of(json_t *ledger, const char *part, const char *name)
{
    return (long)json_integer_value(json_object_get(json_object_get(ledger, part), name));
}

static const char *fault_of(const struct scenario *scenario)
{
    static char text[160];
    json_t *ledger = json_load_file("ledger.json", 0, NULL); /* owned */
    long events = number_of(ledger, "events", "events");
    long incidents = number_of(ledger, "incidents", "opened");

    json_decref(ledger);
    if (events == scenario->events && incidents == scenario->incidents)
        return NULL;
    snprintf(text, sizeof(text), "%s: %ld events and %ld incidents, and not %ld and %ld",
             scenario->name, events, incidents, scenario->events, scenario->incidents);
    return text;
}

static void tell(const char *name)
{
    FILE *from = fopen("replay.log", "r");
    double rate = 0, cpu = 0;
    char line[512], id[64], what[96];

    while (from != NULL && fgets(line, sizeof(line), from) != NULL)
        sscanf(line,
               "replayed %*d events in %*f s with %*d workers: %lf events/s, %lf ns CPU/event",
               &rate, &cpu);
    if (from != NULL)
        fclose(from);
    snprintf(id, sizeof(id), "rate.ait-%s", name);
    snprintf(what, sizeof(what), "ait-ads %s, a replay: rate", name);
    result_one(id, what, "k events/s", rate / 1e3);
    snprintf(id, sizeof(id), "cpu.ait-%s", name);
    snprintf(what, sizeof(what), "ait-ads %s, a replay: CPU", name);
    result_one(id, what, "ns/event", cpu);
}

const char *real_data_run(const char *folder)
{
    const char *fault = NULL;
    bool any = false;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        const char *name = scenarios[i].name;
        char path[4096], file[2][64];
        snprintf(path, sizeof(path), "%s/%s_alerts.csv.gz", folder, name);
        if (access(path, R_OK) != 0)
            continue;
        for (int p = 0; p < 2; p++)
            snprintf(file[p], sizeof(file[p]), "%s.%d.json", name, p);
        const char *const replay[] = {"replay",   "--rules",     "security",    "--json",
                                      "--ledger", "ledger.json", "--incidents", "off",
                                      file[0],    file[1],       NULL};
        any = true;
        if (!convert(folder, name) || daemon_end(daemon_begin("replay.log", replay)) != 0)
            return "the data set cannot be converted, or its replay failed: see replay.log";
        tell(name);
        const char *why = fault_of(&scenarios[i]);
        fault = fault != NULL ? fault : why;
        for (int p = 0; p < 2; p++)
            remove(file[p]);
    }
    return any ? fault : "no scenario of the data set is in the folder";
}
