/* Adafactor. Written by optgen 0.1.0 (format 1) from rules/adafactor.py; do not edit.
 *
 *     optgen build adafactor --backend c
 *
 * Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
 * https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as torch.optim.Adafactor: lr bounds the relative step,
 * and scales the weight decay.
 *
 *     rho[t] = Min(lr, 1/(sqrt(t)))
 *     alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
 *     w[t] = t**beta2_decay
 *     R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
 *     C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
 *     U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
 *     and for parameters of other shapes, as another rule:
 *     rho[t] = Min(lr, 1/(sqrt(t)))
 *     alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
 *     w[t] = t**beta2_decay
 *     V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
 *     U[t] = g[t]/sqrt(Max(V[t], eps1**2))
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
 */
#define STORED 3
#define SCALARS 7
#define PER_TENSOR 3
#define PER_MATRIX 1
#define PER_ROW 2
#define PER_COL 2
#define PER_TILE 2
#define PER_ROW_PART 1
#define PER_COL_PART 1
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -DR_type=fp32 -DC_type=fp32
 */

/* theta_prev_sq_mean, g_sq_mean, g_sq_mean_2: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    real *theta_prev_sq_mean_parts = tile_parts(tensor, values, 0) + part->tile;
    real theta_prev_sq_mean = part->opens ? 0 : *theta_prev_sq_mean_parts;
    real *g_sq_mean_parts = row_parts(tensor, values, 0) + part->at_row * tiles_across(tensor) + part->across;
    real *g_sq_mean_2_parts = col_parts(tensor, values, 0) + part->down;
    for (int64_t along = 0; along < length && part->opens; along++)
        g_sq_mean_2_parts[along] = 0;
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        real g_sq_mean = 0;
        #pragma omp simd reduction(+ : theta_prev_sq_mean, g_sq_mean)
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            const real theta_prev = load(theta_type, theta_at + i);
            const real g = factor * load(grad_type, grad + i);
            // alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
            theta_prev_sq_mean += theta_prev * theta_prev;
            // R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
            g_sq_mean += g * g;
            // C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
            g_sq_mean_2_parts[along] += g * g;
        }
        g_sq_mean_parts[down * tiles_across(tensor)] = g_sq_mean;
    }
    *theta_prev_sq_mean_parts = theta_prev_sq_mean;
}

/* theta_prev_sq_mean, g_sq_mean, g_sq_mean_2, R, R_mean, C: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real w = (real)row[3];
    R_type *R_at = (R_type *)tensor->at[1];
    C_type *C_at = (C_type *)tensor->at[2];
    real *g_sq_mean_values = row_values(tensor, values, 0);
    real *R_values = row_values(tensor, values, 1);
    real *g_sq_mean_2_values = col_values(tensor, values, 0);
    real *C_values = col_values(tensor, values, 1);
    real *R_mean_values = matrix_values(tensor, values, 0);
    const real theta_prev_sq_mean = (real)(summed(tile_parts(tensor, values, 0), tiles(tensor)) / tensor->numel);
    values[0] = theta_prev_sq_mean;
    rows_summed(tensor, g_sq_mean_values, row_parts(tensor, values, 0), tensor->cols);
    cols_summed(tensor, g_sq_mean_2_values, col_parts(tensor, values, 0), tensor->rows);
    // R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
    for (int64_t i = 0; i < tensor->matrices * tensor->rows; i++) {
        const real R_prev = load(R_type, R_at + i);
        const real g_sq_mean = g_sq_mean_values[i];
        R_values[i] = R_prev + w * (g_sq_mean - R_prev);
    }
    // U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
    for (int64_t matrix = 0; matrix < tensor->matrices; matrix++) {
        double R_mean_parts = 0;
        for (int64_t i = matrix * tensor->rows; i < (matrix + 1) * tensor->rows; i++) {
            const real R = R_values[i];
            R_mean_parts += R;
        }
        R_mean_values[matrix] = (real)(R_mean_parts / tensor->rows);
    }
    // C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
    for (int64_t i = 0; i < tensor->matrices * tensor->cols; i++) {
        const real C_prev = load(C_type, C_at + i);
        const real g_sq_mean_2 = g_sq_mean_2_values[i];
        C_values[i] = C_prev + w * (g_sq_mean_2 - C_prev);
    }
    for (int64_t i = 0; i < tensor->matrices * tensor->rows; i++) {
        const real R = R_values[i];
        store(R_type, R_at + i, R);
    }
    for (int64_t i = 0; i < tensor->matrices * tensor->cols; i++) {
        const real C = C_values[i];
        store(C_type, C_at + i, C);
    }
}

/* U_sq_mean: of a part of a tensor. */
static void phase_2(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    const real eps1 = (real)row[0];
    const real U_scale = (real)row[4];
    const real *R_values = row_values(tensor, values, 1) + part->at_row;
    const real *C_values = col_values(tensor, values, 1) + part->at_col;
    const real R_mean = matrix_values(tensor, values, 0)[part->matrix];
    real *U_sq_mean_parts = tile_parts(tensor, values, 1) + part->tile;
    real U_sq_mean = part->opens ? 0 : *U_sq_mean_parts;
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        const real R = R_values[down];
        #pragma omp simd reduction(+ : U_sq_mean)
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            const real g = factor * load(grad_type, grad + i);
            const real C = C_values[along];
            // U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
            const real U = g / sqrt(maximum(R * C / maximum(R_mean, eps1), U_scale));
            // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
            U_sq_mean += U * U;
        }
    }
    *U_sq_mean_parts = U_sq_mean;
}

/* U_sq_mean, alpha: of a whole tensor. */
static void values_3(const struct tensor *tensor, const double *row, real *values)
{
    const real eps2 = (real)row[1];
    const real rho = (real)row[2];
    const real theta_prev_sq_mean = values[0];
    const real U_sq_mean = (real)(summed(tile_parts(tensor, values, 1), tiles(tensor)) / tensor->numel);
    values[1] = U_sq_mean;
    // alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    const real alpha = maximum(eps2, sqrt(theta_prev_sq_mean)) * rho;
    values[2] = alpha;
}

/* theta: of a part of a tensor. */
static void phase_3(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    const real eps1 = (real)row[0];
    const real U_scale = (real)row[4];
    const real one_minus_lr_weight_decay = (real)row[5];
    const real inv_d = (real)row[6];
    const real alpha = values[2];
    const real *R_values = row_values(tensor, values, 1) + part->at_row;
    const real *C_values = col_values(tensor, values, 1) + part->at_col;
    const real R_mean = matrix_values(tensor, values, 0)[part->matrix];
    const real U_sq_mean = values[1];
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        const real R = R_values[down];
        #pragma omp simd
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            const real theta_prev = load(theta_type, theta_at + i);
            const real g = factor * load(grad_type, grad + i);
            const real C = C_values[along];
            // U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
            const real U = g / sqrt(maximum(R * C / maximum(R_mean, eps1), U_scale));
            // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
            const real theta = theta_prev * one_minus_lr_weight_decay -
                alpha / maximum((real)1, sqrt(U_sq_mean) * inv_d) * U;
            store(theta_type, theta_at + i, theta);
        }
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    struct work work;
    int found = begin(&work, group);
    if (found != STEPPED)
        return found;
    each_part(&work, phase_1);
    each_tensor(&work, values_2);
    each_part(&work, phase_2);
    each_tensor(&work, values_3);
    each_part(&work, phase_3);
    return end(&work);
}
