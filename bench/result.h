/*
 * result.h - for benches: what a run has to say, for people as lines on the standard output, and
 * for `./dev bench` as lines of JSON appended to the file that TOCSIN_BENCH_RESULT names, if it
 * does:
 *
 *   {"bench": "ring", "workload": "100000000 items a run, ..."}
 *   {"bench": "ring", "figure": "ratio", "what": "...", "unit": "", "samples": [1.5, ...]}
 *   {"bench": "latency", "curve": "lone", "what": "...", "unit": "ms", "count": 100,
 *    "points": [[0.5, 241.1], ...]}
 *   {"bench": "ring", "answer": "right", "said": "every sum right"}
 *
 * What a figure is held against is not said here but in bench/goals.csv, by bench and figure.
 *
 * Errors: a file that cannot be written ends the process with code 74.
 * Thread: one.
 */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* First of all: the bench by the name that `./dev bench` knows it by, and what it runs on. */
__attribute__((format(printf, 2, 3))) void result_begin(const char *bench, const char *workload,
                                                        ...);

/* One figure: `id` for tables, unique in a bench, of letters, digits, '-' and '.'; `what` for
 * people; a sample of each round, in their order, which stays as it is. An empty unit: a ratio. */
void result_figure(const char *id, const char *what, const char *unit, const double *samples,
                   int count);
/* The same, of one sample. */
void result_one(const char *id, const char *what, const char *unit, double value);

/* How values are spread, for a plot: what share of them is no more than what. Sorts them, which are
 * one at least. */
void result_curve(const char *id, const char *what, const char *unit, double *values, int count);

/* The value of `values`, which are sorted and one at least, that a share of them does not pass. */
double result_quantile(const double *values, int count, double share);

/* What could not be measured here, and why. */
void result_absent(const char *id, const char *what, const char *why);

/* Last of all: whether what came out was what had to come out, and what that was. The exit code. */
__attribute__((format(printf, 2, 3))) int result_answer(bool is_right, const char *said, ...);

#ifdef __cplusplus
}
#endif

#endif
