/* ScheduleFreeSGD. Written by optgen 0.1.0 (format 1) from rules/schedulefreesgd.py; do not edit.
 *
 *     optgen build schedulefreesgd --backend c
 *
 * Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, The Road Less Scheduled, NeurIPS 2024,
 * https://arxiv.org/abs/2405.15682, Equations 3 to 5. Numbers as schedulefree.SGDScheduleFree, with a count for each
 * parameter, which is y in training and the average x in evaluation: train(), eval().
 *
 *     a[t] = lr*Piecewise((t/warmup_steps, t < warmup_steps), (1, True))
 *     l_max[t] = Max(l_max[t - 1], a[t])
 *     w[t] = t**r*l_max[t]**weight_lr_power
 *     W[t] = W[t - 1] + w[t]
 *     c[t] = Piecewise((w[t]/W[t], W[t] > 0), (0, True))
 *     g_wd[t] = g[t] + weight_decay*theta[t - 1]
 *     theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(momentum*(1 - c[t]) - 1)*g_wd[t]
 *     z[t] = z[t - 1] - a[t]*g_wd[t]
 *     and by train():
 *     theta[t] = theta[t - 1] + (1 - momentum)*(z[t - 1] - theta[t - 1])
 *     and by eval():
 *     theta[t] = theta[t - 1] + (1 - 1/momentum)*(z[t - 1] - theta[t - 1])
 */
#define STORED 2
#define SCALARS 4
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dz_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    z_type *z_at = (z_type *)tensor->at[1] + start;
    const real weight_decay = (real)row[0];
    const real a = (real)row[1];
    const real c = (real)row[2];
    const real theta_scale = (real)row[3];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real z_prev = load(z_type, z_at + i);
        // g_wd[t] = g[t] + weight_decay*theta[t - 1]
        const real g_wd = g + weight_decay * theta_prev;
        // theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(momentum*(1 - c[t]) - 1)*g_wd[t]
        const real theta = theta_prev + c * (z_prev - theta_prev) + theta_scale * g_wd;
        // z[t] = z[t - 1] - a[t]*g_wd[t]
        const real z = z_prev - a * g_wd;
        store(theta_type, theta_at + i, theta);
        store(z_type, z_at + i, z);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
