/* Sophia. Written by optgen 0.1.0 (format 1) from rules/sophia.py; do not edit.
 *
 *     optgen build sophia --backend c
 *
 * Liu, Li, Hall, Liang & Ma, Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training,
 * ICLR 2024, https://arxiv.org/abs/2305.14342, Algorithm 3, with the estimate of Algorithm 2. Numbers as SophiaG of
 * github.com/Liuhong99/Sophia. `hessian` is the square of the gradient of a loss whose labels are drawn from the
 * model, bs the number of tokens of a batch. Give it once in k steps, 10 in the paper, where the authors call
 * update_hessian before the step; all other steps go without.
 *
 *     h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15), 1))
 */
#define STORED 4
#define SCALARS 7
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dh_type=fp32 -DH_type=fp32 -DHAS_H=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    #if HAS_H
        H_type *H_at = (H_type *)tensor->at[3] + start;
    #endif
    m_type *m_at = (m_type *)tensor->at[1] + start;
    h_type *h_at = (h_type *)tensor->at[2] + start;
    const real lr = (real)row[0];
    const real beta1 = (real)row[1];
    #if HAS_H
        const real beta2 = (real)row[2];
        const real one_minus_beta2 = (real)row[3];
    #endif
    const real one_minus_beta1 = (real)row[4];
    const real one_minus_lr_weight_decay = (real)row[5];
    const real rho_bs = (real)row[6];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        #if HAS_H
            const real H = load(H_type, H_at + i);
        #endif
        const real m_prev = load(m_type, m_at + i);
        const real h_prev = load(h_type, h_at + i);
        // h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
        #if HAS_H
            const real h = beta2 * h_prev + one_minus_beta2 * H;
        #else
            const real h = h_prev;
        #endif
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15),
        //     1))
        const real theta = theta_prev * one_minus_lr_weight_decay -
            lr * (sign(m) * minimum(fabs(m) / (rho_bs * h + (real)1e-15), (real)1));
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        #if HAS_H
            store(h_type, h_at + i, h);
        #endif
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
