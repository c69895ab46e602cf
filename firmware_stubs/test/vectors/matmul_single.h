/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_matmul_t matmul_single_op = {.batch = 1, .rows = 1, .inner = 1, .columns = 1, .a_batch = 1, .a_row = 1, .b_batch = 1, .b_row = 1, .out_batch = 1, .out_row = 1, .multiplier = 1188661145, .shift = -12, .out_zero_point = 5, .low = -128, .high = 127, .a_zero_point = 1, .b_zero_point = 0, .transpose_b = 0};
static const int8_t matmul_single_in0[1] ECGKD_ALIGNED = {
    92,
};
static const int8_t matmul_single_in1[1] ECGKD_ALIGNED = {
    39,
};
static const int8_t matmul_single_expected[1] ECGKD_ALIGNED = {
    5,
};
static const case_t case_matmul_single = {"matmul_single", run_matmul, &matmul_single_op, {matmul_single_in0, matmul_single_in1, NULL},
    {1, 1, 0}, matmul_single_expected, NULL, 1, ECGKD_MATMUL_SCRATCH(1, 1, 1), 0};
