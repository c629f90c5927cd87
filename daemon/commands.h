/*
 * commands.h - the table of commands and the way from argv to one of them.
 */
#ifndef DAEMON_COMMANDS_H
#define DAEMON_COMMANDS_H

#include <stddef.h>
#include "daemon/command.h"

/* The rows, in the order in which the help lists them. */
const struct command *commands_list(size_t *count);

/* What main() does: finds the command, runs it, returns the exit code. */
int commands_run(int argc, char **argv);

/* daemon/cmd_<name>.c */
int cmd_ack(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_broker(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_close(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_digest(int argc, char **argv);
int cmd_fsck(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_incidents(int argc, char **argv);
int cmd_ledger(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_push(int argc, char **argv);
int cmd_receive(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_redrive(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_silence(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_whynot(int argc, char **argv);

#endif
