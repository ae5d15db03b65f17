/* StableAdamW. Written by optgen 0.1.0 (format 1) from rules/stableadamw.py; do not edit.
 *
 *     optgen build stableadamw --backend c
 *
 * Wortsman, Dettmers, Zettlemoyer, Morcos, Farhadi & Schmidt, Stable and low-precision training for large-scale
 * vision-language models, NeurIPS 2023, https://arxiv.org/abs/2304.13013, Algorithm 2. Numbers as
 * pytorch_optimizer.StableAdamW.
 *
 *     h1[t] = beta1*(1 - beta1**(t - 1))/(1 - beta1**t)
 *     h2[t] = beta2*(1 - beta2**(t - 1))/(1 - beta2**t)
 *     m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
 *     v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
 *     rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
 *     eta[t] = lr/Max(1, rms_t[t])
 *     theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
 */
#define STORED 3
#define SCALARS 8
#define PER_TENSOR 1
#define PER_MATRIX 0
#define PER_ROW 0
#define PER_COL 0
#define PER_TILE 1
#define PER_ROW_PART 0
#define PER_COL_PART 0
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32
 */

/* rms_t_mean: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    v_type *v_at = (v_type *)tensor->at[2] + part->start;
    const real h2 = (real)row[4];
    const real one_minus_h2 = (real)row[6];
    const real rms_t_mean_scale = (real)row[7];
    real *rms_t_mean_parts = tile_parts(tensor, values, 0) + part->tile;
    real rms_t_mean = 0;
    #pragma omp simd reduction(+ : rms_t_mean)
    for (int64_t i = 0; i < length; i++) {
        const real g = factor * load(grad_type, grad + i);
        const real v_prev = load(v_type, v_at + i);
        // v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
        const real v = h2 * v_prev + one_minus_h2 * (g * g);
        // rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
        rms_t_mean += g * g / maximum(v, rms_t_mean_scale);
    }
    *rms_t_mean_parts = rms_t_mean;
}

/* rms_t_mean, rms_t, eta: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real lr = (real)row[0];
    const real rms_t_mean = (real)(summed(tile_parts(tensor, values, 0), tiles(tensor)) / tensor->numel);
    // rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
    const real rms_t = sqrt(rms_t_mean);
    // eta[t] = lr/Max(1, rms_t[t])
    const real eta = lr / maximum((real)1, rms_t);
    values[0] = eta;
}

/* theta, m, v: of a part of a tensor. */
static void phase_2(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    m_type *m_at = (m_type *)tensor->at[1] + part->start;
    v_type *v_at = (v_type *)tensor->at[2] + part->start;
    const real eps = (real)row[1];
    const real weight_decay = (real)row[2];
    const real h1 = (real)row[3];
    const real h2 = (real)row[4];
    const real one_minus_h1 = (real)row[5];
    const real one_minus_h2 = (real)row[6];
    const real eta = values[0];
    #pragma omp simd
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
        const real m = h1 * m_prev + one_minus_h1 * g;
        // v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
        const real v = h2 * v_prev + one_minus_h2 * (g * g);
        // theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
        const real theta = theta_prev * (1 - eta * weight_decay) - eta * (m / (sqrt(v) + eps));
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
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
