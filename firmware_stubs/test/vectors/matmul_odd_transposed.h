/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_matmul_t matmul_odd_transposed_op = {.batch = 1, .rows = 4, .inner = 19, .columns = 6, .a_batch = 76, .a_row = 19, .b_batch = 114, .b_row = 19, .out_batch = 24, .out_row = 6, .multiplier = 1090790261, .shift = -14, .out_zero_point = 5, .low = -128, .high = 127, .a_zero_point = -128, .b_zero_point = 127, .transpose_b = 1};
static const int8_t matmul_odd_transposed_in0[76] ECGKD_ALIGNED = {
    80,57,-80,68,11,12,94,15,23,87,33,88,101,12,-101,102,-68,-127,-36,40,40,122,-105,-30,78,-48,100,-93,55,-52,-31,
    32,-111,77,-25,-106,-43,-99,-70,-74,22,-21,-65,17,56,-69,-8,74,-19,-50,52,-43,-21,63,-119,-88,-7,127,-110,48,28,
    -70,52,-127,-3,-4,-6,-44,-100,5,122,-42,-55,106,32,70,
};
static const int8_t matmul_odd_transposed_in1[114] ECGKD_ALIGNED = {
    76,-124,-28,-119,-44,73,83,-31,-126,122,-20,-60,69,104,-107,-23,92,-94,45,-127,-21,60,-72,37,-120,-34,-126,-40,
    10,-88,-90,39,-87,76,100,-115,0,-65,65,52,119,51,-8,-9,-22,-109,62,63,29,119,-103,-27,63,-112,120,122,89,102,
    -102,-70,-110,-24,-84,108,-46,-8,62,44,122,123,85,26,31,36,-1,-67,-11,-45,93,-104,68,80,-80,45,-111,-10,-81,101,
    11,-16,56,-97,41,1,-55,-103,-6,-107,102,-126,69,34,83,62,95,15,-68,89,96,-40,68,-62,60,98,
};
static const int8_t matmul_odd_transposed_expected[24] ECGKD_ALIGNED = {
    -6,-9,-5,-4,-8,-4,-4,-5,-2,-3,-3,-3,-3,-4,-2,-2,-4,-1,-4,-9,-2,-4,-5,-3,
};
static const case_t case_matmul_odd_transposed = {"matmul_odd_transposed", run_matmul, &matmul_odd_transposed_op, {matmul_odd_transposed_in0, matmul_odd_transposed_in1, NULL},
    {76, 114, 0}, matmul_odd_transposed_expected, NULL, 24, ECGKD_MATMUL_SCRATCH(4, 19, 6), 0};
