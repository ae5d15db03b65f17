/* Tiles: the threads' ways over the tiles and the tensors of a group. */
#include "_phases.h"

/* One row of a part whose gradient lies otherwise than the parameter. */
static void gathered_row(phase_function *phase, const struct part *whole, const void *grads, int64_t k)
{
    struct part part = *whole;
    grad_type line[LONG];
    part.start += k * whole->tensor->cols, part.at_row += k, part.rows = 1, part.opens = k == 0;
    gather(line, grads, whole->tensor->view, part.start, part.cols);
    part.grad = line;
    phase(&part);
}

static void step_tile(const struct work *work, int64_t k, int64_t tile)
{
    const struct group *group = work->group;
    const struct tensor *x = &group->tensors[k];
    int64_t across = tile % tiles_across(x), band = tile / tiles_across(x), tall = height(x);
    int64_t matrix = band / tiles_down(x), first = band % tiles_down(x) * tall, left = across * LONG;
    struct part part = {x, NULL, group->rows + x->row * SCALARS, work->values[k], work->factor};
    part.rows = x->rows - first < tall ? x->rows - first : tall;
    part.cols = x->cols - left < LONG ? x->cols - left : LONG;
    part.tile = tile, part.opens = 1, part.matrix = matrix, part.across = across;
    part.at_row = matrix * x->rows + first, part.at_col = matrix * x->cols + left;
    part.start = part.at_row * x->cols + left, part.down = band * x->cols + left;
    if (!x->view) {
        part.grad = (const grad_type *)group->grads[k] + part.start;
        work->phase(&part);
    } else {
        for (int64_t row = 0; row < part.rows; row++)
            gathered_row(work->phase, &part, group->grads[k], row);
    }
}

/* A thread's share of the tiles: those that begin in its share of all elements, if each tile had as many. */
static void share_of_tiles(void *given)
{
    const struct work *work = given;
    int64_t from, to, start = 0;
    share_of(work->group, &from, &to);
    for (int64_t k = 0; k < work->group->count && start < to; k++) {
        const struct tensor *x = &work->group->tensors[k];
        int64_t count = x->numel ? tiles(x) : 0, rounded = x->numel - 1;
        int64_t tile = from > start && x->numel ? ((from - start) * count + rounded) / x->numel : 0;
        int64_t end = to - start < x->numel ? ((to - start) * count + rounded) / x->numel : count;
        for (; tile < end; tile++)
            step_tile(work, k, tile);
        start += x->numel;
    }
}

/* A thread's share of the tensors: those that begin in its share of all elements. */
static void share_of_tensors(void *given)
{
    const struct work *work = given;
    int64_t from, to, start = 0;
    share_of(work->group, &from, &to);
    for (int64_t k = 0; k < work->group->count && start < to; k++) {
        const struct tensor *x = &work->group->tensors[k];
        if (start >= from && x->numel)
            work->compute(x, work->group->rows + x->row * SCALARS, work->values[k]);
        start += x->numel;
    }
}

static void each_part(struct work *work, phase_function *phase)
{
    work->phase = phase;
    in_parallel(share_of_tiles, work, threads_for(work->group));
}

static void each_tensor(struct work *work, values_function *compute)
{
    work->compute = compute;
    in_parallel(share_of_tensors, work, threads_for(work->group));
}

/* Makes room for the values of all tensors: STEPPED if the step may begin, else what keeps it from changing anything. */
static int begin(struct work *work, const struct group *group)
{
    int64_t length = 0;
    for (int64_t k = 0; k < group->count; k++)
        length += room(&group->tensors[k]);
    int found = refused(group);
    work->group = group, work->factor = factor_of(group), work->values = NULL;
    if (found == STEPPED)
        work->values = malloc(group->count * sizeof *work->values + 64 + length * sizeof **work->values);
    if (!work->values)
        return found == STEPPED ? STARVED : found;
    uintptr_t free_from = ((uintptr_t)(work->values + group->count) + 63) / 64 * 64; /* whole cache lines */
    real *next = (real *)free_from;
    for (int64_t k = 0; k < group->count; next += room(&group->tensors[k]), k++)
        work->values[k] = next;
    return STEPPED;
}

static int end(struct work *work)
{
    free(work->values);
    advance(work->group);
    return STEPPED;
}
