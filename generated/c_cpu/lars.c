/* LARS. Written by optgen 0.1.0 (format 1) from rules/lars.py; do not edit.
 *
 *     optgen build lars --backend c
 *
 * You, Gitman & Ginsburg, Large Batch Training of Convolutional Networks, 2017, https://arxiv.org/abs/1708.03888,
 * Algorithm 1; trust_clip: LARC. Numbers as timm.optim.Lars with dampening=0, which adapts nothing where weight_decay
 * is 0.
 *
 *     w_norm[t] = norm(theta[t - 1], elems)
 *     g_norm[t] = norm(g[t], elems)
 *     r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0) &
 *         (w_norm[t] > 0)), (1, True))
 *     trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
 *     g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t], True))
 *     b[t] = momentum*b[t - 1] + g_used[t]
 *     d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
 *     theta[t] = theta[t - 1] - lr*d[t]
 */
#define STORED 2
#define SCALARS 6
#define PER_TENSOR 1
#define PER_MATRIX 0
#define PER_ROW 0
#define PER_COL 0
#define PER_TILE 2
#define PER_ROW_PART 0
#define PER_COL_PART 0
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Db_type=fp32 -DTRUST_CLIP=0 -DHAS_WEIGHT_DECAY=0 -DNESTEROV=0
 */

/* theta, b, theta_prev_sq_sum, g_sq_sum: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    #if !HAS_WEIGHT_DECAY
        const double *row = part->row;
    #else
        real *values = part->values;
    #endif
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    #if !HAS_WEIGHT_DECAY
        b_type *b_at = (b_type *)tensor->at[1] + part->start;
        const real lr = (real)row[0];
        const real momentum = (real)row[1];
        #pragma omp simd
    #else
        real *theta_prev_sq_sum_parts = tile_parts(tensor, values, 0) + part->tile;
        real theta_prev_sq_sum = 0;
        real *g_sq_sum_parts = tile_parts(tensor, values, 1) + part->tile;
        real g_sq_sum = 0;
        #pragma omp simd reduction(+ : theta_prev_sq_sum, g_sq_sum)
    #endif
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        #if !HAS_WEIGHT_DECAY
            const real b_prev = load(b_type, b_at + i);
            // g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t],
            //     True))
            const real g_used = g;
            // b[t] = momentum*b[t - 1] + g_used[t]
            const real b = momentum * b_prev + g_used;
            // d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
            #if NESTEROV
                const real d = g_used + momentum * b;
            #else
                const real d = b;
            #endif
            // theta[t] = theta[t - 1] - lr*d[t]
            const real theta = theta_prev - lr * d;
            store(theta_type, theta_at + i, theta);
            store(b_type, b_at + i, b);
        #else
            // w_norm[t] = norm(theta[t - 1], elems)
            theta_prev_sq_sum += theta_prev * theta_prev;
            // g_norm[t] = norm(g[t], elems)
            g_sq_sum += g * g;
        #endif
    }
    #if HAS_WEIGHT_DECAY
        *theta_prev_sq_sum_parts = theta_prev_sq_sum;
        *g_sq_sum_parts = g_sq_sum;
    #endif
}

#if HAS_WEIGHT_DECAY
    /* theta_prev_sq_sum, g_sq_sum, w_norm, g_norm, r, trust: of a whole tensor. */
    static void values_2(const struct tensor *tensor, const double *row, real *values)
    {
        const real weight_decay = (real)row[2];
        const real trust_coeff = (real)row[3];
        const real eps = (real)row[4];
        #if TRUST_CLIP
            const real trust_scale = (real)row[5];
        #endif
        const real theta_prev_sq_sum = (real)summed(tile_parts(tensor, values, 0), tiles(tensor));
        const real g_sq_sum = (real)summed(tile_parts(tensor, values, 1), tiles(tensor));
        // w_norm[t] = norm(theta[t - 1], elems)
        const real w_norm = sqrt(theta_prev_sq_sum);
        // g_norm[t] = norm(g[t], elems)
        const real g_norm = sqrt(g_sq_sum);
        // r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0)
        //     & (w_norm[t] > 0)), (1, True))
        const real r =
            (g_norm > 0 && w_norm > 0 ? trust_coeff * w_norm / (g_norm + weight_decay * w_norm + eps) : (real)1);
        // trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
        #if TRUST_CLIP
            const real trust = minimum(r * trust_scale, (real)1);
        #else
            const real trust = r;
        #endif
        values[0] = trust;
    }
#endif

#if HAS_WEIGHT_DECAY
    /* theta, b: of a part of a tensor. */
    static void phase_2(const struct part *part)
    {
        const struct tensor *tensor = part->tensor;
        const double *row = part->row;
        real *values = part->values;
        const real factor = part->factor;
        const grad_type *grad = part->grad;
        const int64_t length = part->cols;
        theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
        b_type *b_at = (b_type *)tensor->at[1] + part->start;
        const real lr = (real)row[0];
        const real momentum = (real)row[1];
        const real weight_decay = (real)row[2];
        const real trust = values[0];
        #pragma omp simd
        for (int64_t i = 0; i < length; i++) {
            const real theta_prev = load(theta_type, theta_at + i);
            const real g = factor * load(grad_type, grad + i);
            const real b_prev = load(b_type, b_at + i);
            // g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t],
            //     True))
            const real g_used = trust * (g + weight_decay * theta_prev);
            // b[t] = momentum*b[t - 1] + g_used[t]
            const real b = momentum * b_prev + g_used;
            // d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
            #if NESTEROV
                const real d = g_used + momentum * b;
            #else
                const real d = b;
            #endif
            // theta[t] = theta[t - 1] - lr*d[t]
            const real theta = theta_prev - lr * d;
            store(theta_type, theta_at + i, theta);
            store(b_type, b_at + i, b);
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
    #if HAS_WEIGHT_DECAY
        each_tensor(&work, values_2);
        each_part(&work, phase_2);
    #endif
    return end(&work);
}
