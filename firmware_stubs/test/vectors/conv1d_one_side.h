/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t conv1d_one_side_layer_weights[64] ECGKD_ALIGNED = {
    97,-6,29,-6,-96,82,-55,117,-111,-63,73,-67,0,0,0,0,-85,-101,-47,89,-32,-59,84,-63,37,-88,26,-92,0,0,0,0,-69,17,
    -54,-81,113,54,86,-27,-23,-101,33,-79,0,0,0,0,-38,125,-53,101,27,-126,-41,80,8,92,119,77,0,0,0,0,
};
static const int32_t conv1d_one_side_layer_bias[4] ECGKD_ALIGNED = {
    -633,2916,572,-9078,
};
static const int32_t conv1d_one_side_layer_multiplier[4] ECGKD_ALIGNED = {
    1338359917,1425123094,1964005592,1653026281,
};
static const int8_t conv1d_one_side_layer_shift[4] ECGKD_ALIGNED = {
    -7,-7,-7,-9,
};
static const ecgkd_conv1d_t conv1d_one_side_op = {.layer = {.weights = conv1d_one_side_layer_weights, .bias = conv1d_one_side_layer_bias, .multiplier = conv1d_one_side_layer_multiplier, .shift = conv1d_one_side_layer_shift, .table = NULL, .outputs = 4, .depth = 12, .out_zero_point = 12, .low = 12, .high = 127, .quick = 1}, .in_steps = 19, .channels = 4, .taps = 3, .stride = 2, .pad_left = 0, .out_steps = 10, .chunk = 2, .in_zero_point = 23};
static const int8_t conv1d_one_side_in0[76] ECGKD_ALIGNED = {
    116,-29,-76,56,2,-12,52,-45,-7,19,-120,-68,90,-84,62,124,101,-5,-112,-83,20,-120,23,-47,-58,-65,3,36,82,-41,94,
    73,97,-47,69,35,44,9,49,94,-10,-119,-33,-116,-58,-94,-98,-28,50,-67,90,18,68,-122,-103,-16,-87,-72,-2,-29,92,-8,
    -20,-33,-61,-112,-57,-118,23,-49,-31,-101,20,10,107,10,
};
static const int8_t conv1d_one_side_expected[40] ECGKD_ALIGNED = {
    12,82,12,12,12,62,127,12,12,35,87,12,12,127,123,20,127,92,112,12,26,97,12,12,63,43,12,12,12,127,127,12,12,112,
    127,12,19,12,12,12,
};
static const case_t case_conv1d_one_side = {"conv1d_one_side", run_conv1d, &conv1d_one_side_op, {conv1d_one_side_in0, NULL, NULL},
    {76, 0, 0}, conv1d_one_side_expected, NULL, 40, ECGKD_CONV1D_SCRATCH(4, 3, 2, 2), 0};
