/* Group: the tensors that one call steps, how threads share them, their step counts and their gradients. */
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

/* A tensor: its number of elements, its row of scalars, its number among all parameters, its step count or NULL, how its gradient lies if not as the
 * parameter does (axes, then the length and the stride of each, in the parameter's order), how many matrices of how many
 * rows and columns it is (one row, where a rule looks at neither), the addresses of the parameter and the states. These
 * are dense, lie alike if they have a number for each element, and have the same types throughout the group. */
struct tensor {
    int64_t numel, row, number;
    void *step;
    const int64_t *view;
    int64_t matrices, rows, cols;
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

enum { STEPPED, SKIPPED, MISCOUNTED, STARVED };
enum { ALONE = 16384, LEAST = 4096 };

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

/* What keeps a step from changing anything: a GradScaler found an infinity, or a count has been changed. */
static int refused(const struct group *group)
{
    if (group->found_inf && *group->found_inf != 0)
        return SKIPPED;
    return counts_agree(group) ? STEPPED : MISCOUNTED;
}

/* What gradients are to be multiplied by. */
static real factor_of(const struct group *group)
{
    double scale = group->grad_scale ? *group->grad_scale : 1;
    return (real)((group->maximize ? -1 : 1) / scale);
}

static unsigned threads_for(const struct group *group)
{
    return group->elements < ALONE ? 1 : (unsigned)group->threads;
}

/* One thread's share: an even one of all elements, in multiples of 64, so that threads meet at borders of cache lines. */
static void share_of(const struct group *group, int64_t *from, int64_t *to)
{
    int64_t elements = group->elements, team = omp_get_num_threads(), even = (elements + team - 1) / team;
    int64_t length = ((even < LEAST ? LEAST : even) + 63) / 64 * 64;
    *from = omp_get_thread_num() * length;
    *to = *from + length < elements ? *from + length : elements;
}
