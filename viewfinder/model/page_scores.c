/* Late interaction over pages as bytes: for each page the sum, over the query's tokens, of the largest product.

   A vector is 128 numbers, stored 128 higher as unsigned bytes; sixteen vectors are a block, in which four numbers of each
   stand side by side: number 4g + k of vector v is byte 64g + 4v + k. So one instruction multiplies four numbers of
   sixteen vectors, sums stay in their lanes, and the largest is taken without a sum across lanes.
   `starts` are blocks where pages begin, and their number at the end. `query` is whole tens of tokens (zeros at the end), with
   128 times the sum of each in `shift`. */

#include <stdint.h>
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>
#define TOKENS 10

static inline long ten_tokens(const uint8_t *pages, long blocks, const int32_t *query, const int32_t *shift) {
    __m512i best[TOKENS];
    for (int t = 0; t < TOKENS; t++) best[t] = _mm512_set1_epi32(INT32_MIN);
    for (long b = 0; b < blocks; b++, pages += 2048) {
        __m512i sums[TOKENS];
        for (int t = 0; t < TOKENS; t++) sums[t] = _mm512_setzero_si512();
        for (int g = 0; g < 32; g++) {
            __m512i four = _mm512_loadu_si512(pages + 64 * g);
#pragma GCC unroll 10
            for (int t = 0; t < TOKENS; t++) {
                sums[t] = _mm512_dpbusd_epi32(sums[t], four, _mm512_set1_epi32(query[32 * t + g]));
            }
        }
#pragma GCC unroll 10
        for (int t = 0; t < TOKENS; t++) best[t] = _mm512_max_epi32(best[t], sums[t]);
    }
    long sum = 0;
    for (int t = 0; t < TOKENS; t++) sum += _mm512_reduce_max_epi32(best[t]) - shift[t];
    return sum;
}

void page_scores(const uint8_t *pages, const long *starts, const int32_t *query, const int32_t *shift, float *out,
                 long count, long tokens) {
#pragma omp parallel for schedule(dynamic, 16)
    for (long p = 0; p < count; p++) {
        long sum = 0;
        for (long t = 0; t < tokens; t += TOKENS) {
            sum += ten_tokens(pages + 2048 * starts[p], starts[p + 1] - starts[p], query + 32 * t, shift + t);
        }
        out[p] = (float)sum;
    }
}
#endif
