/* MARS. Written by optgen 0.1.0 (format 1) from rules/mars.py; do not edit.
 *
 *     optgen build mars --backend c
 *
 * Yuan, Liu, Wu, Zhou & Gu, MARS: Unleashing the Power of Variance Reduction for Training Large Models, ICML 2025,
 * https://arxiv.org/abs/2411.10438, Algorithm 2: MARS-AdamW with the gradient of the last step. Numbers as
 * timm.optim.Mars with optimize_1d=True; the first step has no last gradient.
 *
 *     c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
 *     c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
 *     g_old[t] = g[t]
 *     theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t -
 *         1])
 */
#define STORED 4
#define SCALARS 11
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
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -Dg_old_type=fp32
 */

/* c_sq_sum: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    g_old_type *g_old_at = (g_old_type *)tensor->at[3] + part->start;
    const int t_eq_one = row[5] != 0;
    const real gamma_beta1_over_one_minus_beta1 = (real)row[6];
    real *c_sq_sum_parts = tile_parts(tensor, values, 0) + part->tile;
    real c_sq_sum = 0;
    #pragma omp simd reduction(+ : c_sq_sum)
    for (int64_t i = 0; i < length; i++) {
        const real g = factor * load(grad_type, grad + i);
        const real g_old_prev = load(g_old_type, g_old_at + i);
        // c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
        const real c = (t_eq_one ? g : g + gamma_beta1_over_one_minus_beta1 * (g - g_old_prev));
        // c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
        c_sq_sum += c * c;
    }
    *c_sq_sum_parts = c_sq_sum;
}

/* c_sq_sum: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real c_sq_sum = (real)summed(tile_parts(tensor, values, 0), tiles(tensor));
    values[0] = c_sq_sum;
}

/* theta, m, v, g_old: of a part of a tensor. */
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
    g_old_type *g_old_at = (g_old_type *)tensor->at[3] + part->start;
    const real lr = (real)row[0];
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real eps = (real)row[3];
    const real weight_decay = (real)row[4];
    const int t_eq_one = row[5] != 0;
    const real gamma_beta1_over_one_minus_beta1 = (real)row[6];
    const real one_minus_beta1 = (real)row[7];
    const real one_minus_beta2 = (real)row[8];
    const real inv_one_minus_beta1_t = (real)row[9];
    const real inv_sqrt_one_minus_beta2_t = (real)row[10];
    const real c_sq_sum = values[0];
    #pragma omp simd
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        const real g_old_prev = load(g_old_type, g_old_at + i);
        // c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
        const real c = (t_eq_one ? g : g + gamma_beta1_over_one_minus_beta1 * (g - g_old_prev));
        // c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
        const real c_clip = c / maximum(sqrt(c_sq_sum), (real)1);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
        const real m = beta1 * m_prev + one_minus_beta1 * c_clip;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (c_clip * c_clip);
        // g_old[t] = g[t]
        const real g_old = g;
        // theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) +
        //     weight_decay*theta[t - 1])
        const real theta = theta_prev -
            lr * (m * inv_one_minus_beta1_t / (sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) +
            weight_decay * theta_prev);
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
        store(g_old_type, g_old_at + i, g_old);
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
