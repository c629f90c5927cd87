/* meaning.c - one pass from the leaves up; what has no order is summed. See meaning.h. */
#include "rules/meaning.h"

#include <math.h>
#include <string.h>
#include "base/hash.h"
#include "rules/lookups.h"

/* What a digest is of; kinds of nodes keep their numbers. */
enum { OF_SET = 64, OF_TABLE, OF_CELL, OF_CONSTANT };

static struct id128 chain(struct id128 digest, struct id128 more)
{
    struct id128 pair[2] = {digest, more};

    return hash128(pair, sizeof(pair), 0);
}

static struct id128 chain_number(struct id128 digest, uint64_t number)
{
    return chain(digest, (struct id128){0, number});
}

static struct id128 chain_text(struct id128 digest, struct text text)
{
    return chain(digest, hash128(text.len > 0 ? text.at : "", text.len, 0));
}

static void add(struct id128 *sum, struct id128 digest)
{
    sum->lo += digest.lo;
    sum->hi += digest.hi + (sum->lo < digest.lo);
}

/* 2^63: every real number below it that is whole is a whole number of the language. */
static bool is_whole(double real)
{
    return real >= -0x1p63 && real < 0x1p63 && trunc(real) == real;
}

/* Where numbers only compare, 5 and 5.0 are one. */
static struct id128 of_constant(const struct ast *ast, bool is_compared)
{
    struct id128 digest = {OF_CONSTANT, (uint64_t)ast->type};
    uint64_t bits;

    if (ast->type == TYPE_TEXT)
        return chain_text(digest, ast->text);
    if (ast->type != TYPE_DOUBLE)
        return chain_number(digest, (uint64_t)ast->number);
    if (is_compared && is_whole(ast->real)) {
        digest.lo = TYPE_INT;
        return chain_number(digest, (uint64_t)(int64_t)ast->real);
    }
    memcpy(&bits, &ast->real, sizeof(bits));
    return chain_number(digest, bits);
}

static bool is_constant(const struct ast *ast)
{
    return ast->meaning == MEANS_CONSTANT || ast->kind == AST_LITERAL;
}

static struct id128 of_side(const struct ast *ast)
{
    return is_constant(ast) ? of_constant(ast, true) : ast_digest(ast);
}

/* The sides of a row of equal signs, whatever parentheses say. */
static void add_sides(struct id128 *sum, const struct ast *ast, enum ast_kind kind)
{
    for (const struct ast *side = ast->first; side != NULL; side = side->next)
        if (side->kind == kind)
            add_sides(sum, side, kind);
        else
            add(sum, ast_digest(side));
}

static struct id128 of_comparison(const struct ast *ast)
{
    struct id128 left = of_side(ast->first), right = of_side(ast->last), swap = left;
    enum relation relation = ast->relation;
    bool has_order = relation != RELATION_EQ && relation != RELATION_NE;
    bool is_turned = relation == RELATION_GT || relation == RELATION_GE ||
                     (!has_order && memcmp(&left, &right, sizeof(left)) > 0);

    if (is_turned) {
        left = right;
        right = swap;
        relation = relation == RELATION_GT   ? RELATION_LT
                   : relation == RELATION_GE ? RELATION_LE
                                             : relation;
    }
    return chain(chain((struct id128){AST_COMPARE, (uint64_t)relation}, left), right);
}

static struct id128 of_list(const struct ast *ast)
{
    struct id128 sum = {0, 0};

    for (const struct ast *item = ast->first; item != NULL; item = item->next)
        add(&sum, of_side(item));
    return chain((struct id128){AST_LIST, ast->count}, sum);
}

static struct id128 of_parts(const struct ast *ast)
{
    struct id128 digest = {ast->kind, ast->kind == AST_ARITHMETIC ? (uint64_t)ast->arithmetic : 0};

    digest = chain_text(digest, ast->text);
    if (ast->receiver != NULL)
        digest = chain(chain_number(digest, 1), ast_digest(ast->receiver));
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        digest = chain(digest, ast_digest(child));
    return digest;
}

struct id128 ast_digest(const struct ast *ast)
{
    struct id128 sum = {0, 0};

    if (is_constant(ast))
        return of_constant(ast, false);
    if (ast->meaning == MEANS_SET)
        return chain((struct id128){OF_SET, 0}, ast->named_set->digest);
    if (ast->meaning == MEANS_TABLE)
        return chain((struct id128){OF_TABLE, 0}, ast->table->digest[ast->table->key]);
    if (ast->meaning == MEANS_CELL)
        return chain(chain((struct id128){OF_CELL, 0}, ast->table->digest[ast->number]),
                     ast_digest(ast->first->last));
    switch (ast->kind) {
    case AST_AND:
    case AST_OR:
        add_sides(&sum, ast, ast->kind);
        return chain((struct id128){ast->kind, 0}, sum);
    case AST_COMPARE:
        return of_comparison(ast);
    case AST_IN:
        return chain(chain((struct id128){AST_IN, 0}, of_side(ast->first)),
                     ast->last->kind == AST_LIST ? of_list(ast->last) : ast_digest(ast->last));
    default:
        return of_parts(ast);
    }
}
