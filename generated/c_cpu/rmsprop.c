/* RMSprop. Written by optgen 0.1.0 (format 1) from rules/rmsprop.py; do not edit.
 *
 *     optgen build rmsprop --backend c
 *
 * Tieleman & Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012; centered as in Graves,
 * Generating Sequences With Recurrent Neural Networks, 2013, https://arxiv.org/abs/1308.0850, equations 38 to 45.
 * Numbers as torch.optim.RMSprop: eps is added outside the root, the learning rate stays outside the momentum buffer.
 *
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
 *     v[t] = alpha*v[t - 1] + (1 - alpha)*g_wd[t]**2
 *     a[t] = alpha*a[t - 1] + (1 - alpha)*g_wd[t]
 *     s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
 *     u[t] = g_wd[t]/(sqrt(s[t]) + eps)
 *     b[t] = momentum*b[t - 1] + u[t]
 *     d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
 *     theta[t] = theta[t - 1] - lr*d[t]
 */
#define STORED 4
#define SCALARS 6
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dv_type=fp32 -Db_type=fp32 -Da_type=fp32 -DHAS_WEIGHT_DECAY=0
 * -DCENTERED=0 -DHAS_MOMENTUM=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    v_type *v_at = (v_type *)tensor->at[1] + start;
    #if HAS_MOMENTUM
        b_type *b_at = (b_type *)tensor->at[2] + start;
    #endif
    #if CENTERED
        a_type *a_at = (a_type *)tensor->at[3] + start;
    #endif
    const real lr = (real)row[0];
    const real alpha = (real)row[1];
    const real eps = (real)row[2];
    #if HAS_WEIGHT_DECAY
        const real weight_decay = (real)row[3];
    #endif
    #if HAS_MOMENTUM
        const real momentum = (real)row[4];
    #endif
    const real one_minus_alpha = (real)row[5];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real v_prev = load(v_type, v_at + i);
        #if HAS_MOMENTUM
            const real b_prev = load(b_type, b_at + i);
        #endif
        #if CENTERED
            const real a_prev = load(a_type, a_at + i);
        #endif
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        #if HAS_WEIGHT_DECAY
            const real g_wd = g + weight_decay * theta_prev;
        #else
            const real g_wd = g;
        #endif
        // v[t] = alpha*v[t - 1] + (1 - alpha)*g_wd[t]**2
        const real v = alpha * v_prev + one_minus_alpha * (g_wd * g_wd);
        #if CENTERED
            // a[t] = alpha*a[t - 1] + (1 - alpha)*g_wd[t]
            const real a = alpha * a_prev + one_minus_alpha * g_wd;
        #endif
        // s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
        #if CENTERED
            const real s = v - a * a;
        #else
            const real s = v;
        #endif
        // u[t] = g_wd[t]/(sqrt(s[t]) + eps)
        const real u = g_wd / (sqrt(s) + eps);
        #if HAS_MOMENTUM
            // b[t] = momentum*b[t - 1] + u[t]
            const real b = momentum * b_prev + u;
        #endif
        // d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
        #if HAS_MOMENTUM
            const real d = b;
        #else
            const real d = u;
        #endif
        // theta[t] = theta[t - 1] - lr*d[t]
        const real theta = theta_prev - lr * d;
        store(theta_type, theta_at + i, theta);
        store(v_type, v_at + i, v);
        #if HAS_MOMENTUM
            store(b_type, b_at + i, b);
        #endif
        #if CENTERED
            store(a_type, a_at + i, a);
        #endif
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
