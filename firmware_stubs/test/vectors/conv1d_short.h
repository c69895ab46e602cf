/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t conv1d_short_layer_weights[192] ECGKD_ALIGNED = {
    -30,121,-118,20,-33,-42,19,70,-62,-89,-22,85,43,-83,39,-71,-59,-47,-73,-114,25,50,87,-52,-76,-89,122,-56,87,-78,
    33,95,-16,44,33,105,-90,-111,-39,-127,93,-122,114,-1,15,-122,-68,82,-34,-103,38,-95,121,61,-116,76,0,0,0,0,0,0,
    0,0,-95,-71,-4,-98,71,21,74,-9,-56,92,-125,81,-6,8,19,-51,5,-46,-13,-41,34,102,-58,-57,112,-66,-81,56,-97,-94,
    -65,-63,18,69,14,125,-47,5,112,-15,-98,119,-25,-6,-97,-109,-86,1,13,8,-95,21,33,50,13,-21,0,0,0,0,0,0,0,0,-93,
    -21,2,-56,-101,89,126,-29,-115,67,78,-69,100,107,74,55,-81,-59,51,-46,-93,-57,31,-18,-7,-51,-41,-125,-2,-84,125,
    105,97,-38,-9,9,-8,-98,-73,-95,37,-41,88,101,39,-125,-87,-19,75,1,91,-65,-27,79,28,-101,0,0,0,0,0,0,0,0,
};
static const int32_t conv1d_short_layer_bias[3] ECGKD_ALIGNED = {
    -56081,-48301,-30312,
};
static const int32_t conv1d_short_layer_multiplier[3] ECGKD_ALIGNED = {
    1957307787,1829277393,1286149680,
};
static const int8_t conv1d_short_layer_shift[3] ECGKD_ALIGNED = {
    -9,-8,-8,
};
static const ecgkd_conv1d_t conv1d_short_op = {.layer = {.weights = conv1d_short_layer_weights, .bias = conv1d_short_layer_bias, .multiplier = conv1d_short_layer_multiplier, .shift = conv1d_short_layer_shift, .table = NULL, .outputs = 3, .depth = 56, .out_zero_point = 0, .low = -128, .high = 127, .quick = 1}, .in_steps = 2, .channels = 8, .taps = 7, .stride = 1, .pad_left = 3, .out_steps = 2, .chunk = 6, .in_zero_point = -92};
static const int8_t conv1d_short_in0[16] ECGKD_ALIGNED = {
    11,-54,101,113,41,-63,-122,32,21,-22,-90,47,60,77,47,101,
};
static const int8_t conv1d_short_expected[6] ECGKD_ALIGNED = {
    -53,45,-128,-95,-128,-72,
};
static const case_t case_conv1d_short = {"conv1d_short", run_conv1d, &conv1d_short_op, {conv1d_short_in0, NULL, NULL},
    {16, 0, 0}, conv1d_short_expected, NULL, 6, ECGKD_CONV1D_SCRATCH(8, 7, 1, 6), 0};
