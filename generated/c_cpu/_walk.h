/* Walk: all threads of one parallel region over all tensors of a group, in one pass. */
#include "_group.h"

enum { BLOCK = 1024 };

/* Steps `count` elements from `start` on; `grad` is the gradient from there on, still to be multiplied by `factor`. */
typedef void span_function(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count);

/* A span whose gradient lies otherwise than the parameter, block by block. */
static void gathered(
    const struct group *group, span_function *span, int64_t k, real factor, int64_t first, int64_t end)
{
    const struct tensor *x = &group->tensors[k];
    grad_type block[BLOCK];
    for (; first < end; first += BLOCK) {
        int64_t count = end - first < BLOCK ? end - first : BLOCK;
        gather(block, group->grads[k], x->view, first, count);
        span(x, block, group->rows + x->row * SCALARS, factor, first, count);
    }
}

/* Elements `from` to `to` of the whole group, in spans cut where a tensor ends. */
static void walk(const struct group *group, span_function *span, real factor, int64_t from, int64_t to)
{
    int64_t start = 0;
    for (int64_t k = 0; k < group->count && start < to; k++) {
        const struct tensor *x = &group->tensors[k];
        const grad_type *g = group->grads[k];
        int64_t first = from > start ? from - start : 0;
        int64_t end = to - start < x->numel ? to - start : x->numel;
        if (first < end && x->view)
            gathered(group, span, k, factor, first, end);
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
