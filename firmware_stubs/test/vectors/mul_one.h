/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_mul_t mul_one_op = {.shape = {.rows = 5, .columns = 5, .a_row = 5, .a_column = 1, .b_row = 0, .b_column = 0}, .multiplier = 1879048192, .shift = 3, .out_zero_point = -100, .low = -100, .high = 127, .a_zero_point = 1, .b_zero_point = 82};
static const int8_t mul_one_in0[25] ECGKD_ALIGNED = {
    -29,92,-40,-71,-42,50,55,-9,-53,-9,38,91,48,-86,65,-108,53,34,46,-122,11,50,-29,39,-71,
};
static const int8_t mul_one_in1[1] ECGKD_ALIGNED = {
    -115,
};
static const int8_t mul_one_expected[25] ECGKD_ALIGNED = {
    127,-100,127,127,127,-100,-100,127,127,127,-100,-100,-100,127,-100,127,-100,-100,-100,127,-100,-100,127,-100,
    127,
};
static const case_t case_mul_one = {"mul_one", run_mul, &mul_one_op, {mul_one_in0, mul_one_in1, NULL},
    {25, 1, 0}, mul_one_expected, NULL, 25, 0, 1};
