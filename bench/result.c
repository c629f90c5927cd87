/*
 * result.c - see result.h.
 */
#include "bench/result.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "bench/figures.h"

static const char *bench_name = "?";

/* Appends one object, which it takes. */
static void tell(json_t *object)
{
    const char *path = getenv("TOCSIN_BENCH_RESULT");

    if (path != NULL && path[0] != '\0') {
        FILE *file = fopen(path, "a");
        bool is_told = file != NULL && json_dumpf(object, file, JSON_REAL_PRECISION(9)) == 0 &&
                       fputc('\n', file) != EOF;
        if ((file != NULL && fclose(file) != 0) || !is_told) {
            fprintf(stderr, "bench_%s: %s cannot be written\n", bench_name, path);
            exit(EX_IOERR);
        }
    }
    json_decref(object);
}

static json_t *object_of(const char *key, const char *value)
{
    return json_pack("{s:s, s:s}", "bench", bench_name, key, value);
}

void result_begin(const char *bench, const char *workload, ...)
{
    char text[1024];
    va_list list;

    bench_name = bench;
    va_start(list, workload);
    vsnprintf(text, sizeof(text), workload, list);
    va_end(list);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("bench_%s: %s\n", bench, text);
    tell(object_of("workload", text));
}

void result_figure(const char *id, const char *what, const char *unit, const double *samples,
                   int count)
{
    json_t *object = object_of("figure", id), *list = json_array();
    double *sorted = calloc((size_t)count, sizeof(sorted[0])), median;

    if (sorted == NULL || count < 1)
        abort();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_real(sorted[i] = samples[i]));
    median = bench_median(sorted, count);
    printf("  %-56s %10.4g %s", what, median, unit);
    if (count > 1)
        printf("%s[%.4g .. %.4g]", unit[0] != '\0' ? "  " : " ", sorted[0], sorted[count - 1]);
    printf("\n");
    free(sorted);
    json_object_set_new(object, "what", json_string(what));
    json_object_set_new(object, "unit", json_string(unit));
    json_object_set_new(object, "samples", list);
    tell(object);
}

void result_one(const char *id, const char *what, const char *unit, double value)
{
    result_figure(id, what, unit, &value, 1);
}

double result_quantile(const double *values, int count, double share)
{
    double rank = ceil(share * count); /* nearest rank: a value that was measured */

    return values[rank < 1 ? 0 : rank > count ? count - 1 : (int)rank - 1];
}

void result_curve(const char *id, const char *what, const char *unit, double *values, int count)
{
    json_t *object = object_of("curve", id), *points = json_array();

    qsort(values, (size_t)count, sizeof(values[0]), bench_double_order);
    /* A tenth of a decade of what is beyond it at a time, as far as there are values. */
    for (int i = 0; i <= 60 && pow(10, -0.1 * i) * count >= 1; i++) {
        double share = 1 - pow(10, -0.1 * i);
        json_array_append_new(points,
                              json_pack("[f, f]", share, result_quantile(values, count, share)));
    }
    json_array_append_new(points, json_pack("[f, f]", 1.0, values[count - 1]));
    json_object_set_new(object, "what", json_string(what));
    json_object_set_new(object, "unit", json_string(unit));
    json_object_set_new(object, "count", json_integer(count));
    json_object_set_new(object, "points", points);
    tell(object);
}

void result_absent(const char *id, const char *what, const char *why)
{
    json_t *object = object_of("figure", id);

    printf("  %-56s not measured: %s\n", what, why);
    json_object_set_new(object, "what", json_string(what));
    json_object_set_new(object, "absent", json_string(why));
    tell(object);
}

int result_answer(bool is_right, const char *said, ...)
{
    const char *word = is_right ? "right" : "WRONG";
    char text[1024];
    va_list list;
    json_t *object = object_of("answer", is_right ? "right" : "wrong");

    va_start(list, said);
    vsnprintf(text, sizeof(text), said, list);
    va_end(list);
    printf("  answer check: %s (%s)\n", word, text);
    json_object_set_new(object, "said", json_string(text));
    tell(object);
    return is_right ? 0 : 1;
}
