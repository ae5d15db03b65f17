/* CautiousAdamW. Written by optgen 0.1.0 (format 1) from rules/cautiousadamw.py; do not edit.
 *
 *     optgen build cautiousadamw --backend c
 *
 * Liang, Chen, Liu & Liu, Cautious Optimizers: Improving Training with One Line of Code, 2024,
 * https://arxiv.org/abs/2411.16085, Algorithm 1 on AdamW. Numbers as timm.optim.AdamWLegacy with caution=True.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
 *     phi[t] = Piecewise((1, m[t]*g[t] > 0), (0, True))
 *     k[t] = phi[t]/Max(mean(phi[t], elems), 0.001)
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(k[t]*m[t]/(sqrt(v[t])/sqrt(1 - beta2**t) +
 *         eps))
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

/* phi_mean: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    m_type *m_at = (m_type *)tensor->at[1] + part->start;
    const real beta1 = (real)row[0];
    const real one_minus_beta1 = (real)row[3];
    real *phi_mean_parts = tile_parts(tensor, values, 0) + part->tile;
    real phi_mean = 0;
    #pragma omp simd reduction(+ : phi_mean)
    for (int64_t i = 0; i < length; i++) {
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // phi[t] = Piecewise((1, m[t]*g[t] > 0), (0, True))
        const real phi = (m * g > 0 ? (real)1 : (real)0);
        // k[t] = phi[t]/Max(mean(phi[t], elems), 0.001)
        phi_mean += phi;
    }
    *phi_mean_parts = phi_mean;
}

/* phi_mean: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real phi_mean = (real)(summed(tile_parts(tensor, values, 0), tiles(tensor)) / tensor->numel);
    values[0] = phi_mean;
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
    const real beta1 = (real)row[0];
    const real beta2 = (real)row[1];
    const real eps = (real)row[2];
    const real one_minus_beta1 = (real)row[3];
    const real one_minus_beta2 = (real)row[4];
    const real one_minus_lr_weight_decay = (real)row[5];
    const real lr_over_one_minus_beta1_t = (real)row[6];
    const real inv_sqrt_one_minus_beta2_t = (real)row[7];
    const real phi_mean = values[0];
    #pragma omp simd
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g * g);
        // phi[t] = Piecewise((1, m[t]*g[t] > 0), (0, True))
        const real phi = (m * g > 0 ? (real)1 : (real)0);
        // k[t] = phi[t]/Max(mean(phi[t], elems), 0.001)
        const real k = phi / maximum(phi_mean, (real)0.001);
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(k[t]*m[t]/(sqrt(v[t])/sqrt(1 -
        //     beta2**t) + eps))
        const real theta = theta_prev * one_minus_lr_weight_decay -
            lr_over_one_minus_beta1_t * (k * m / (sqrt(v) * inv_sqrt_one_minus_beta2_t + eps));
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
