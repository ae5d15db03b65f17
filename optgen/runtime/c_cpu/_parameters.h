/* Parameters in bfloat16, with what keeps small updates from being rounded away, and the random bits of some: all to the
 * bit as in NumPy. */
#define IS_bf16 1 /* one of another dtype has no format */
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define HALVES(pair) ((pair) << 48 | ((pair) & 0xffff0000) << 16 | ((pair) >> 16 & 0xffff0000) | (pair) >> 48)
#else
    #define HALVES(pair) (pair)
#endif

enum { EIGHTS = 514 }; /* of 4096 elements, the most that are stepped at once, and of an eight cut at either end */
union chance { uint64_t pairs[EIGHTS * 2]; uint16_t halves[EIGHTS * 8]; };

/* Words for a few counters from `first` on: Philox 4x32 of 7 rounds (Salmon, Moraes, Dror & Shaw, SC 2011). All have the
 * same upper half. Words lie in 64 bits each, of which the upper half is cut off late: no lane then looks at another. */
static inline void draw_plain(uint64_t *pairs, uint64_t first, int64_t count, uint64_t number, const uint32_t *keys)
{
    const uint32_t low = 0xffffffff;
    const uint64_t high = first >> 32;
    #pragma omp simd
    for (int64_t k = 0; k < count; k++) {
        uint64_t a = first + k, b = high, c = number, d = 0;
        for (uint32_t n = 0; n < 7; n++) {
            const uint64_t left = (a & low) * 0xd2511f53u, right = (c & low) * 0xcd9e8d57u;
            a = right >> 32 ^ b ^ (uint32_t)(keys[0] + n * 0x9e3779b9u), b = right;
            c = left >> 32 ^ d ^ (uint32_t)(keys[1] + n * 0xbb67ae85u), d = left;
        }
        const uint64_t ab = (a & low) | b << 32, cd = (c & low) | d << 32;
        pairs[2 * k] = HALVES(ab);
        pairs[2 * k + 1] = HALVES(cd);
    }
}

#ifdef __SSE2__
    #include "_philox.h"
#else
    #define draw_wide(pairs, first, count, number, keys) 0
#endif

/* 16 random bits for each of `count` elements of a tensor from `start` on, with the key (seed, step) and the counter
 * (element / 8, its upper half, tensor, 0). */
static inline const uint16_t *draw(
    union chance *chance, const struct tensor *tensor, double seed, double step, int64_t start, int64_t count)
{
    const uint32_t keys[2] = {(uint32_t)seed, (uint32_t)(int64_t)step};
    const uint64_t number = (uint32_t)tensor->number, end = ((uint64_t)(start + count) + 7) / 8;
    uint64_t *pairs = chance->pairs;
    for (uint64_t at = (uint64_t)start / 8, next; at < end; at = next) {
        next = ((at >> 32) + 1) << 32 < end ? ((at >> 32) + 1) << 32 : end; /* where the upper half is another */
        const int64_t few = (int64_t)(next - at), done = draw_wide(pairs, at, few, number, keys);
        draw_plain(pairs + 2 * done, at + done, few - done, number, keys);
        pairs += 2 * few;
    }
    return chance->halves + start % 8;
}

/* Rounded up with a chance that is the part of a step that was lost, else down. */
static inline void store_stochastic(bf16 *at, real x, uint16_t random)
{
    uint32_t bits = bits_of((float)x) + random; /* an infinity has nothing below its upper half to be rounded up */
    at->bits = x == x ? (uint16_t)(bits >> 16) : 0x7fc0;
}

/* With the rest that rounding to nearest left, in bfloat16 too. */
static inline real load_kahan(const bf16 *at, const bf16 *rest) { return load_bf16(at) + load_bf16(rest); }

static inline void store_kahan(bf16 *at, bf16 *rest, real x)
{
    uint32_t bits = bits_of((float)x), kept = bits + 0x7fff + (bits >> 16 & 1);
    float lost = (float)x - float_of(kept & 0xffff0000);
    at->bits = x == x ? (uint16_t)(kept >> 16) : 0x7fc0;
    rest->bits = lost - lost == 0 ? nearest_half(bits_of(lost)) : 0; /* nothing of what is infinite, or has become so */
}

/* With a whole number of 8 or 16 bits: by how much the lower half of a float differs from the parameter's. The parameter
 * is rounded half up, and so is the rest of 8 bits: then it is never too large but for one number. */
static inline real load_split8(const bf16 *at, const int8_t *rest)
{
    return (real)float_of(((uint32_t)at->bits << 16) + ((uint32_t)*rest << 8));
}

static inline real load_split16(const bf16 *at, const int16_t *rest)
{
    return (real)float_of(((uint32_t)at->bits << 16) + (uint32_t)*rest);
}

static inline int32_t lower_half(bf16 *at, real x)
{
    uint32_t bits = bits_of((float)x), upper = (bits + 0x8000) >> 16;
    at->bits = (uint16_t)(x == x ? upper : 0x7fc0);
    return x == x ? (int32_t)(bits - (upper << 16)) : 0;
}

static inline void store_split8(bf16 *at, int8_t *rest, real x)
{
    int32_t near = (lower_half(at, x) + 0x80) >> 8;
    *rest = (int8_t)(near < 127 ? near : 127);
}

static inline void store_split16(bf16 *at, int16_t *rest, real x) { *rest = (int16_t)lower_half(at, x); }

/* With the float itself. Where a parameter is no longer its nearest bfloat16, it was changed by others. */
static inline real load_master(const bf16 *at, const fp32 *master)
{
    return nearest_bf16(*master) == at->bits ? (real)*master : load_bf16(at);
}

static inline void store_master(bf16 *at, fp32 *master, real x) { store_bf16(at, x), *master = (fp32)x; }
