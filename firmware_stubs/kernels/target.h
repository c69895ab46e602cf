/* Which version of the kernels is compiled: exactly one of these is 1. ECGKD_PLAIN can be asked for. */
#ifndef ECGKD_TARGET_H
#define ECGKD_TARGET_H

#if defined(ECGKD_FORCE_PLAIN)
#define ECGKD_PLAIN 1
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define ECGKD_MVE 1
#elif defined(__ARM_NEON)
#define ECGKD_NEON 1
#elif defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
#define ECGKD_DSP 1
#else
#define ECGKD_PLAIN 1
#endif

/* Functions of assembler code alone: nothing may be concluded from what their C looks like. */
#if defined(__clang__)
#define ECGKD_NAKED __attribute__((naked, noinline))
#else
#define ECGKD_NAKED __attribute__((naked, noipa))
#endif

/* Single values: one at a time, or vectors of four. */
#if defined(ECGKD_PLAIN) || defined(ECGKD_DSP)
#define ECGKD_SCALAR 1
#else
#define ECGKD_VECTOR 1
#endif

#endif
