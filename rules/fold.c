/* fold.c - see fold.h. */
#include "rules/fold.h"

#include "rules/program.h"

static bool is_constant(const struct ast *ast)
{
    return ast->meaning == MEANS_CONSTANT;
}

static bool are_constants(const struct ast *first)
{
    for (; first != NULL; first = first->next)
        if (!is_constant(first))
            return false;
    return true;
}

static bool is_foldable(const struct ast *ast)
{
    switch (ast->kind) {
    case AST_NOT:
    case AST_AND:
    case AST_OR:
    case AST_COMPARE:
    case AST_NEGATE:
    case AST_ARITHMETIC:
    case AST_CHOOSE:
        return are_constants(ast->first);
    case AST_IN:
        return is_constant(ast->first) && ast->last->kind == AST_LIST &&
               are_constants(ast->last->first);
    case AST_CALL:
        break;
    default:
        return false;
    }
    switch (ast->meaning) {
    case MEANS_STARTS_WITH:
    case MEANS_ENDS_WITH:
    case MEANS_CONTAINS:
    case MEANS_CONVERT:
    case MEANS_LOWER:
    case MEANS_UPPER:
    case MEANS_SIZE:
    case MEANS_TIME_PART:
        return (ast->receiver == NULL || is_constant(ast->receiver)) && are_constants(ast->first);
    default:
        return false;
    }
}

static bool become(struct ast *ast, const struct value *value, struct arena *arena)
{
    ast->kind = AST_LITERAL;
    ast->meaning = MEANS_CONSTANT;
    ast->is_folded = true;
    ast->receiver = ast->first = ast->last = NULL;
    ast->count = 0;
    if (value->type == TYPE_TEXT) {
        ast->text.at = arena_copy(arena, value->text.at, value->text.len);
        ast->text.len = value->text.len;
        return ast->text.at != NULL;
    }
    if (value->type == TYPE_DOUBLE)
        ast->real = value->real;
    else
        ast->number = value->number;
    return true;
}

/* `true ? a : b` is a. */
static void take_branch(struct ast *ast)
{
    struct ast *chosen = ast->first->number ? ast->first->next : ast->last, *next = ast->next;

    if (chosen->type != ast->type)
        return; /* a whole number that counts as a real one */
    *ast = *chosen;
    ast->next = next;
}

static bool fold_into(struct ast *ast, const struct program *program, struct text_room *room,
                      struct arena *arena, struct diagnostics *diag)
{
    struct program_input input;
    struct value value;
    const char *why = program_value(program, &input, room, &value);

    if (why != NULL) {
        diagnose(diag, ast->span, "this cannot be computed: %s", why);
        return false;
    }
    if (!become(ast, &value, arena))
        return diagnose_memory(diag) != NULL;
    return true;
}

/* Apart: its room on the stack is large, and each page of it is touched. */
static __attribute__((noinline)) bool fold_text(struct ast *ast, const struct program *program,
                                                struct arena *arena, struct diagnostics *diag)
{
    char bytes[TEXT_ROOM_BYTES];
    struct text_room room = {bytes, sizeof(bytes), 0};

    return fold_into(ast, program, &room, arena, diag);
}

bool fold(struct ast *ast, struct arena *arena, struct diagnostics *diag)
{
    struct program program;

    if (!is_foldable(ast)) {
        if (ast->kind == AST_CHOOSE && is_constant(ast->first))
            take_branch(ast);
        return true;
    }
    if (!program_compile(ast, arena, NULL, &program))
        return diagnose_memory(diag) != NULL;
    return program.makes_text ? fold_text(ast, &program, arena, diag)
                              : fold_into(ast, &program, NULL, arena, diag);
}
