#include "target.h"

#if defined(ECGKD_MVE)

#include "dot_mve.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* naked functions find them in registers */

/* r1 a, r3 b, r5 x, r7 y; r0, r2, r4, r6 sums; r8 count, r9 back, r10 on, r11 out, r12 pairs. */
#define NEXT                                                                                                           \
    "vldrb.8 q0, [r1], #16\n"                                                                                          \
    "vldrb.8 q1, [r5], #16\n"                                                                                          \
    "vmladava.s8 r0, q0, q1\n"                                                                                         \
    "vldrb.8 q2, [r7], #16\n"                                                                                          \
    "vmladava.s8 r4, q0, q2\n"                                                                                         \
    "vldrb.8 q3, [r3], #16\n"                                                                                          \
    "vmladava.s8 r2, q3, q1\n"                                                                                         \
    "vmladava.s8 r6, q3, q2\n"
#define RUN(body)                                                                                                      \
    __asm__("push {r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n"                                                       \
            "vpush {d8-d15}\n"                                                                                         \
            "add r4, r0, #48\n"                                                                                        \
            "vldrw.32 q4, [r4]\n"                                                                                      \
            "vldrw.32 q5, [r4, #16]\n"                                                                                 \
            "vldrw.32 q6, [r4, #32]\n"                                                                                 \
            "vldrw.32 q7, [r4, #48]\n"                                                                                 \
            "ldrd r2, r4, [r0, #36]\n"                                                                                 \
            "push {r2, r4}\n"                                                                                          \
            "ldrd r1, r3, [r0]\n"                                                                                      \
            "ldrd r5, r7, [r0, #8]\n"                                                                                  \
            "ldrd r8, r9, [r0, #16]\n"                                                                                 \
            "ldrd r10, r11, [r0, #24]\n"                                                                               \
            "ldr r12, [r0, #32]\n"                                                                                     \
            "0:\n"                                                                                                     \
            "movs r0, #0\n"                                                                                            \
            "movs r2, #0\n"                                                                                            \
            "movs r4, #0\n"                                                                                            \
            "movs r6, #0\n"                                                                                            \
            "dls lr, r8\n"                                                                                             \
            "1:\n" body "le lr, 1b\n"                                                                                 \
            "vmov d0, r0, r2\n"                                                                                         \
            "vmov d1, r4, r6\n"                                                                                         \
            "ldr lr, [sp, #4]\n"                                                                                       \
            "vadd.i32 q0, q0, q4\n"                                                                                    \
            "sub r1, r1, r9\n"                                                                                         \
            "vqrdmulh.s32 q0, q0, q5\n"                                                                                \
            "sub r3, r3, r9\n"                                                                                         \
            "vshr.s32 q1, q0, #31\n"                                                                                   \
            "add r5, r5, r10\n"                                                                                        \
            "vadd.i32 q0, q0, q1\n"                                                                                    \
            "add r7, r7, r10\n"                                                                                        \
            "vrshl.s32 q0, q0, q6\n"                                                                                   \
            "vadd.i32 q0, q0, lr\n"                                                                                    \
            "ldr lr, [sp]\n"                                                                                           \
            "vqmovnb.s32 q0, q0\n"                                                                                     \
            "vqmovnb.s16 q0, q0\n"                                                                                     \
            "vstrb.32 q0, [r11, q7]\n"                                                                                 \
            "add r11, r11, lr\n"                                                                                       \
            "subs r12, r12, #1\n"                                                                                      \
            "bne 0b\n"                                                                                                 \
            "add sp, sp, #8\n"                                                                                         \
            "vpop {d8-d15}\n"                                                                                          \
            "pop {r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}\n")

ECGKD_NAKED void ecgkd_mve_run(const ecgkd_mve_job_t *job)
{
    RUN(NEXT);
}

ECGKD_NAKED void ecgkd_mve_run_twos(const ecgkd_mve_job_t *job)
{
    RUN(NEXT NEXT);
}

#endif
