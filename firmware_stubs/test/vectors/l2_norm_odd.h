/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_l2_norm_t l2_norm_odd_op = {.rows = 4, .width = 7, .zero_point = -128};
static const int8_t l2_norm_odd_in0[28] ECGKD_ALIGNED = {
    -117,-117,15,29,-88,71,41,-128,-128,-128,-128,-128,-128,-128,-128,-128,-126,-127,-128,-127,-128,-127,-128,-128,
    -128,-128,-128,-128,
};
static const int8_t l2_norm_odd_expected[28] ECGKD_ALIGNED = {
    4,4,54,59,15,75,64,0,0,0,0,0,0,0,0,0,105,52,0,52,0,127,0,0,0,0,0,0,
};
static const case_t case_l2_norm_odd = {"l2_norm_odd", run_l2_norm, &l2_norm_odd_op, {l2_norm_odd_in0, NULL, NULL},
    {28, 0, 0}, l2_norm_odd_expected, NULL, 28, 0, 1};
