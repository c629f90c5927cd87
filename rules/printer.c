/* printer.c - two passes, one to count and one to write. See printer.h. */
#include "rules/printer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "rules/lookups.h"

struct printer {
    char *to; /* NULL: only count */
    size_t used;
};

static void put_bytes(struct printer *printer, const char *at, size_t bytes)
{
    if (printer->to != NULL && bytes > 0)
        memcpy(printer->to + printer->used, at, bytes);
    printer->used += bytes;
}

static void put(struct printer *printer, const char *word)
{
    put_bytes(printer, word, strlen(word));
}

static void put_quoted(struct printer *printer, struct text text)
{
    char escape[8];

    put(printer, "\"");
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\') {
            put(printer, c == '"' ? "\\\"" : "\\\\");
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            put(printer, escape);
        } else {
            put_bytes(printer, text.at + i, 1);
        }
    }
    put(printer, "\"");
}

static void put_literal(struct printer *printer, const struct ast *ast)
{
    char number[40];

    switch (ast->type) {
    case TYPE_TEXT:
        put_quoted(printer, ast->text);
        return;
    case TYPE_BOOL:
        put(printer, ast->number ? "true" : "false");
        return;
    case TYPE_DOUBLE:
        /* Hexadecimal: exact, and digits before its point are never a locale's matter,
         * since the bits are printed instead. */
        {
            uint64_t bits;
            memcpy(&bits, &ast->real, sizeof(bits));
            snprintf(number, sizeof(number), "double(0x%016" PRIx64 ")", bits);
        }
        break;
    case TYPE_DURATION:
        snprintf(number, sizeof(number), "%" PRId64 "ms", ast->number);
        break;
    case TYPE_TIME:
        snprintf(number, sizeof(number), "time(%" PRId64 ")", ast->number);
        break;
    case TYPE_SEVERITY:
        snprintf(number, sizeof(number), "severity(%" PRId64 ")", ast->number);
        break;
    default:
        snprintf(number, sizeof(number), "%" PRId64, ast->number);
    }
    put(printer, number);
}

static bool is_plain_name(struct text name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.len > 0;
}

static void put_member(struct printer *printer, struct text name)
{
    if (is_plain_name(name)) {
        put(printer, ".");
        put_bytes(printer, name.at, name.len);
    } else {
        put(printer, "[");
        put_quoted(printer, name);
        put(printer, "]");
    }
}

static void put_ast(struct printer *printer, const struct ast *ast);

static void put_children(struct printer *printer, const struct ast *ast, const char *between)
{
    for (const struct ast *child = ast->first; child != NULL; child = child->next) {
        if (child != ast->first)
            put(printer, between);
        put_ast(printer, child);
    }
}

static void put_digest(struct printer *printer, const char *kind, struct id128 digest)
{
    char hex[40];

    snprintf(hex, sizeof(hex), "(%016" PRIx64 "%016" PRIx64 ")", digest.hi, digest.lo);
    put(printer, kind);
    put(printer, hex);
}

/* A set or a column of a table is what it holds, whatever it is called. */
static bool put_lookup(struct printer *printer, const struct ast *ast)
{
    if (ast->meaning == MEANS_SET) {
        put_digest(printer, "set", ast->named_set->digest);
    } else if (ast->meaning == MEANS_TABLE) {
        put_digest(printer, "table", ast->table->digest[ast->table->key]);
    } else if (ast->meaning == MEANS_CELL) {
        put_digest(printer, "table", ast->table->digest[ast->number]);
        put(printer, "[");
        put_ast(printer, ast->first->last);
        put(printer, "]");
    } else {
        return false;
    }
    return true;
}

static void put_ast(struct printer *printer, const struct ast *ast)
{
    const char *between = ast->kind == AST_AND          ? " && "
                          : ast->kind == AST_OR         ? " || "
                          : ast->kind == AST_IN         ? " in "
                          : ast->kind == AST_ARITHMETIC ? arithmetic_sign(ast->arithmetic)
                                                        : relation_sign(ast->relation);

    if (put_lookup(printer, ast))
        return;
    switch (ast->kind) {
    case AST_LITERAL:
        put_literal(printer, ast);
        break;
    case AST_NAME:
        put_bytes(printer, ast->text.at, ast->text.len);
        break;
    case AST_MEMBER:
        put_children(printer, ast, "");
        put_member(printer, ast->text);
        break;
    case AST_CALL:
        if (ast->receiver != NULL) {
            put_ast(printer, ast->receiver);
            put(printer, ".");
        }
        put_bytes(printer, ast->text.at, ast->text.len);
        put(printer, "(");
        put_children(printer, ast, ", ");
        put(printer, ")");
        break;
    case AST_LIST:
        put(printer, "[");
        put_children(printer, ast, ", ");
        put(printer, "]");
        break;
    case AST_NOT:
    case AST_NEGATE:
        put(printer, ast->kind == AST_NOT ? "!" : "-");
        put_children(printer, ast, "");
        break;
    case AST_CHOOSE:
        put(printer, "(");
        put_ast(printer, ast->first);
        put(printer, "?");
        put_ast(printer, ast->first->next);
        put(printer, ":");
        put_ast(printer, ast->last);
        put(printer, ")");
        break;
    case AST_INDEX:
        put_ast(printer, ast->first);
        put(printer, "[");
        put_ast(printer, ast->last);
        put(printer, "]");
        break;
    default:
        put(printer, "(");
        put_children(printer, ast, between);
        put(printer, ")");
    }
}

const char *ast_print(const struct ast *ast, struct arena *arena)
{
    struct printer printer = {NULL, 0};

    put_ast(&printer, ast);
    printer.to = arena_alloc(arena, printer.used + 1);
    printer.used = 0;
    if (printer.to != NULL)
        put_ast(&printer, ast);
    return printer.to;
}

const char *label_print(struct text name, struct arena *arena)
{
    struct ast labels = {.kind = AST_NAME, .text = {"labels", 6}};
    struct ast member = {.kind = AST_MEMBER, .text = name, .first = &labels};

    return ast_print(&member, arena);
}
