/*
 * peers_list.h - for benches: one list of events as several systems read it, and its one right
 * answer.
 *
 * The job: an alert, which is what a host is told of by one check, counts once in 300 s however
 * often it comes; a host with five different alerts within 60 s is an incident, one, for as long as
 * the list goes on.
 *
 * The list: 750 hosts, 30 s, each alert first once and then again and again at random. Of every
 * three hosts two have eight alerts and are incidents; the third has four, which come back as
 * often, so whoever counts what comes again takes it for one. All goes by within 60 s for those
 * that know no time but their own clock's, too, if they read it within that.
 *
 * Thread: one.
 */
#ifndef BENCH_PEERS_LIST_H
#define BENCH_PEERS_LIST_H

#include <stdbool.h>
#include <stddef.h>

enum { LIST_HOSTS = 750, LIST_INCIDENTS = 500, LIST_ALERTS = 5000 };

/* Writes so many events, LIST_ALERTS or more, into the folder that the process is in: list.txt, a
 * line of key=value pairs each; list.jsonl, the same facts as events of ours; and those once more
 * dealt out to part-00.jsonl and on, so many as `parts`, 100 at most. Bytes of an event in both
 * forms. Errors: a file that cannot be written ends the bench. */
void list_write(long events, int parts, double *text_bytes, double *json_bytes);

/* What somebody answered. */
struct list_answer {
    unsigned times[LIST_HOSTS]; /* how often each host was said to be an incident */
    unsigned long strange;      /* lines that name no host of the list */
};

/* Reads a file of lines, a host each; or an incident log of ours. False, with *why, where there is
 * no such file. */
bool list_answer_read(const char *path, struct list_answer *answer, char *why, size_t bytes);
bool list_answer_read_log(const char *path, struct list_answer *answer, char *why, size_t bytes);

/* Whether it is the right one; else *why says what is wrong with it. */
bool list_answer_is_right(const struct list_answer *answer, char *why, size_t bytes);

#endif
