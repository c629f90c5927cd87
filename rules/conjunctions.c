/* conjunctions.c - depth first, the goals being a list on the stack. See conjunctions.h. */
#include "rules/conjunctions.h"

/* More ways than this, or parts nested deeper, are taken on trust. */
enum { WAYS_MAX = 128, DEPTH_MAX = 400 };

static bool is_either(const struct ast *ast)
{
    return ast->type == TYPE_BOOL &&
           (ast->kind == AST_CHOOSE || (ast->kind == AST_COMPARE && ast->first->type == TYPE_BOOL));
}

static bool is_joined(const struct ast *ast, bool want)
{
    return ast->kind == (want ? AST_AND : AST_OR);
}

static bool is_split(const struct ast *ast, bool want)
{
    return ast->kind == (want ? AST_OR : AST_AND);
}

bool goal_is_plain(const struct ast *ast, bool want)
{
    while (ast->kind == AST_NOT) {
        ast = ast->first;
        want = !want;
    }
    return !is_split(ast, want) && !is_either(ast);
}

static bool give_up(struct search *search)
{
    search->gave_up = true;
    return true;
}

/* Apart: its room on the stack is large. */
static __attribute__((noinline)) bool look(struct search *search, bool is_complete)
{
    struct facts facts;
    bool is_possible =
        facts_gather(&facts, search->ground, search->bound, &search->now, search->work);

    if (search->work->left == 0)
        return give_up(search);
    if (is_possible && is_complete && search->each != NULL)
        search->each(search->self, &facts);
    return is_possible;
}

static bool meet(struct search *search, const struct goal *goals, unsigned depth);

/* Every goal is met: one conjunction. True ends the search. */
static bool complete(struct search *search)
{
    if (search->seen++ == WAYS_MAX)
        return give_up(search);
    return look(search, true) && (search->each == NULL || search->gave_up);
}

/* Whether a label is there may differ among events of a key: one that is absent and one that is
 * empty are the same to `by`. */
static bool asks_presence(const struct ast *ast)
{
    if (ast->meaning == MEANS_HAS || (ast->receiver != NULL && asks_presence(ast->receiver)))
        return true;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if (asks_presence(child))
            return true;
    return false;
}

static bool says_something(const struct search *search, const struct ast *ast)
{
    return search->key == NULL || (impossible_is_fixed(ast, search->key) && !asks_presence(ast));
}

static bool meet_literal(struct search *search, const struct ast *ast, bool want,
                         const struct goal *rest, unsigned depth)
{
    /* Others say nothing. */
    bool is_kept = search->now.count < LITERALS_MAX && says_something(search, ast);
    bool is_over;

    if (is_kept)
        search->now.literal[search->now.count++] = (struct literal){ast, want};
    is_over = meet(search, rest, depth);
    search->now.count -= is_kept;
    return is_over;
}

/* Ways that begin with what is impossible already are not gone. */
static bool meet_one(struct search *search, struct goal goal, unsigned depth)
{
    if (search->key == NULL && search->now.count > 0 && search->now.count < LITERALS_MAX &&
        goal.rest != NULL && goal_is_plain(goal.ast, goal.want)) {
        bool is_dead;
        search->now.literal[search->now.count++] = (struct literal){goal.ast, goal.want};
        is_dead = !look(search, false);
        search->now.count--;
        if (search->gave_up || is_dead)
            return search->gave_up;
    }
    return meet(search, &goal, depth);
}

static bool meet_any(struct search *search, const struct goal *goal, unsigned depth)
{
    for (const struct ast *side = goal->ast->first; side != NULL; side = side->next)
        if (meet_one(search, (struct goal){side, goal->want, false, goal->rest}, depth))
            return true;
    return false;
}

/* c ? p : q, and p == q of two truths. */
static bool meet_either(struct search *search, const struct goal *goal, unsigned depth)
{
    const struct ast *ast = goal->ast, *first = ast->first, *last = ast->last;
    bool chooses = ast->kind == AST_CHOOSE;
    bool is_same = (ast->relation == RELATION_EQ) == goal->want;

    for (int way = 0; way < 2; way++) {
        struct goal second = {last, chooses ? goal->want : (way == 0) == is_same, false,
                              goal->rest};
        struct goal condition = {first, way == 0, false, &second};
        if (chooses && way == 0)
            second.ast = first->next;
        if (meet(search, &condition, depth))
            return true;
    }
    return false;
}

static bool meet(struct search *search, const struct goal *goals, unsigned depth)
{
    const struct ast *ast;
    bool want;

    if (goals == NULL)
        return complete(search);
    if (depth == DEPTH_MAX || !work_take(search->work, 1))
        return give_up(search);
    ast = goals->ast;
    want = goals->want;
    depth++;
    if (goals->is_list) {
        struct goal others = {ast->next, want, true, goals->rest};
        struct goal one = {ast, want, false, ast->next != NULL ? &others : goals->rest};
        return meet(search, &one, depth);
    }
    if (ast->kind == AST_NOT)
        return meet(search, &(struct goal){ast->first, !want, false, goals->rest}, depth);
    if (is_joined(ast, want))
        return meet(search, &(struct goal){ast->first, want, true, goals->rest}, depth);
    if (is_split(ast, want))
        return meet_any(search, goals, depth);
    if (is_either(ast))
        return meet_either(search, goals, depth);
    return meet_literal(search, ast, want, goals->rest, depth);
}

bool search_goals(struct search *search, const struct goal *goals)
{
    search->now.count = search->seen = 0;
    search->gave_up = false;
    return meet(search, goals, 0) || search->gave_up;
}
