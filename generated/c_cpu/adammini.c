/* AdamMini. Written by optgen 0.1.0 (format 1) from rules/adammini.py; do not edit.
 *
 *     optgen build adammini --backend c
 *
 * Zhang, Chen, Li, Ding, Wu, Kingma, Ye, Luo & Sun, Adam-mini: Use Fewer Learning Rates To Gain More, ICLR 2025,
 * https://arxiv.org/abs/2406.16793, Algorithm 1, with a block for each row of a matrix and one for any other tensor.
 * Numbers as adam_mini.Adam_mini for MLPs, values, projections, embeddings, outputs and normalisation; it has a block
 * for each head of queries and keys, and for each element of a bias.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
 *     and for parameters of other shapes, as another rule:
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, elems)
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
 */
#define STORED 3
#define SCALARS 8
#define PER_TENSOR 0
#define PER_MATRIX 0
#define PER_ROW 2
#define PER_COL 0
#define PER_TILE 0
#define PER_ROW_PART 1
#define PER_COL_PART 0
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32
 */

/* g_sq_mean: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    real *g_sq_mean_parts = row_parts(tensor, values, 0) + part->at_row * tiles_across(tensor) + part->across;
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        real g_sq_mean = 0;
        #pragma omp simd reduction(+ : g_sq_mean)
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            const real g = factor * load(grad_type, grad + i);
            // v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
            g_sq_mean += g * g;
        }
        g_sq_mean_parts[down * tiles_across(tensor)] = g_sq_mean;
    }
}

/* g_sq_mean, v: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real beta2 = (real)row[1];
    const real one_minus_beta2 = (real)row[4];
    v_type *v_at = (v_type *)tensor->at[2];
    real *g_sq_mean_values = row_values(tensor, values, 0);
    real *v_values = row_values(tensor, values, 1);
    rows_summed(tensor, g_sq_mean_values, row_parts(tensor, values, 0), tensor->cols);
    // v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
    for (int64_t i = 0; i < tensor->matrices * tensor->rows; i++) {
        const real v_prev = load(v_type, v_at + i);
        const real g_sq_mean = g_sq_mean_values[i];
        v_values[i] = beta2 * v_prev + one_minus_beta2 * g_sq_mean;
    }
    for (int64_t i = 0; i < tensor->matrices * tensor->rows; i++) {
        const real v = v_values[i];
        store(v_type, v_at + i, v);
    }
}

/* theta, m: of a part of a tensor. */
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
    const real beta1 = (real)row[0];
    const real eps = (real)row[2];
    const real one_minus_beta1 = (real)row[3];
    const real one_minus_lr_weight_decay = (real)row[5];
    const real lr_over_one_minus_beta1_t = (real)row[6];
    const real inv_sqrt_one_minus_beta2_t = (real)row[7];
    const real *v_values = row_values(tensor, values, 1) + part->at_row;
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        const real v = v_values[down];
        #pragma omp simd
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            const real theta_prev = load(theta_type, theta_at + i);
            const real g = factor * load(grad_type, grad + i);
            const real m_prev = load(m_type, m_at + i);
            // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
            const real m = beta1 * m_prev + one_minus_beta1 * g;
            // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) +
            //     eps)*m[t]
            const real theta = theta_prev * one_minus_lr_weight_decay -
                lr_over_one_minus_beta1_t / (sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) * m;
            store(theta_type, theta_at + i, theta);
            store(m_type, m_at + i, m);
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
    return end(&work);
}
