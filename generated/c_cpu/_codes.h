/* Codes: whole numbers that stand for numbers over the largest absolute value of their block, of which each has one. */
#include <float.h>

/* In one instruction: a NaN is kept only if it is x. */
static inline real larger(real x, real y) { return y > x ? y : x; }
static inline real smaller(real x, real y) { return y < x ? y : x; }

/* The largest absolute value, found by the bits of floats: those of a NaN are above all others. */
static inline float largest_of(const real *values, int64_t count)
{
    uint32_t largest = 0;
    #pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < count; i++) {
        uint32_t size = bits_of((float)values[i]) & 0x7fffffff;
        largest = size > largest ? size : largest;
    }
    return float_of(largest);
}

/* What numbers are multiplied by before they are encoded: 0 where the largest is too small, which leaves zeros. */
static inline float inverse_of(float largest)
{
    return largest < FLT_MIN ? 0 : 1 / largest;
}

/* Which of the floats from 0 on is nearest to x: they have so many binary digits after the first, and are evenly spaced
 * below 1 / span. At least the place `least`. Bits of float count them, but for those that are evenly spaced.
 */
static inline real float_place(real x, int32_t digits, double span, int32_t least)
{
    const float size = (float)x * (float)span;
    const double even = (size < 1 ? (float)x : 0) * span * 8388608;
    const int32_t bits = size < 1 ? (int32_t)rint(even) : (int32_t)bits_of(size) - 126 * 8388608;
    const int32_t place = (bits + (1 << (22 - digits))) >> (23 - digits);
    return (real)(place > least ? place : least);
}

/* Whether no number of a block is infinite or a NaN, so that its codes can be rounded without looking. */
static inline int is_finite(float largest)
{
    return largest <= FLT_MAX;
}

/* The whole part, as one of the codes from 0 to `last`. */
static inline uint8_t whole(real code, int32_t last)
{
    int32_t place = (int32_t)code;
    place = place > 0 ? place : 0;
    return (uint8_t)(place < last ? place : last);
}

/* Two codes lie in a byte, the first of them in its lower half. */
static inline void join(uint8_t *bytes, const uint8_t *codes, int64_t count)
{
    #pragma omp simd
    for (int64_t i = 0; i < (count + 1) / 2; i++)
        bytes[i] = (uint8_t)(codes[2 * i] | codes[2 * i + 1] << 4);
}

static inline void split(uint8_t *codes, const uint8_t *bytes, int64_t count)
{
    #pragma omp simd
    for (int64_t i = 0; i < (count + 1) / 2; i++) {
        codes[2 * i] = bytes[i] & 15;
        codes[2 * i + 1] = bytes[i] >> 4;
    }
}

/* The numbers that codes stand for, times the largest of their block. A table has 256, be there fewer codes. */
static inline void look_up(real *values, const uint8_t *codes, const float *numbers, float largest, int64_t count)
{
    #pragma omp simd
    for (int64_t i = 0; i < count; i++)
        values[i] = (real)(numbers[codes[i]] * largest);
}

#define IS_float 1
#ifdef __AVX512VBMI__
    #if JOIN(IS_, real)
        #include "_vbmi.h"
    #endif
#endif
#ifndef WIDE
struct table { const float *numbers; };

static inline struct table table_of(const float *numbers)
{
    struct table table = {numbers};
    return table;
}

static inline void decode(real *values, const uint8_t *codes, const struct table *table, float largest, int64_t count)
{
    look_up(values, codes, table->numbers, largest, count);
}
#endif
