/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t fully_connected_tiny_layer_weights[32] ECGKD_ALIGNED = {
    -116,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,38,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
};
static const int32_t fully_connected_tiny_layer_bias[2] ECGKD_ALIGNED = {
    -7293,1924,
};
static const int32_t fully_connected_tiny_layer_multiplier[2] ECGKD_ALIGNED = {
    1321493619,1665705684,
};
static const int8_t fully_connected_tiny_layer_shift[2] ECGKD_ALIGNED = {
    -6,-5,
};
static const ecgkd_fully_connected_t fully_connected_tiny_op = {.layer = {.weights = fully_connected_tiny_layer_weights, .bias = fully_connected_tiny_layer_bias, .multiplier = fully_connected_tiny_layer_multiplier, .shift = fully_connected_tiny_layer_shift, .table = NULL, .outputs = 2, .depth = 1, .out_zero_point = 19, .low = -128, .high = 127, .quick = 1}, .rows = 3, .in_stride = 1, .out_stride = 2, .chunk = 4};
static const int8_t fully_connected_tiny_in0[3] ECGKD_ALIGNED = {
    -101,80,-98,
};
static const int8_t fully_connected_tiny_expected[6] ECGKD_ALIGNED = {
    62,-27,-128,127,58,-25,
};
static const case_t case_fully_connected_tiny = {"fully_connected_tiny", run_fully_connected, &fully_connected_tiny_op, {fully_connected_tiny_in0, NULL, NULL},
    {3, 0, 0}, fully_connected_tiny_expected, NULL, 6, ECGKD_FULLY_CONNECTED_SCRATCH(1, 4), 0};
