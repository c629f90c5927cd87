/*
 * isa_digest.c - prints what each instruction set of this processor answers, as one number a
 * chapter of isa_answers.h: equal on any machine, so that one can be held against another.
 *
 * usage: isa_digest [SEED]
 */
#include <inttypes.h>
#include "tests/isa_answers.h"

int main(int argc, char **argv)
{
    static uint64_t answer[ISA_ITEMS];
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;

    for (unsigned isa = 0; isa < ISA_COUNT; isa++) {
        if (!isa_is_supported((enum isa)isa))
            continue;
        isa_use((enum isa)isa);
        printf("%s", isa_name((enum isa)isa));
        for (unsigned c = 0; c < ISA_CHAPTERS; c++) {
            isa_chapters[c].answer(seed, answer);
            printf(" %s=%016" PRIx64, isa_chapters[c].name, hash64(answer, sizeof(answer), 0));
        }
        printf("\n");
    }
    return 0;
}
