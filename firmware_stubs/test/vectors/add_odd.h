/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_add_t add_odd_op = {.shape = {.rows = 1, .columns = 21, .a_row = 0, .a_column = 1, .b_row = 0, .b_column = 1}, .a_multiplier = 1288490141, .a_shift = -1, .b_multiplier = 1073741824, .b_shift = 0, .out_multiplier = 1342177330, .out_shift = -18, .a_zero_point = -3, .b_zero_point = 118, .out_zero_point = 3, .low = 3, .high = 127};
static const int8_t add_odd_in0[21] ECGKD_ALIGNED = {
    11,-66,88,-109,71,3,-67,108,-61,-59,-59,52,39,-113,-71,116,69,118,-121,-53,106,
};
static const int8_t add_odd_in1[21] ECGKD_ALIGNED = {
    8,-113,8,-123,-108,-100,-82,127,70,-50,92,1,20,58,56,108,1,8,5,-57,-45,
};
static const int8_t add_odd_expected[21] ECGKD_ALIGNED = {
    3,3,3,3,3,3,3,98,3,3,3,3,3,3,3,80,3,3,3,3,3,
};
static const case_t case_add_odd = {"add_odd", run_add, &add_odd_op, {add_odd_in0, add_odd_in1, NULL},
    {21, 21, 0}, add_odd_expected, NULL, 21, ECGKD_ADD_SCRATCH, 3};
