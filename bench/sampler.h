/*
 * sampler.h - for benches: on what the engine's threads spend their CPU, by stage.
 *
 * Each thread that joins is interrupted whenever it has used another millisecond of CPU, and where
 * it stood is noted; its system calls and page faults count for the function that made them. The
 * program's own symbols tell which stage that function is of, by the table in sampler.c. Functions
 * that the compiler inlined count for those that they went into, those of libc for nobody but it.
 *
 * A kernel looks at CPU timers when its own clock ticks, so there are 100 to 1,000 samples for each
 * second of CPU: shares of a few runs put together are good to a percent or two.
 *
 * Thread: start, reset and shares by the thread that measures; join by each that is measured.
 */
#ifndef BENCH_SAMPLER_H
#define BENCH_SAMPLER_H

enum sample_stage {
    SAMPLE_CLIENT, /* drain: taking from the client library, and giving back, its memory included */
    SAMPLE_LIBC,   /* nearly all of it the client library's locks; sleeping, copying */
    SAMPLE_DECODE, /* bytes to a draft */
    SAMPLE_PACK,   /* a draft to an event's words */
    SAMPLE_HASH,   /* identity and attributes */
    SAMPLE_BINS,   /* room in bins, and freeing it */
    SAMPLE_INGEST, /* the loop over feeds and records, effective time, accounting */
    SAMPLE_SORT,
    SAMPLE_DEDUP,
    SAMPLE_RULES, /* matching, windows, incidents */
    SAMPLE_SEAL,  /* watermark, seals, epochs, steps; waiting for other workers */
    SAMPLE_REST,
    SAMPLE_STAGES,
};

extern const char *const sample_stage_name[SAMPLE_STAGES]; /* for figures: a word each */

/* From now on. What was noted before is forgotten. */
void sampler_reset(void);

/* This thread is measured until it ends. */
void sampler_join(void);

/* The share of each stage in all samples since the reset; 0 of all where there is none. */
void sampler_shares(double share[SAMPLE_STAGES]);

#endif
