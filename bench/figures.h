/*
 * figures.h - for benches: clocks, and what several runs come to.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

double bench_cpu_s(void); /* of the process */
double bench_now_s(void); /* monotonic */
int bench_double_order(const void *a, const void *b);

/* Median of values[0..count), which it sorts. */
double bench_median(double *values, int count);

#endif
