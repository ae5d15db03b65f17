/* Numbers: how they are stored, and the arithmetic that C lacks. `real` is float or double, by the command line. */
#include <stdint.h>
#include <string.h>
#include <tgmath.h>
#undef I

typedef float fp32;
typedef double fp64;
typedef struct { uint16_t bits; } bf16;
typedef struct { uint16_t bits; } fp16;

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline real load_fp32(const fp32 *at) { return (real)*at; }
static inline real load_fp64(const fp64 *at) { return (real)*at; }
static inline void store_fp32(fp32 *at, real x) { *at = (fp32)x; }
static inline void store_fp64(fp64 *at, real x) { *at = (fp64)x; }

/* bf16 is the upper half of a float. Stored to nearest, ties to even; a NaN stays one. Halves are added up, since vectors
 * hold twice as many of them as of floats. */
static inline real load_bf16(const bf16 *at) { return (real)float_of((uint32_t)at->bits << 16); }

static inline uint16_t nearest_half(uint32_t bits)
{
    uint16_t high = (uint16_t)(bits >> 16), low = (uint16_t)bits, tie = (uint16_t)(0x8000 - (high & 1));
    return (uint16_t)(high + (low > tie));
}

static inline uint16_t nearest_bf16(float x) { return x == x ? nearest_half(bits_of(x)) : 0x7fc0; }
static inline void store_bf16(bf16 *at, real x) { at->bits = nearest_bf16((float)x); }

static inline real to_bfloat16(real x)
{
    bf16 kept;
    store_bf16(&kept, x);
    return load_bf16(&kept);
}

/* fp16 by integers: compilers vectorise that, and conversions of _Float16 without AVX512-FP16 they do not. */
static inline real load_fp16(const fp16 *at)
{
    uint32_t size = (at->bits & 0x7fffu) << 13, exponent = size & 0x0f800000;
    uint32_t normal = size + 0x38000000 + (exponent == 0x0f800000 ? 0x38000000 : 0);
    float subnormal = float_of(normal + 0x00800000) - float_of(0x38800000); /* 2^-14 more, and less */
    uint32_t bits = exponent ? normal : bits_of(subnormal);
    return (real)float_of(bits | (at->bits & 0x8000u) << 16);
}

static inline void store_fp16(fp16 *at, real x)
{
    uint32_t bits = bits_of((float)x), size = bits & 0x7fffffff;
    uint32_t exponent = (size & 0x7f800000) < 0x38800000 ? 0x38800000 : size & 0x7f800000;
    float large = float_of(exponent + 0x06800000); /* a sum with 2^13 times as much is rounded to fp16's last place */
    uint32_t nearest = bits_of(float_of(size) + large) - bits_of(large) + ((exponent - 0x38800000) >> 13);
    uint32_t beyond = size > 0x7f800000 ? 0x7e00 : 0x7c00;
    at->bits = (uint16_t)((size < 0x47800000 ? nearest : beyond) | (bits >> 16 & 0x8000));
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define load(type, at) JOIN(load_, type)(at)
#define store(type, at, x) JOIN(store_, type)(at, x)

/* A NaN in either is kept. gcc takes each choice for itself into vectors, but not two conditions of one. */
static inline real maximum(real x, real y)
{
    const real larger = x > y ? x : y;
    return x != x ? x : larger;
}

static inline real minimum(real x, real y)
{
    const real smaller = x < y ? x : y;
    return x != x ? x : smaller;
}

/* e^x: of a float computed in double, within 0.51 of a place, since a loop goes into vectors where it calls nothing of a
 * library. What is added to a number of twos and taken away again leaves the whole part of it in the lowest bits. */
static inline real exponential(real x)
{
    if (sizeof x > sizeof(float))
        return exp(x);
    const double log2_e = 1.4426950408889634, ln_2 = 0.6931471805599453, whole = 6755399441055744; /* 1.5 * 2^52 */
    const double y = minimum(maximum(x, -150), 130); /* beyond, a float is 0 or infinite */
    const double shifted = y * log2_e + whole, r = y - (shifted - whole) * ln_2;
    const double high = 1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040 + r * (1.0 / 40320))));
    const double part = 1 + r * (1 + r * (1.0 / 2 + r * (1.0 / 6 + r * high)));
    uint64_t bits;
    double twos;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&twos, &bits, sizeof bits);
    return (real)(part * twos);
}

static inline real sign(real x) { return (x > 0) - (x < 0); } /* 0 of a NaN, as torch.sign */
static inline real power(real x, real y) { return pow(x, y); }
