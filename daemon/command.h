/*
 * command.h - one subcommand of the binary: `tocsin NAME ...`.
 *
 * Each command is one file daemon/cmd_<name>.c with one row in the table of
 * daemon/commands.c; help is made from the rows.
 */
#ifndef DAEMON_COMMAND_H
#define DAEMON_COMMAND_H

/* Exit codes of every command, after sysexits(3); listed in `--help`. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_CHANGED = 1,      /* a check or a comparison found something */
    EXIT_USAGE = 64,       /* a wrong option or argument */
    EXIT_DATA = 65,        /* input or data directory is not what it must be */
    EXIT_NO_INPUT = 66,    /* a named file cannot be read */
    EXIT_UNAVAILABLE = 69, /* a service that is needed does not answer */
    EXIT_INTERNAL = 70,    /* a mistake of ours */
    EXIT_SYSTEM = 71,      /* out of memory or threads */
    EXIT_LOCKED = 73,      /* the data directory is in use */
    EXIT_IO = 74,          /* a write or sync failed */
    EXIT_OVERTAKEN = 75,   /* the unit has another owner: a start stands by for it */
    EXIT_CONFIG = 78,      /* configuration or rules refused */
};

struct command {
    const char *name;
    const char *summary;               /* one line */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
};

#endif
