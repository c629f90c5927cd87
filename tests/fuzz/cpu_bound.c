/*
 * An input may cost so much time of the processor and no more: what a fuzzer's own -timeout
 * measures is the time of the wall, in which other programs of a busy machine run too.
 *
 * Linked into each fuzzer with --wrap=LLVMFuzzerTestOneInput: libFuzzer calls what stands here, and
 * this the fuzzer's own function. An input beyond the bound is kept like that of a crash.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The manual says one second; the sanitizers and the fuzzer's counters take the rest. */
#define SECONDS_MAX 3.0

int __real_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double seconds_of_processor(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double begun = seconds_of_processor();
    int answer = __real_LLVMFuzzerTestOneInput(data, size);
    double spent = seconds_of_processor() - begun;

    if (spent > SECONDS_MAX) {
        fprintf(stderr, "an input of %zu bytes took %.1f s of the processor, more than %.0f s\n",
                size, spent, SECONDS_MAX);
        abort();
    }
    return answer;
}
