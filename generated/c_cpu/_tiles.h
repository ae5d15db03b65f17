/* Tiles: the threads' ways over the tiles, the spans and the tensors of a group. */
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

/* A span is up to LONG elements in the order of memory, whatever row they are in: whole blocks of codes. */
static int64_t spans(const struct tensor *x) { return (x->numel + LONG - 1) / LONG; }

static void step_span(const struct work *work, int64_t k, int64_t span)
{
    const struct group *group = work->group;
    const struct tensor *x = &group->tensors[k];
    struct part part = {x, NULL, group->rows + x->row * SCALARS, work->values[k], work->factor};
    grad_type gathered[LONG];
    part.start = span * LONG, part.rows = 1;
    part.cols = x->numel - part.start < LONG ? x->numel - part.start : LONG;
    if (x->view)
        gather(gathered, group->grads[k], x->view, part.start, part.cols);
    part.grad = x->view ? gathered : (const grad_type *)group->grads[k] + part.start;
    work->phase(&part);
}

/* What of a span lies in one row: `length` of its elements from `start` on. at_row, at_col: as of a part, whose first
 * they are. */
struct line { int64_t start, length, matrix, at_row, at_col; };

static inline struct line line_at(const struct part *span, int64_t start)
{
    const struct tensor *x = span->tensor;
    int64_t at_row = (span->start + start) / x->cols, col = (span->start + start) % x->cols, matrix = at_row / x->rows;
    int64_t rest = span->cols - start, length = x->cols - col < rest ? x->cols - col : rest;
    return (struct line){start, length, matrix, at_row, matrix * x->cols + col};
}

/* A thread's share of the tiles or spans: those that begin in its share of all elements, if each had as many. */
static void share_of_pieces(void *given)
{
    const struct work *work = given;
    int64_t from, to, start = 0;
    share_of(work->group, &from, &to);
    for (int64_t k = 0; k < work->group->count && start < to; k++) {
        const struct tensor *x = &work->group->tensors[k];
        int64_t count = x->numel ? work->pieces(x) : 0, rounded = x->numel - 1;
        int64_t piece = from > start && x->numel ? ((from - start) * count + rounded) / x->numel : 0;
        int64_t end = to - start < x->numel ? ((to - start) * count + rounded) / x->numel : count;
        for (; piece < end; piece++)
            work->step(work, k, piece);
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
    work->phase = phase, work->pieces = tiles, work->step = step_tile;
    in_parallel(share_of_pieces, work, threads_for(work->group));
}

static void each_span(struct work *work, phase_function *phase)
{
    work->phase = phase, work->pieces = spans, work->step = step_span;
    in_parallel(share_of_pieces, work, threads_for(work->group));
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
