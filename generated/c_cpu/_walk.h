/* Walk: all threads of one parallel region over all tensors of a group. */
#include <stdint.h>
#include <string.h>

/* The parallel region. With GOMP it is entered as gcc's code enters it, which the runtimes of all compilers allow. */
#if defined _OPENMP
    #include <omp.h>
#elif defined GOMP
    int omp_get_thread_num(void);
    int omp_get_num_threads(void);
    void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned);
#else
    #define omp_get_thread_num() 0
    #define omp_get_num_threads() 1
#endif

static void in_parallel(void (*share)(void *), void *work, unsigned threads)
{
#ifdef GOMP
    if (threads > 1) {
        GOMP_parallel(share, work, threads, 0);
        return;
    }
#endif
    #pragma omp parallel num_threads(threads) if (threads > 1)
    share(work);
}

/* A tensor: its number of elements, its row of scalars, its step count or NULL, how its gradient lies if not as the
 * parameter does (axes, then the length and the stride of each, in the parameter's order), the addresses of the
 * parameter and the states. All are dense, lie alike and have the same types throughout the group. */
struct tensor {
    int64_t numel, row;
    void *step;
    const int64_t *view;
    void *at[STORED];
};

/* What one call steps. The gradients stand apart: they alone move. times: what each row's steps make of the counts, or
 * NULL where the caller sees to them. */
struct group {
    const struct tensor *tensors;
    const void *const *grads;
    const double *rows, *times;
    const float *grad_scale, *found_inf;
    int64_t count, elements, threads, is_double, maximize;
};

enum { STEPPED, SKIPPED, MISCOUNTED };
enum { ALONE = 16384, LEAST = 4096, BLOCK = 1024 };

/* Steps `count` elements from `start` on; `grad` is the gradient from there on, still to be multiplied by `factor`. */
typedef void span_function(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count);

static double count_of(const struct group *group, const struct tensor *x)
{
    return group->is_double ? *(double *)x->step : *(float *)x->step;
}

/* Whether each step count is what the caller took it for. */
static int counts_agree(const struct group *group)
{
    for (int64_t k = 0; k < group->count && group->times; k++) {
        const struct tensor *x = &group->tensors[k];
        if (x->step && count_of(group, x) + 1 != group->times[x->row])
            return 0;
    }
    return 1;
}

static void advance(const struct group *group)
{
    for (int64_t k = 0; k < group->count && group->times; k++) {
        const struct tensor *x = &group->tensors[k];
        if (x->step && group->is_double)
            *(double *)x->step += 1;
        else if (x->step)
            *(float *)x->step += 1;
    }
}

/* `count` elements of a gradient from `first` on, in the parameter's order. */
static void gather(grad_type *out, const grad_type *g, const int64_t *view, int64_t first, int64_t count)
{
    const int64_t axes = view[0], *lengths = view + 1, *strides = lengths + axes;
    while (count > 0) {
        int64_t rest = first, at = 0, run = lengths[axes - 1] - first % lengths[axes - 1];
        for (int64_t axis = axes - 1; axis >= 0; axis--) {
            at += rest % lengths[axis] * strides[axis];
            rest /= lengths[axis];
        }
        run = run < count ? run : count;
        for (int64_t i = 0; i < run; i++)
            out[i] = g[at + i * strides[axes - 1]];
        out += run, first += run, count -= run;
    }
}

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

/* One thread's share: an even one of all elements, in multiples of 64, so that threads meet at borders of cache lines. */
static void share(void *given)
{
    const struct work *work = given;
    int64_t elements = work->group->elements, team = omp_get_num_threads(), even = (elements + team - 1) / team;
    int64_t length = ((even < LEAST ? LEAST : even) + 63) / 64 * 64;
    int64_t from = omp_get_thread_num() * length, to = from + length;
    walk(work->group, work->span, work->factor, from, to < elements ? to : elements);
}

/* One step of all tensors, or none: not where a GradScaler found an infinity, nor where a count has been changed. */
static int each_span(const struct group *group, span_function *span)
{
    if (group->found_inf && *group->found_inf != 0)
        return SKIPPED;
    if (!counts_agree(group))
        return MISCOUNTED;
    double scale = group->grad_scale ? *group->grad_scale : 1;
    struct work work = {group, span, (real)((group->maximize ? -1 : 1) / scale)};
    in_parallel(share, &work, group->elements < ALONE ? 1 : (unsigned)group->threads);
    advance(group);
    return STEPPED;
}
