/* LAMB. Written by optgen 0.1.0 (format 1) from rules/lamb.py; do not edit.
 *
 *     optgen build lamb --backend c
 *
 * You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer & Hsieh, Large Batch Optimization for Deep
 * Learning: Training BERT in 76 minutes, ICLR 2020, https://arxiv.org/abs/1904.00962, Algorithm 2. Numbers as
 * timm.optim.Lamb: the norm of all gradients together is limited, and nothing is adapted where weight_decay is 0.
 * max_grad_norm=inf limits nothing.
 *
 *     G[t] = norm(g[t], model)
 *     g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
 *     u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
 *     w_norm[t] = norm(theta[t - 1], elems)
 *     u_norm[t] = norm(u[t], elems)
 *     r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
 *     theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t], True))
 */
#define STORED 3
#define SCALARS 10
#define PER_TENSOR 3
#define PER_MATRIX 0
#define PER_ROW 0
#define PER_COL 0
#define PER_TILE 3
#define PER_ROW_PART 0
#define PER_COL_PART 0
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -DHAS_WEIGHT_DECAY=0 -DALWAYS_ADAPT=0
 * -DROUNDS=0
 */

/* g_sq_sum: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    real *g_sq_sum_parts = tile_parts(tensor, values, 0) + part->tile;
    real g_sq_sum = 0;
    #pragma omp simd reduction(+ : g_sq_sum)
    for (int64_t i = 0; i < length; i++) {
        const real g = factor * load(grad_type, grad + i);
        // G[t] = norm(g[t], model)
        g_sq_sum += g * g;
    }
    *g_sq_sum_parts = g_sq_sum;
}

/* G: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real g_sq_sum = values[1];
    // G[t] = norm(g[t], model)
    const real G = sqrt(g_sq_sum);
    values[0] = G;
}

/* theta, m, v, theta_prev_sq_sum, u_sq_sum: of a part of a tensor. */
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
    #if !HAS_WEIGHT_DECAY && !ALWAYS_ADAPT
        const real lr = (real)row[0];
    #endif
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real eps = (real)row[3];
    const real weight_decay = (real)row[4];
    const real inv_max_grad_norm = (real)row[5];
    const real one_minus_beta1 = (real)row[6];
    const real one_minus_beta2 = (real)row[7];
    const real inv_one_minus_beta1_t = (real)row[8];
    const real inv_sqrt_one_minus_beta2_t = (real)row[9];
    const real G = values[0];
    #if HAS_WEIGHT_DECAY || ALWAYS_ADAPT
        real *theta_prev_sq_sum_parts = tile_parts(tensor, values, 1) + part->tile;
        real theta_prev_sq_sum = 0;
        real *u_sq_sum_parts = tile_parts(tensor, values, 2) + part->tile;
        real u_sq_sum = 0;
        #pragma omp simd reduction(+ : theta_prev_sq_sum, u_sq_sum)
    #else
        #pragma omp simd
    #endif
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
        const real g_clip = g / maximum((real)1, G * inv_max_grad_norm);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g_clip;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g_clip * g_clip);
        // u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
        const real u = m * inv_one_minus_beta1_t / (sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) +
            weight_decay * theta_prev;
        #if HAS_WEIGHT_DECAY || ALWAYS_ADAPT
            // w_norm[t] = norm(theta[t - 1], elems)
            theta_prev_sq_sum += theta_prev * theta_prev;
            // u_norm[t] = norm(u[t], elems)
            u_sq_sum += u * u;
        #else
            // theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t],
            //     True))
            const real theta = theta_prev - lr * u;
            store(theta_type, theta_at + i, theta);
        #endif
        #if (!HAS_WEIGHT_DECAY && !ALWAYS_ADAPT) || !ROUNDS
            store(m_type, m_at + i, m);
            store(v_type, v_at + i, v);
        #endif
    }
    #if HAS_WEIGHT_DECAY || ALWAYS_ADAPT
        *theta_prev_sq_sum_parts = theta_prev_sq_sum;
        *u_sq_sum_parts = u_sq_sum;
    #endif
}

