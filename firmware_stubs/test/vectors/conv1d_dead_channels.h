/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t conv1d_dead_channels_layer_weights[192] ECGKD_ALIGNED = {
    -75,23,-39,-70,-8,24,-25,127,23,-85,-46,-18,-37,119,6,122,3,-77,116,97,-103,96,64,-28,0,0,0,0,0,0,0,0,-50,57,95,
    -14,43,49,-23,-46,22,-103,77,-125,95,55,92,-1,23,126,-4,-20,14,32,76,124,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,-96,87,36,17,53,51,-95,118,-44,56,33,-11,26,-96,32,25,-117,121,-83,23,
    -63,-104,-107,24,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,72,-47,-96,2,
    102,35,85,-18,107,10,-6,120,62,8,-110,1,121,79,-70,-61,72,-84,6,34,0,0,0,0,0,0,0,0,
};
static const int32_t conv1d_dead_channels_layer_bias[6] ECGKD_ALIGNED = {
    -2299,-3534,1073741824,1261,-1073741824,-4664,
};
static const int32_t conv1d_dead_channels_layer_multiplier[6] ECGKD_ALIGNED = {
    1516465246,1213172282,1272103242,1480923125,1272103242,1516465246,
};
static const int8_t conv1d_dead_channels_layer_shift[6] ECGKD_ALIGNED = {
    -8,-10,-31,4,-30,-8,
};
static const ecgkd_conv1d_t conv1d_dead_channels_op = {.layer = {.weights = conv1d_dead_channels_layer_weights, .bias = conv1d_dead_channels_layer_bias, .multiplier = conv1d_dead_channels_layer_multiplier, .shift = conv1d_dead_channels_layer_shift, .table = NULL, .outputs = 6, .depth = 24, .out_zero_point = 5, .low = -128, .high = 127, .quick = 0}, .in_steps = 20, .channels = 8, .taps = 3, .stride = 1, .pad_left = 1, .out_steps = 20, .chunk = 4, .in_zero_point = 11};
static const int8_t conv1d_dead_channels_in0[160] ECGKD_ALIGNED = {
    24,11,-46,68,-85,-37,65,85,-124,-92,74,-97,68,67,55,24,103,-92,12,-108,-128,113,114,-55,7,-64,7,-15,71,95,126,
    -118,-47,1,-3,22,-104,-22,-63,121,-22,-8,-3,114,29,-34,50,24,79,96,-16,-23,78,47,-50,74,102,20,66,108,-18,-128,
    -116,105,-9,84,100,-128,79,99,-86,48,74,30,-104,56,124,-57,35,-80,109,-68,-22,1,91,-76,-62,123,81,43,108,47,-46,
    57,100,-56,-23,26,10,-46,100,-117,-104,33,112,-18,-122,-91,2,78,62,20,20,-67,-9,18,73,89,19,25,-56,-28,-75,70,
    -109,-123,-122,9,-106,-61,-23,57,16,-65,107,126,-39,-65,104,-96,98,9,-1,0,116,78,-35,-96,-50,60,-31,69,64,75,
    -53,-92,102,-30,1,-2,
};
static const int8_t conv1d_dead_channels_expected[120] ECGKD_ALIGNED = {
    47,-7,5,-128,4,-66,127,14,5,-128,4,-109,127,23,5,-128,4,-93,-17,21,5,-128,4,-28,10,-3,5,-128,4,48,-13,6,5,127,4,
    17,-10,2,5,127,4,96,-29,-1,5,127,4,119,-62,8,5,127,4,13,-60,16,5,127,4,85,69,7,5,-128,4,118,-96,-3,5,127,4,80,
    -128,13,5,-128,4,75,107,14,5,-128,4,-53,37,-6,5,127,4,73,-12,-14,5,127,4,40,33,-7,5,-128,4,-125,4,28,5,127,4,34,
    -39,18,5,127,4,91,15,8,5,127,4,6,
};
static const case_t case_conv1d_dead_channels = {"conv1d_dead_channels", run_conv1d, &conv1d_dead_channels_op, {conv1d_dead_channels_in0, NULL, NULL},
    {160, 0, 0}, conv1d_dead_channels_expected, NULL, 120, ECGKD_CONV1D_SCRATCH(8, 3, 1, 4), 0};
