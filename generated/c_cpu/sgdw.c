/* SGDW. Written by optgen 0.1.0 (format 1) from rules/sgdw.py; do not edit.
 *
 *     optgen build sgdw --backend c
 *
 * Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019, https://arxiv.org/abs/1711.05101, Algorithm
 * 1. Numbers as pytorch_optimizer.SGDW with dampening=0.
 *
 *     b[t] = momentum*b[t - 1] + g[t]
 *     d[t] = Piecewise((g[t] + momentum*b[t], nesterov), (b[t], True))
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*d[t]
 */
#define STORED 2
#define SCALARS 3
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Db_type=fp32 -DNESTEROV=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    b_type *b_at = (b_type *)tensor->at[1] + start;
    const real lr = (real)row[0];
    const real momentum = (real)row[1];
    const real one_minus_lr_weight_decay = (real)row[2];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real b_prev = load(b_type, b_at + i);
        // b[t] = momentum*b[t - 1] + g[t]
        const real b = momentum * b_prev + g;
        // d[t] = Piecewise((g[t] + momentum*b[t], nesterov), (b[t], True))
        #if NESTEROV
            const real d = g + momentum * b;
        #else
            const real d = b;
        #endif
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*d[t]
        const real theta = theta_prev * one_minus_lr_weight_decay - lr * d;
        store(theta_type, theta_at + i, theta);
        store(b_type, b_at + i, b);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
