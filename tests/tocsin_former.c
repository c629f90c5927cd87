/*
 * tocsin_former.c - tocsin as it was before it knew of conditions that nothing can meet: what it
 * takes, and keeps in a data directory, stands for rules that a later version refuses.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/standard_files.h"
#include "daemon/commands.h"
#include "rules/impossible.h"

/* The linker puts these in front of those of the product. */
bool __wrap_impossible_check(const struct ast *ast, const struct ground *ground,
                             struct diagnostics *diag);
bool __wrap_impossible_check_key(const struct ast *const *conditions, uint32_t count,
                                 const struct ground *ground, struct diagnostics *diag);

bool __wrap_impossible_check(const struct ast *ast, const struct ground *ground,
                             struct diagnostics *diag)
{
    (void)ast;
    (void)ground;
    (void)diag;
    return true;
}

bool __wrap_impossible_check_key(const struct ast *const *conditions, uint32_t count,
                                 const struct ground *ground, struct diagnostics *diag)
{
    (void)conditions;
    (void)count;
    (void)ground;
    (void)diag;
    return true;
}

int main(int argc, char **argv)
{
    standard_files_hold();
    return commands_run(argc, argv);
}
