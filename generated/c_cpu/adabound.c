/* AdaBound. Written by optgen 0.1.0 (format 1) from rules/adabound.py; do not edit.
 *
 *     optgen build adabound --backend c
 *
 * Luo, Xiong, Liu & Sun, Adaptive Gradient Methods with Dynamic Bound of Learning Rate, ICLR 2019,
 * https://arxiv.org/abs/1902.09843, Algorithm 2. Numbers as pytorch_optimizer.AdaBound, which adds 1e-15 to v; the
 * bounds follow the learning rate from its first value, which is kept.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
 *     base[t] = Piecewise((base[t - 1], base[t - 1] > 0), (lr, True))
 *     last[t] = Piecewise((final_lr*lr/base[t], base[t] > 0), (0, True))
 *     eta[t] = Min(Max(lr*sqrt(1 - beta2**t)/(1 - beta1**t)/(sqrt(v[t] + 1.0e-15) + eps), last[t]*(1 - 1/(gamma*t +
 *         1))), last[t]*(1 + 1/(gamma*t)))
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - eta[t]*m[t]
 */
#define STORED 3
#define SCALARS 9
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    v_type *v_at = (v_type *)tensor->at[2] + start;
    const real beta1 = (real)row[0];
    const real beta2 = (real)row[1];
    const real eps = (real)row[2];
    const real one_minus_beta1 = (real)row[3];
    const real one_minus_beta2 = (real)row[4];
    const real eta_scale = (real)row[5];
    const real eta_scale2 = (real)row[6];
    const real last_one_plus_inv_gamma_t = (real)row[7];
    const real one_minus_lr_weight_decay = (real)row[8];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g * g);
        // eta[t] = Min(Max(lr*sqrt(1 - beta2**t)/(1 - beta1**t)/(sqrt(v[t] + 1.0e-15) + eps), last[t]*(1 -
        //     1/(gamma*t + 1))), last[t]*(1 + 1/(gamma*t)))
        const real eta =
            minimum(maximum(eta_scale / (sqrt(v + (real)1e-15) + eps), eta_scale2), last_one_plus_inv_gamma_t);
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - eta[t]*m[t]
        const real theta = theta_prev * one_minus_lr_weight_decay - eta * m;
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
