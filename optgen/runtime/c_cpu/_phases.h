/* Phases: passes over all tensors of a group, one after the other, and between them the values per tensor, row and column
 * that they need of each other.
 *
 * Tiles cut a tensor by its shape alone, so that no sum depends on the number of threads: what a tile sums it leaves in a
 * place of its own, a part, and parts are added up in order.
 */
#include "_group.h"
#include <stdlib.h>

enum { TALL = 64, LONG = 4096 }; /* rows and columns of a tile; more rows where they are short */

/* The part of one matrix that a phase works on, from element `start` of its tensor on: rows as far apart as in the
 * tensor, or a single row. grad: its gradient, still to be multiplied by `factor`. tile: its tile, which `opens` with
 * it. at_row, at_col: the first row and column among those of all matrices; across, down: where it has its parts. */
struct part {
    const struct tensor *tensor;
    const grad_type *grad;
    const double *row;
    real *values, factor;
    int64_t start, rows, cols, tile, opens, matrix, at_row, at_col, across, down;
};

typedef void phase_function(const struct part *part);
typedef void values_function(const struct tensor *tensor, const double *row, real *values);

struct work {
    const struct group *group;
    real factor, **values;
    phase_function *phase;
    int64_t (*pieces)(const struct tensor *tensor);
    void (*step)(const struct work *work, int64_t k, int64_t piece);
    values_function *compute;
};

static int64_t height(const struct tensor *x)
{
    return x->cols && LONG / x->cols > TALL ? LONG / x->cols : TALL;
}

static int64_t tiles_across(const struct tensor *x) { return (x->cols + LONG - 1) / LONG; }
static int64_t tiles_down(const struct tensor *x) { return (x->rows + height(x) - 1) / height(x); }
static int64_t tiles(const struct tensor *x) { return x->matrices * tiles_down(x) * tiles_across(x); }

/* Where the values of a tensor are: those per tensor, then the parts of tiles, then those of matrices, rows, columns. */
static real *tile_parts(const struct tensor *x, real *values, int64_t k) { return values + PER_TENSOR + k * tiles(x); }

static real *matrix_values(const struct tensor *x, real *values, int64_t k)
{
    return tile_parts(x, values, PER_TILE) + k * x->matrices;
}

static real *row_values(const struct tensor *x, real *values, int64_t k)
{
    return matrix_values(x, values, PER_MATRIX) + k * x->matrices * x->rows;
}

static real *col_values(const struct tensor *x, real *values, int64_t k)
{
    return row_values(x, values, PER_ROW) + k * x->matrices * x->cols;
}

static real *row_parts(const struct tensor *x, real *values, int64_t k)
{
    return col_values(x, values, PER_COL) + k * x->matrices * x->rows * tiles_across(x);
}

static real *col_parts(const struct tensor *x, real *values, int64_t k)
{
    return row_parts(x, values, PER_ROW_PART) + k * x->matrices * x->cols * tiles_down(x);
}

/* How many numbers these are; a multiple of 16, so that no two threads write to one cache line. */
static int64_t room(const struct tensor *x)
{
    int64_t down = tiles_down(x), across = tiles_across(x);
    int64_t of_rows = x->rows * (PER_ROW + PER_ROW_PART * across), of_cols = x->cols * (PER_COL + PER_COL_PART * down);
    return (PER_TENSOR + tiles(x) * PER_TILE + x->matrices * (PER_MATRIX + of_rows + of_cols) + 15) / 16 * 16;
}

/* Sums in the order of the parts, in double; the largest of parts, of which a NaN is one. */
static double summed(const real *parts, int64_t count)
{
    double sum = 0;
    for (int64_t k = 0; k < count; k++)
        sum += parts[k];
    return sum;
}

static real largest(const real *parts, int64_t count)
{
    real found = -INFINITY;
    for (int64_t k = 0; k < count; k++)
        found = maximum(found, parts[k]);
    return found;
}

#pragma omp declare reduction(largest : float, double : omp_out = maximum(omp_out, omp_in)) \
    initializer(omp_priv = -INFINITY)

/* For each row its sum over the tiles across, divided; or the largest. */
static void rows_summed(const struct tensor *x, real *rows, const real *parts, int64_t divisor)
{
    for (int64_t k = 0, across = tiles_across(x); k < x->matrices * x->rows; k++)
        rows[k] = (real)(summed(parts + k * across, across) / divisor);
}

static void rows_largest(const struct tensor *x, real *rows, const real *parts)
{
    for (int64_t k = 0, across = tiles_across(x); k < x->matrices * x->rows; k++)
        rows[k] = largest(parts + k * across, across);
}

/* The same for columns, of the tiles down. */
static void cols_summed(const struct tensor *x, real *cols, const real *parts, int64_t divisor)
{
    for (int64_t matrix = 0, down = tiles_down(x); matrix < x->matrices; matrix++, cols += x->cols) {
        memset(cols, 0, x->cols * sizeof *cols);
        for (int64_t k = 0; k < down; k++, parts += x->cols)
            for (int64_t i = 0; i < x->cols; i++)
                cols[i] += parts[i];
        for (int64_t i = 0; i < x->cols; i++)
            cols[i] /= divisor;
    }
}

static void cols_largest(const struct tensor *x, real *cols, const real *parts)
{
    for (int64_t matrix = 0, down = tiles_down(x); matrix < x->matrices; matrix++, cols += x->cols) {
        memcpy(cols, parts, x->cols * sizeof *cols);
        for (int64_t k = 0; k < down; k++, parts += x->cols)
            for (int64_t i = 0; i < x->cols; i++)
                cols[i] = maximum(cols[i], parts[i]);
    }
}

/* Values common to all tensors: what their tiles, or what value k of each, sum up to, or the largest of these. */
static void sum_tiles_of_all(const struct work *work, int64_t tile_part, int64_t value)
{
    double sum = 0;
    for (int64_t k = 0; k < work->group->count; k++) {
        const struct tensor *x = &work->group->tensors[k];
        sum += summed(tile_parts(x, work->values[k], tile_part), tiles(x));
    }
    for (int64_t k = 0; k < work->group->count; k++)
        work->values[k][value] = (real)sum;
}

static void largest_tile_of_all(const struct work *work, int64_t tile_part, int64_t value)
{
    real found = -INFINITY;
    for (int64_t k = 0; k < work->group->count; k++) {
        const struct tensor *x = &work->group->tensors[k];
        found = maximum(found, largest(tile_parts(x, work->values[k], tile_part), tiles(x)));
    }
    for (int64_t k = 0; k < work->group->count; k++)
        work->values[k][value] = found;
}

static void sum_of_all(const struct work *work, int64_t value)
{
    double sum = 0;
    for (int64_t k = 0; k < work->group->count; k++)
        sum += work->group->tensors[k].numel ? work->values[k][value] : 0;
    for (int64_t k = 0; k < work->group->count; k++)
        work->values[k][value] = (real)sum;
}

static void largest_of_all(const struct work *work, int64_t value)
{
    real found = -INFINITY;
    for (int64_t k = 0; k < work->group->count; k++)
        found = work->group->tensors[k].numel ? maximum(found, work->values[k][value]) : found;
    for (int64_t k = 0; k < work->group->count; k++)
        work->values[k][value] = found;
}
