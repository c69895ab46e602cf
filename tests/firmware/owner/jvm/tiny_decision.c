#include "tiny_decision.h"

const ecgkd_decision_t tiny_decision = {
    .magic = ECGKD_DECISION_MAGIC, .abi = ECGKD_DECISION_ABI,
    .embedding_space = "000102030405060708090a0b0c0d0e0f",
    .space = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, .size = 8, .calibrated = 1,
    .max_windows = 3, .min_windows = 3, .threshold = 58982, .slope = 100 << 16, .offset = -(90 << 16), .rho = 32768,
    .accept = 7 << 16, .reject = -(5 << 16), .update = 7 << 16, .floor = 500000, .min_consistency = 500000,
};
