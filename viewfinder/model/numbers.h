/* Numbers of 16 bits, and functions that the compiler computes for many numbers at once. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Work that is worth the start of other threads, which may have to wait for other processes. */
#define MANY_NUMBERS (1 << 15)
#define MANY_BYTES (1 << 20)
#define MANY_PRODUCTS (1 << 22)

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS float from_narrow(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

ALWAYS uint16_t to_narrow(float value) { /* to the nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

ALWAYS float from_half(uint16_t half) {
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f; /* the bias of a float's exponent less that of a half's */
    return half & 0x8000 ? -value : value;
}

/* e to the power of x, to about 2e-7 + 5e-8 |x|, for |x| below 87. */
ALWAYS float power_of_e(float x) {
    float scaled = x * 1.44269504f, whole = rintf(scaled), r = scaled - whole, p = 1.54035304e-4f;
    p = p * r + 1.33335581e-3f, p = p * r + 9.61812911e-3f, p = p * r + 5.55041087e-2f;
    p = p * r + 2.40226507e-1f, p = p * r + 6.93147181e-1f, p = p * r + 1;
    uint32_t bits = (uint32_t)((int32_t)whole + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

ALWAYS float silu(float x) {
    x = x < -80 ? -80 : x; /* silu is less than 1e-32 there */
    return x / (1 + power_of_e(x > 80 ? -80 : -x));
}
