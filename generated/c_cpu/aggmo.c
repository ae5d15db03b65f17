/* AggMo. Written by optgen 0.1.0 (format 1) from rules/aggmo.py; do not edit.
 *
 *     optgen build aggmo --backend c
 *
 * Lucas, Sun, Zemel & Grosse, Aggregated Momentum: Stability Through Passive Damping, ICLR 2019,
 * https://arxiv.org/abs/1804.00325, equation 4, with three velocities. Numbers as pytorch_optimizer.AggMo with
 * weight_decouple=True.
 *
 *     v1[t] = beta1*v1[t - 1] + g[t]
 *     v2[t] = beta2*v2[t - 1] + g[t]
 *     v3[t] = beta3*v3[t - 1] + g[t]
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
 */
#define STORED 4
#define SCALARS 5
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dv1_type=fp32 -Dv2_type=fp32 -Dv3_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    v1_type *v1_at = (v1_type *)tensor->at[1] + start;
    v2_type *v2_at = (v2_type *)tensor->at[2] + start;
    v3_type *v3_at = (v3_type *)tensor->at[3] + start;
    const real beta1 = (real)row[0];
    const real beta2 = (real)row[1];
    const real beta3 = (real)row[2];
    const real one_minus_lr_weight_decay = (real)row[3];
    const real lr_over_three = (real)row[4];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real v1_prev = load(v1_type, v1_at + i);
        const real v2_prev = load(v2_type, v2_at + i);
        const real v3_prev = load(v3_type, v3_at + i);
        // v1[t] = beta1*v1[t - 1] + g[t]
        const real v1 = beta1 * v1_prev + g;
        // v2[t] = beta2*v2[t - 1] + g[t]
        const real v2 = beta2 * v2_prev + g;
        // v3[t] = beta3*v3[t - 1] + g[t]
        const real v3 = beta3 * v3_prev + g;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
        const real theta = theta_prev * one_minus_lr_weight_decay - lr_over_three * (v1 + v2 + v3);
        store(theta_type, theta_at + i, theta);
        store(v1_type, v1_at + i, v1);
        store(v2_type, v2_at + i, v2);
        store(v3_type, v3_at + i, v3);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
