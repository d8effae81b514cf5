/* Product of a bfloat16 matrix with a float32 vector, at the speed of reading the matrix: out[r] = sum_i w[r][i] * x[i].

   A bfloat16 is the upper half of a float32, so two neighbours in one 32-bit word widen by a shift and a
   mask. x comes split into its even and odd elements to match. Four rows at a time keep four independent
   sums in flight and read x once. */

#include <stdint.h>
#include <string.h>

static inline float as_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float row_sum(const uint32_t *restrict w, const float *restrict even, const float *restrict odd, long pairs) {
    float sum = 0;
    for (long i = 0; i < pairs; i++) {
        sum += as_float(w[i] << 16) * even[i] + as_float(w[i] & 0xffff0000u) * odd[i];
    }
    return sum;
}

void narrow_matvec(const uint32_t *restrict w, const float *restrict even, const float *restrict odd, float *restrict out,
                   long rows, long pairs) {
    long blocks = rows / 4;
#pragma omp parallel for schedule(static)
    for (long b = 0; b < blocks; b++) {
        const uint32_t *w0 = w + 4 * b * pairs, *w1 = w0 + pairs, *w2 = w1 + pairs, *w3 = w2 + pairs;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (long i = 0; i < pairs; i++) {
            float e = even[i], o = odd[i];
            s0 += as_float(w0[i] << 16) * e + as_float(w0[i] & 0xffff0000u) * o;
            s1 += as_float(w1[i] << 16) * e + as_float(w1[i] & 0xffff0000u) * o;
            s2 += as_float(w2[i] << 16) * e + as_float(w2[i] & 0xffff0000u) * o;
            s3 += as_float(w3[i] << 16) * e + as_float(w3[i] & 0xffff0000u) * o;
        }
        out[4 * b] = s0, out[4 * b + 1] = s1, out[4 * b + 2] = s2, out[4 * b + 3] = s3;
    }
    for (long r = 4 * blocks; r < rows; r++) out[r] = row_sum(w + r * pairs, even, odd, pairs);
}
