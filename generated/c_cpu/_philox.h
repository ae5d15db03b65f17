/* Philox: the same words of random bits from as many counters at a time as a register of x86 has 64 bits: compilers do not
 * find its product of 32 bits in them. */
#include <immintrin.h>
#if defined __AVX512F__
    typedef __m512i lanes;
    #define ON(name) JOIN(_mm512_, name)
    #define WHOLE(name) JOIN(JOIN(_mm512_, name), _si512)
    #define EVERY(x) _mm512_set1_epi64((int64_t)(x))
#elif defined __AVX2__
    typedef __m256i lanes;
    #define ON(name) JOIN(_mm256_, name)
    #define WHOLE(name) JOIN(JOIN(_mm256_, name), _si256)
    #define EVERY(x) _mm256_set1_epi64x((int64_t)(x))
#else
    typedef __m128i lanes;
    #define ON(name) JOIN(_mm_, name)
    #define WHOLE(name) JOIN(JOIN(_mm_, name), _si128)
    #define EVERY(x) _mm_set1_epi64x((int64_t)(x))
#endif
enum { LANES = sizeof(lanes) / 8 };

/* Words of counters from `first` on, as many as there are whole registers: how many. All have the same upper half. */
static inline int64_t draw_wide(uint64_t *pairs, uint64_t first, int64_t count, uint64_t number, const uint32_t *keys)
{
    int64_t place[LANES], done = 0; /* of the counter of each lane, such that pairs are in order when interleaved */
    for (int64_t k = 0; k < LANES; k++)
        place[k] = k / 2 + k % 2 * (LANES / 2);
    const lanes places = WHOLE(loadu)((const lanes *)place), low = EVERY(0xffffffff);
    for (; done + LANES <= count; done += LANES) {
        lanes a = ON(add_epi64)(EVERY(first + done), places), b = EVERY((first + done) >> 32), c = EVERY(number);
        lanes d = EVERY(0);
        for (uint32_t n = 0; n < 7; n++) {
            const lanes left = ON(mul_epu32)(a, EVERY(0xd2511f53u)), right = ON(mul_epu32)(c, EVERY(0xcd9e8d57u));
            const lanes key = EVERY((uint32_t)(keys[0] + n * 0x9e3779b9u));
            const lanes other = EVERY((uint32_t)(keys[1] + n * 0xbb67ae85u));
            a = WHOLE(xor)(WHOLE(xor)(ON(srli_epi64)(right, 32), b), key), b = right;
            c = WHOLE(xor)(WHOLE(xor)(ON(srli_epi64)(left, 32), d), other), d = left;
        }
        a = WHOLE(or)(WHOLE(and)(a, low), ON(slli_epi64)(b, 32));
        c = WHOLE(or)(WHOLE(and)(c, low), ON(slli_epi64)(d, 32));
        WHOLE(storeu)((lanes *)(pairs + 2 * done), ON(unpacklo_epi64)(a, c));
        WHOLE(storeu)((lanes *)(pairs + 2 * done + LANES), ON(unpackhi_epi64)(a, c));
    }
    return done;
}
