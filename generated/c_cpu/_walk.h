/* Walk: all threads of one parallel region over all tensors of a group, in one pass. */
#include "_group.h"

#ifndef UNIT
    #define UNIT 1 /* elements, counted from the start of a tensor, that only one thread steps */
#endif

enum { BLOCK = 1024 }; /* a multiple of UNIT */

/* Steps `count` elements from `start` on; `grad` is the gradient from there on, still to be multiplied by `factor`. */
typedef void span_function(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count);

/* A span block by block: where the gradient lies otherwise than the parameter, and where units have to be looked at. */
static void in_blocks(
    const struct group *group, span_function *span, int64_t k, real factor, int64_t first, int64_t end)
{
    const struct tensor *x = &group->tensors[k];
    const grad_type *g = group->grads[k];
    grad_type gathered[BLOCK];
    for (; first < end; first += BLOCK) {
        int64_t count = end - first < BLOCK ? end - first : BLOCK;
        if (x->view)
            gather(gathered, g, x->view, first, count);
        span(x, x->view ? gathered : g + first, group->rows + x->row * SCALARS, factor, first, count);
    }
}

/* The first border of units at or after a place in a tensor. */
static int64_t border(const struct tensor *x, int64_t place)
{
    int64_t whole = (place + UNIT - 1) / UNIT * UNIT;
    return place < 0 ? 0 : whole < x->numel ? whole : x->numel;
}

/* Elements `from` to `to` of the whole group, in spans cut where a tensor ends. */
static void walk(const struct group *group, span_function *span, real factor, int64_t from, int64_t to)
{
    int64_t start = 0;
    for (int64_t k = 0; k < group->count && start < to; k++) {
        const struct tensor *x = &group->tensors[k];
        const grad_type *g = group->grads[k];
        int64_t first = border(x, from - start), end = border(x, to - start);
        if (first < end && (x->view || UNIT > 1))
            in_blocks(group, span, k, factor, first, end);
        else if (first < end)
            span(x, g + first, group->rows + x->row * SCALARS, factor, first, end - first);
        start += x->numel;
    }
}

struct work {
    const struct group *group;
    span_function *span;
    real factor;
};

static void share(void *given)
{
    const struct work *work = given;
    int64_t from, to;
    share_of(work->group, &from, &to);
    walk(work->group, work->span, work->factor, from, to);
}

/* One step of all tensors, or none. */
static int each_span(const struct group *group, span_function *span)
{
    int found = refused(group);
    if (found != STEPPED)
        return found;
    struct work work = {group, span, factor_of(group)};
    in_parallel(share, &work, threads_for(group));
    advance(group);
    return STEPPED;
}
