/* SGD. Written by optgen 0.1.0 (format 1) from rules/sgd.py; do not edit.
 *
 *     optgen build sgd --backend c
 *
 * Robbins & Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586; momentum and
 * Nesterov's as in Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep
 * learning, ICML 2013, https://proceedings.mlr.press/v28/sutskever13.html. Numbers as torch.optim.SGD.
 *
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
 *     b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
 *     d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)), (g_wd[t],
 *         True))
 *     theta[t] = theta[t - 1] - lr*d[t]
 */
#define STORED 2
#define SCALARS 5
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Db_type=fp32 -DHAS_WEIGHT_DECAY=0 -DNESTEROV=0 -DHAS_MOMENTUM=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    #if HAS_MOMENTUM
        b_type *b_at = (b_type *)tensor->at[1] + start;
    #endif
    const real lr = (real)row[0];
    #if HAS_MOMENTUM
        const real momentum = (real)row[1];
    #endif
    #if HAS_WEIGHT_DECAY
        const real weight_decay = (real)row[2];
    #endif
    #if HAS_MOMENTUM
        const int first = row[3] != 0;
        const real one_minus_dampening = (real)row[4];
    #endif
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        #if HAS_MOMENTUM
            const real b_prev = load(b_type, b_at + i);
        #endif
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        #if HAS_WEIGHT_DECAY
            const real g_wd = g + weight_decay * theta_prev;
        #else
            const real g_wd = g;
        #endif
        #if HAS_MOMENTUM
            // b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
            const real b = (first ? g_wd : momentum * b_prev + one_minus_dampening * g_wd);
        #endif
        // d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)),
        //     (g_wd[t], True))
        #if HAS_MOMENTUM
            #if NESTEROV
                const real d = g_wd + momentum * b;
            #else
                const real d = b;
            #endif
        #else
            const real d = g_wd;
        #endif
        // theta[t] = theta[t - 1] - lr*d[t]
        const real theta = theta_prev - lr * d;
        store(theta_type, theta_at + i, theta);
        #if HAS_MOMENTUM
            store(b_type, b_at + i, b);
        #endif
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
