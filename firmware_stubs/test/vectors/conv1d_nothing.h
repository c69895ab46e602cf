/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t conv1d_nothing_layer_weights[192] ECGKD_ALIGNED = {
    -75,23,-39,-70,-8,24,-25,127,23,-85,-46,-18,-37,119,6,122,3,-77,116,97,-103,96,64,-28,0,0,0,0,0,0,0,0,-50,57,95,
    -14,43,49,-23,-46,22,-103,77,-125,95,55,92,-1,23,126,-4,-20,14,32,76,124,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,-96,87,36,17,53,51,-95,118,-44,56,33,-11,26,-96,32,25,-117,121,-83,23,
    -63,-104,-107,24,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,72,-47,-96,2,
    102,35,85,-18,107,10,-6,120,62,8,-110,1,121,79,-70,-61,72,-84,6,34,0,0,0,0,0,0,0,0,
};
static const int32_t conv1d_nothing_layer_bias[6] ECGKD_ALIGNED = {
    1881,5346,0,-1026,0,3816,
};
static const int32_t conv1d_nothing_layer_multiplier[6] ECGKD_ALIGNED = {
    1872191659,1161189221,1765305712,1774292152,1825638539,1369074291,
};
static const int8_t conv1d_nothing_layer_shift[6] ECGKD_ALIGNED = {
    -8,-9,-8,-8,-8,-9,
};
static const ecgkd_conv1d_t conv1d_nothing_op = {.layer = {.weights = conv1d_nothing_layer_weights, .bias = conv1d_nothing_layer_bias, .multiplier = conv1d_nothing_layer_multiplier, .shift = conv1d_nothing_layer_shift, .table = NULL, .outputs = 6, .depth = 24, .out_zero_point = -3, .low = -3, .high = 127, .quick = 1}, .in_steps = 20, .channels = 8, .taps = 3, .stride = 1, .pad_left = 1, .out_steps = 20, .chunk = 4, .in_zero_point = -9};
static const int8_t conv1d_nothing_in0[160] ECGKD_ALIGNED = {
    -9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,
    -9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,
    -9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,
    -9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,
    -9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,-9,
};
static const int8_t conv1d_nothing_expected[120] ECGKD_ALIGNED = {
    -3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,
    -3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,
    -3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,
    -3,-3,-3,-3,-3,-3,-3,-3,-3,
};
static const case_t case_conv1d_nothing = {"conv1d_nothing", run_conv1d, &conv1d_nothing_op, {conv1d_nothing_in0, NULL, NULL},
    {160, 0, 0}, conv1d_nothing_expected, NULL, 120, ECGKD_CONV1D_SCRATCH(8, 3, 1, 4), 0};
