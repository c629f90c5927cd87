/*
 * commands.c - one row for each subcommand. A new command is its own file
 * daemon/cmd_<name>.c and one row here; help, the nearest name of a mistyped word
 * and the test that walks the table come from the row.
 */
#include "daemon/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/options.h"
#include "base/isa.h"
#include "base/nearest.h"

static const struct command commands[] = {
    {"ack", "says that somebody has taken incidents on: nobody is paged on for them", cmd_ack},
    {"audit", "lists who pushed what into a daemon and had it do what, when and from where",
     cmd_audit},
    {"broker", "runs a small Kafka broker in memory, for demos and tests", cmd_broker},
    {"check", "validates configuration, rules and sinks, and starts nothing", cmd_check},
    {"close", "closes incidents by hand, whatever their rule says", cmd_close},
    {"demo", "runs broker, daemon, pager and a synthetic estate in one terminal", cmd_demo},
    {"diff", "runs two sets of rules over the same events and tells what changes", cmd_diff},
    {"digest", "prints a digest of what a data directory says was told", cmd_digest},
    {"fsck", "reads a data directory and says whether it is whole", cmd_fsck},
    {"generate", "writes the events of a synthetic estate with faults of known truth",
     cmd_generate},
    {"history", "lists incidents, and tells the story of one and who was told what", cmd_history},
    {"import", "converts rules of Sigma and of Prometheus Alertmanager into a rule file",
     cmd_import},
    {"incidents", "lists what is open in a unit, out of its shared store", cmd_incidents},
    {"ledger", "prints what a data directory has counted", cmd_ledger},
    {"publish", "puts recorded input back into Kafka, with its times and partitions", cmd_publish},
    {"push", "pushes events into a running daemon, over HTTP", cmd_push},
    {"receive", "receives pages on this machine and shows them as they arrive", cmd_receive},
    {"record", "keeps a stretch of Kafka topics in a file, for replay", cmd_record},
    {"redrive", "lists changes that sinks were not told of, and sends them again", cmd_redrive},
    {"replay", "runs recorded input through the engine and prints incident log and ledger",
     cmd_replay},
    {"run", "the daemon: events from Kafka in, incidents out", cmd_run},
    {"silence", "makes, ends and lists silences by hand", cmd_silence},
    {"test", "runs rule tests: events on a virtual clock, and the incidents they must open",
     cmd_test},
    {"why", "tells why an incident opened", cmd_why},
    {"whynot", "tells why an event or a key opened no incident", cmd_whynot},
};

static const size_t command_count = sizeof(commands) / sizeof(commands[0]);

const struct command *commands_list(size_t *count)
{
    *count = command_count;
    return commands;
}

static void print_help(void)
{
    static const int codes[] = {EXIT_OK,       EXIT_CHANGED,     EXIT_USAGE,     EXIT_DATA,
                                EXIT_NO_INPUT, EXIT_UNAVAILABLE, EXIT_INTERNAL,  EXIT_SYSTEM,
                                EXIT_LOCKED,   EXIT_IO,          EXIT_OVERTAKEN, EXIT_CONFIG};

    printf("tocsin reads monitoring events from Kafka, folds repeats, correlates what belongs\n"
           "together in sliding windows, and opens incidents in paging and ticketing systems.\n\n"
           "Usage: tocsin COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; i < command_count; i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].summary);
    printf(
        "\nOptions:\n"
        "  --help       Prints this; `tocsin COMMAND --help` prints a command's options.\n"
        "  --version    Prints the version, and which instruction set of the processor is used.\n"
        "\nEnvironment:\n"
        "  TOCSIN_ISA   Another instruction set of this processor than its largest; --version "
        "lists them.\n"
        "\nExit codes:\n");
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        printf("  %-12d %s\n", codes[i], exit_code_meaning(codes[i]));
}

static int unknown_command(const char *name)
{
    const char *names[sizeof(commands) / sizeof(commands[0]) + 3], *near;
    size_t count = 0;

    for (size_t i = 0; i < command_count; i++)
        names[count++] = commands[i].name;
    names[count++] = "--help";
    names[count++] = "--version";
    names[count++] = "help";
    near = nearest_name((struct text){name, (uint32_t)strlen(name)}, names, count);
    if (near != NULL)
        fprintf(stderr, "tocsin: unknown command '%s'; did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "tocsin: unknown command '%s'; `tocsin --help` lists them\n", name);
    return EXIT_USAGE;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* `tocsin help NAME` is `tocsin NAME --help`. */
static int help(int argc, char **argv)
{
    char *as_option[] = {NULL, (char *)"--help", NULL};
    const struct command *command;

    if (argc < 2) {
        print_help();
        return EXIT_OK;
    }
    command = find(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    as_option[0] = argv[1];
    return command->run(2, as_option);
}

static void print_version(void)
{
    char list[ISA_LIST_BYTES];

    printf("tocsin " TOCSIN_VERSION "\n");
    printf("instruction set %s; what this processor has: %s\n", isa_name(isa_chosen()),
           isa_list(list));
}

/* False: the environment asks for an instruction set that cannot be used here, which is said. */
static bool choose_isa(void)
{
    const char *wanted = getenv("TOCSIN_ISA");
    struct error err;

    if (wanted == NULL || wanted[0] == '\0' || isa_choose(wanted, &err) == 0)
        return true;
    fprintf(stderr, "tocsin: TOCSIN_ISA: %s\n", err.text);
    return false;
}

static int run(int argc, char **argv)
{
    const struct command *command;

    if (!choose_isa())
        return EXIT_USAGE;
    if (argc < 2) {
        fprintf(stderr, "tocsin: a command is missing; `tocsin --help` lists them\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
        return EXIT_OK;
    }
    if (strcmp(argv[1], "help") == 0)
        return help(argc - 1, argv + 1);
    command = find(argv[1]);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}

/* What a command printed may be in a buffer still, and nobody would learn that it was lost. */
int commands_run(int argc, char **argv)
{
    int code = run(argc, argv);
    bool is_lost = fflush(stdout) != 0 || ferror(stdout) != 0;

    if (!is_lost || (code != EXIT_OK && code != EXIT_CHANGED))
        return code;
    fprintf(stderr, "tocsin: standard output cannot be written: %s\n", strerror(errno));
    return EXIT_IO;
}
