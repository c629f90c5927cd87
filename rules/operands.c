/* operands.c - see operands.h. */
#include "rules/operands.h"

/* Without a default: an opcode that is new is asked for here. */
struct operands operands_of(const struct instruction *at)
{
    static const struct operands none = {.count = 0};

    switch ((enum opcode)at->op) {
    case OP_COMPARE_TEXT:
    case OP_COMPARE_NUMBER:
    case OP_COMPARE_REAL:
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
        return (struct operands){2, {&at->left, &at->right}, false};
    case OP_IN_TEXT: /* the list is of constants */
    case OP_IN_NUMBER:
    case OP_IN_REAL:
    case OP_HAS:
    case OP_LOAD:
    case OP_MATCHES:
        return (struct operands){1, {&at->left, NULL}, false};
    case OP_IN_LABELS:
    case OP_COUNT_LABELS:
    case OP_LABEL_OF:
        return (struct operands){.every_label = true};
    case OP_CONSTANT:
    case OP_NOT:
    case OP_AND:
    case OP_OR:
    case OP_COMPARE_TRUTH:
    case OP_QUIET:
    case OP_CLEARED:
    case OP_FEWER:
    case OP_COMPARE:
    case OP_IN_LIST:
    case OP_IN_ITEMS:
    case OP_SEARCH:
    case OP_ARITHMETIC:
    case OP_NEGATE:
    case OP_CHOOSE:
    case OP_SIZE:
    case OP_CONVERT:
    case OP_LOWER:
    case OP_UPPER:
    case OP_CELL:
    case OP_HAS_CELL:
    case OP_IN_TABLE:
    case OP_MATCHES_VALUE:
    case OP_TIME_PART:
        return none;
    }
    return none;
}
