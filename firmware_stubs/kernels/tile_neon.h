/* Inside the library: four rows by WIDTH columns, the inner loop of tiles for NEON. */
#ifndef ECGKD_TILE_NEON_H
#define ECGKD_TILE_NEON_H

#include "vector.h"

#define INLINE __attribute__((always_inline))

#if defined(__aarch64__) /* columns of a tile: sums, rows and a column fit the registers */
#define WIDTH 4
#else
#define WIDTH 2
#endif

#if defined(__aarch64__)

/* Written out for loads of two registers that move their pointer, and because compilers spill. Sums in v0-v15, rows in
 * v24-v25, columns in v16-v23. MAC: sum += 16 products; MAC_FULL: also where both may be -128. */
#if defined(__ARM_FEATURE_DOTPROD)
#define MAC(sum, row, column) "sdot v" #sum ".4s, v" #row ".16b, v" #column ".16b\n"
#define MAC_FULL MAC
#else
#define MAC(sum, row, column)                                                                                          \
    "smull v26.8h, v" #row ".8b, v" #column ".8b\n"                                                                    \
    "smlal2 v26.8h, v" #row ".16b, v" #column ".16b\n"                                                                 \
    "sadalp v" #sum ".4s, v26.8h\n"
#define MAC_FULL(sum, row, column)                                                                                     \
    "smull v26.8h, v" #row ".8b, v" #column ".8b\n"                                                                    \
    "smull2 v27.8h, v" #row ".16b, v" #column ".16b\n"                                                                 \
    "sadalp v" #sum ".4s, v26.8h\n"                                                                                    \
    "sadalp v" #sum ".4s, v27.8h\n"
#endif
#define ROW_32(mac, pointer, s0, s1, s2, s3)                                                                           \
    "ldp q24, q25, [%[" pointer "]], #32\n" mac(s0, 24, 16) mac(s1, 24, 18) mac(s2, 24, 20) mac(s3, 24, 22)            \
        mac(s0, 25, 17) mac(s1, 25, 19) mac(s2, 25, 21) mac(s3, 25, 23)
#define ROW_16(mac, pointer, s0, s1, s2, s3)                                                                           \
    "ldr q24, [%[" pointer "]]\n" mac(s0, 24, 16) mac(s1, 24, 18) mac(s2, 24, 20) mac(s3, 24, 22)
#define ZERO(sum) "movi v" #sum ".4s, #0\n"
#define ADD(to, a, b) "addp v" #to ".4s, v" #a ".4s, v" #b ".4s\n"

/* Four rows by four columns: sums[n] of the four rows. */
static inline INLINE void tile(const int8_t *const *row, const int8_t *const *x, ptrdiff_t blocks, int full,
                               int32x4_t *sums)
{
    const int8_t *a = row[0], *b = row[1], *c = row[2], *d = row[3];
    const int8_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    ptrdiff_t twos = blocks >> 1;
    const ptrdiff_t odd = blocks & 1;
    register int32x4_t sum0 __asm__("v0");
    register int32x4_t sum1 __asm__("v1");
    register int32x4_t sum2 __asm__("v2");
    register int32x4_t sum3 __asm__("v3");
#define TILE(mac)                                                                                                      \
    __asm__(ZERO(0) ZERO(1) ZERO(2) ZERO(3) ZERO(4) ZERO(5) ZERO(6) ZERO(7) ZERO(8) ZERO(9) ZERO(10) ZERO(11) ZERO(12) \
                ZERO(13) ZERO(14) ZERO(15) "cbz %[twos], 2f\n"                                                         \
            "1:\n"                                                                                                     \
            "ldp q16, q17, [%[x0]], #32\n"                                                                             \
            "ldp q18, q19, [%[x1]], #32\n"                                                                             \
            "ldp q20, q21, [%[x2]], #32\n"                                                                             \
            "ldp q22, q23, [%[x3]], #32\n"                                                                             \
            "subs %[twos], %[twos], #1\n" ROW_32(mac, "a", 0, 1, 2, 3) ROW_32(mac, "b", 4, 5, 6, 7)                    \
                ROW_32(mac, "c", 8, 9, 10, 11) ROW_32(mac, "d", 12, 13, 14, 15) "b.ne 1b\n"                            \
            "2:\n"                                                                                                     \
            "cbz %[odd], 3f\n"                                                                                         \
            "ldr q16, [%[x0]]\n"                                                                                       \
            "ldr q18, [%[x1]]\n"                                                                                       \
            "ldr q20, [%[x2]]\n"                                                                                       \
            "ldr q22, [%[x3]]\n" ROW_16(mac, "a", 0, 1, 2, 3) ROW_16(mac, "b", 4, 5, 6, 7)                             \
                ROW_16(mac, "c", 8, 9, 10, 11) ROW_16(mac, "d", 12, 13, 14, 15) "3:\n" ADD(0, 0, 4) ADD(8, 8, 12)      \
                    ADD(1, 1, 5) ADD(9, 9, 13) ADD(2, 2, 6) ADD(10, 10, 14) ADD(3, 3, 7) ADD(11, 11, 15) ADD(0, 0, 8)  \
                        ADD(1, 1, 9) ADD(2, 2, 10) ADD(3, 3, 11)                                                       \
            : "=w"(sum0), "=w"(sum1), "=w"(sum2), "=w"(sum3), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),      \
              [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3), [twos] "+r"(twos)                            \
            : [odd] "r"(odd)                                                                                           \
            : "cc", "memory", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16",     \
              "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27")
    if (full) {
        TILE(MAC_FULL);
    } else {
        TILE(MAC);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

#else

#define ROW(r, w)                                                                                                      \
    sum[r][0] = ecgkd_dot_16(sum[r][0], w, x0, full);                                                                  \
    sum[r][1] = ecgkd_dot_16(sum[r][1], w, x1, full);

/* Four rows by two columns. */
static inline INLINE void tile(const int8_t *const *row, const int8_t *const *x, ptrdiff_t blocks, int full,
                               int32x4_t *sums)
{
    const int32x4_t zero = vdupq_n_s32(0);
    int32x4_t sum[4][WIDTH];
    for (int r = 0; r < 4; r++) {
        for (int n = 0; n < WIDTH; n++) {
            sum[r][n] = zero;
        }
    }
    const int8_t *a = row[0], *b = row[1], *c = row[2], *d = row[3];
    for (ptrdiff_t k = 0; k < 16 * blocks; k += 16) {
        const int8x16_t x0 = vld1q_s8(x[0] + k), x1 = vld1q_s8(x[1] + k);
        const int8x16_t wa = vld1q_s8(a + k), wb = vld1q_s8(b + k), wc = vld1q_s8(c + k), wd = vld1q_s8(d + k);
        ROW(0, wa) ROW(1, wb) ROW(2, wc) ROW(3, wd)
    }
    for (int n = 0; n < WIDTH; n++) {
        sums[n] = ecgkd_sums_4(sum[0][n], sum[1][n], sum[2][n], sum[3][n]);
    }
}

#endif

#endif
