/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_mul_t mul_odd_op = {.shape = {.rows = 1, .columns = 21, .a_row = 0, .a_column = 1, .b_row = 0, .b_column = 1}, .multiplier = 1145324544, .shift = -5, .out_zero_point = -100, .low = -100, .high = 127, .a_zero_point = -3, .b_zero_point = 118};
static const int8_t mul_odd_in0[21] ECGKD_ALIGNED = {
    11,-66,88,-109,71,3,-67,108,-61,-59,-59,52,39,-113,-71,116,69,118,-121,-53,106,
};
static const int8_t mul_odd_in1[21] ECGKD_ALIGNED = {
    8,-113,8,-123,-108,-100,-82,127,70,-50,92,1,20,58,56,108,1,8,5,-57,-45,
};
static const int8_t mul_odd_expected[21] ECGKD_ALIGNED = {
    -100,127,-100,127,-100,-100,113,-83,-54,57,-76,-100,-100,10,-30,-100,-100,-100,122,46,-100,
};
static const case_t case_mul_odd = {"mul_odd", run_mul, &mul_odd_op, {mul_odd_in0, mul_odd_in1, NULL},
    {21, 21, 0}, mul_odd_expected, NULL, 21, 0, 3};