#if HAS_WEIGHT_DECAY || ALWAYS_ADAPT
    /* theta_prev_sq_sum, u_sq_sum, w_norm, u_norm, r: of a whole tensor. */
    static void values_3(const struct tensor *tensor, const double *row, real *values)
    {
        const real theta_prev_sq_sum = (real)summed(tile_parts(tensor, values, 1), tiles(tensor));
        const real u_sq_sum = (real)summed(tile_parts(tensor, values, 2), tiles(tensor));
        // w_norm[t] = norm(theta[t - 1], elems)
        const real w_norm = sqrt(theta_prev_sq_sum);
        // u_norm[t] = norm(u[t], elems)
        const real u_norm = sqrt(u_sq_sum);
        // r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
        const real r = (u_norm > 0 && w_norm > 0 ? w_norm / u_norm : (real)1);
        values[2] = r;
    }
#endif

#if HAS_WEIGHT_DECAY || ALWAYS_ADAPT
    /* theta, m, v: of a part of a tensor. */
    static void phase_3(const struct part *part)
    {
        const struct tensor *tensor = part->tensor;
        const double *row = part->row;
        real *values = part->values;
        #if ROUNDS
            const real factor = part->factor;
            const grad_type *grad = part->grad;
        #endif
        const int64_t length = part->cols;
        theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
        m_type *m_at = (m_type *)tensor->at[1] + part->start;
        v_type *v_at = (v_type *)tensor->at[2] + part->start;
        const real lr = (real)row[0];
        #if ROUNDS
            const real beta1 = (real)row[1];
            const real beta2 = (real)row[2];
        #endif
        const real eps = (real)row[3];
        const real weight_decay = (real)row[4];
        #if ROUNDS
            const real inv_max_grad_norm = (real)row[5];
            const real one_minus_beta1 = (real)row[6];
            const real one_minus_beta2 = (real)row[7];
        #endif
        const real inv_one_minus_beta1_t = (real)row[8];
        const real inv_sqrt_one_minus_beta2_t = (real)row[9];
        #if ROUNDS
            const real G = values[0];
        #endif
        const real r = values[2];
        #pragma omp simd
        for (int64_t i = 0; i < length; i++) {
            const real theta_prev = load(theta_type, theta_at + i);
            #if ROUNDS
                const real g = factor * load(grad_type, grad + i);
                const real m_prev = load(m_type, m_at + i);
                const real v_prev = load(v_type, v_at + i);
                // g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
                const real g_clip = g / maximum((real)1, G * inv_max_grad_norm);
                // m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
                const real m = beta1 * m_prev + one_minus_beta1 * g_clip;
                // v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
                const real v = beta2 * v_prev + one_minus_beta2 * (g_clip * g_clip);
            #else
                const real m = load(m_type, m_at + i);
                const real v = load(v_type, v_at + i);
            #endif
            // u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
            const real u = m * inv_one_minus_beta1_t / (sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) +
                weight_decay * theta_prev;
            // theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t],
            //     True))
            const real theta = theta_prev - lr * r * u;
            store(theta_type, theta_at + i, theta);
            #if ROUNDS
                store(m_type, m_at + i, m);
                store(v_type, v_at + i, v);
            #endif
        }
    }
#endif

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    struct work work;
    int found = begin(&work, group);
    if (found != STEPPED)
        return found;
    each_part(&work, phase_1);
    sum_tiles_of_all(&work, 0, 1);
    each_tensor(&work, values_2);
    each_part(&work, phase_2);
    #if HAS_WEIGHT_DECAY || ALWAYS_ADAPT
        each_tensor(&work, values_3);
        each_part(&work, phase_3);
    #endif
    return end(&work);
}
