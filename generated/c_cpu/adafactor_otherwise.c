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
 *     V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
 *     U[t] = g[t]/sqrt(Max(V[t], eps1**2))
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
 */
#define STORED 2
#define SCALARS 6
#define PER_TENSOR 2
#define PER_MATRIX 0
#define PER_ROW 0
#define PER_COL 0
#define PER_TILE 2
#define PER_ROW_PART 0
#define PER_COL_PART 0
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -DV_type=fp32
 */

/* theta_prev_sq_mean, U_sq_mean: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    V_type *V_at = (V_type *)tensor->at[1] + part->start;
    const real w = (real)row[2];
    const real U_scale = (real)row[3];
    real *theta_prev_sq_mean_parts = tile_parts(tensor, values, 0) + part->tile;
    real theta_prev_sq_mean = 0;
    real *U_sq_mean_parts = tile_parts(tensor, values, 1) + part->tile;
    real U_sq_mean = 0;
    #pragma omp simd reduction(+ : theta_prev_sq_mean, U_sq_mean)
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real V_prev = load(V_type, V_at + i);
        // alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
        theta_prev_sq_mean += theta_prev * theta_prev;
        // V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
        const real V = V_prev + w * (g * g - V_prev);
        // U[t] = g[t]/sqrt(Max(V[t], eps1**2))
        const real U = g / sqrt(maximum(V, U_scale));
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
        U_sq_mean += U * U;
    }
    *theta_prev_sq_mean_parts = theta_prev_sq_mean;
    *U_sq_mean_parts = U_sq_mean;
}

/* theta_prev_sq_mean, U_sq_mean, alpha: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real eps2 = (real)row[0];
    const real rho = (real)row[1];
    const real theta_prev_sq_mean = (real)(summed(tile_parts(tensor, values, 0), tiles(tensor)) / tensor->numel);
    const real U_sq_mean = (real)(summed(tile_parts(tensor, values, 1), tiles(tensor)) / tensor->numel);
    values[0] = U_sq_mean;
    // alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    const real alpha = maximum(eps2, sqrt(theta_prev_sq_mean)) * rho;
    values[1] = alpha;
}

/* theta, V: of a part of a tensor. */
static void phase_2(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    V_type *V_at = (V_type *)tensor->at[1] + part->start;
    const real w = (real)row[2];
    const real U_scale = (real)row[3];
    const real one_minus_lr_weight_decay = (real)row[4];
    const real inv_d = (real)row[5];
    const real alpha = values[1];
    const real U_sq_mean = values[0];
    #pragma omp simd
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real V_prev = load(V_type, V_at + i);
        // V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
        const real V = V_prev + w * (g * g - V_prev);
        // U[t] = g[t]/sqrt(Max(V[t], eps1**2))
        const real U = g / sqrt(maximum(V, U_scale));
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
        const real theta = theta_prev * one_minus_lr_weight_decay -
            alpha / maximum((real)1, sqrt(U_sq_mean) * inv_d) * U;
        store(theta_type, theta_at + i, theta);
        store(V_type, V_at + i, V);
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
    return end(&work);
}
