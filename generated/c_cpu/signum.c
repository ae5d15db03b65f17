/* Signum. Written by optgen 0.1.0 (format 1) from rules/signum.py; do not edit.
 *
 *     optgen build signum --backend c
 *
 * Bernstein, Wang, Azizzadenesheli & Anandkumar, signSGD: Compressed Optimisation for Non-Convex Problems, ICML 2018,
 * https://arxiv.org/abs/1802.04434, Algorithm 2; signSGD with momentum=0. Numbers as pytorch_optimizer.SignSGD.
 *
 *     m[t] = momentum*m[t - 1] + (1 - momentum)*g[t]
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sign(m[t])
 */
#define STORED 2
#define SCALARS 4
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    const real lr = (real)row[0];
    const real momentum = (real)row[1];
    const real one_minus_momentum = (real)row[2];
    const real one_minus_lr_weight_decay = (real)row[3];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        // m[t] = momentum*m[t - 1] + (1 - momentum)*g[t]
        const real m = momentum * m_prev + one_minus_momentum * g;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sign(m[t])
        const real theta = theta_prev * one_minus_lr_weight_decay - lr * sign(m);
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
