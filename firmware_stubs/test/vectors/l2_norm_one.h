/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_l2_norm_t l2_norm_one_op = {.rows = 2, .width = 1, .zero_point = 0};
static const int8_t l2_norm_one_in0[2] ECGKD_ALIGNED = {
    -76,0,
};
static const int8_t l2_norm_one_expected[2] ECGKD_ALIGNED = {
    -128,0,
};
static const case_t case_l2_norm_one = {"l2_norm_one", run_l2_norm, &l2_norm_one_op, {l2_norm_one_in0, NULL, NULL},
    {2, 0, 0}, l2_norm_one_expected, NULL, 2, 0, 1};
