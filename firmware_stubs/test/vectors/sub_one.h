/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_add_t sub_one_op = {.shape = {.rows = 5, .columns = 5, .a_row = 5, .a_column = 1, .b_row = 0, .b_column = 0}, .a_multiplier = 1073741824, .a_shift = 0, .b_multiplier = 1533916908, .b_shift = -1, .out_multiplier = 1879048242, .out_shift = -18, .a_zero_point = 1, .b_zero_point = 82, .out_zero_point = 3, .low = 3, .high = 127};
static const int8_t sub_one_in0[25] ECGKD_ALIGNED = {
    -29,92,-40,-71,-42,50,55,-9,-53,-9,38,91,48,-86,65,-108,53,34,46,-122,11,50,-29,39,-71,
};
static const int8_t sub_one_in1[1] ECGKD_ALIGNED = {
    -115,
};
static const int8_t sub_one_expected[25] ECGKD_ALIGNED = {
    127,127,127,123,127,127,127,127,127,127,127,127,127,97,127,59,127,127,127,34,127,127,127,127,123,
};
static const case_t case_sub_one = {"sub_one", run_sub, &sub_one_op, {sub_one_in0, sub_one_in1, NULL},
    {25, 1, 0}, sub_one_expected, NULL, 25, ECGKD_ADD_SCRATCH, 1};
