/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_add_t add_first_column_op = {.shape = {.rows = 9, .columns = 16, .a_row = 1, .a_column = 0, .b_row = 16, .b_column = 1}, .a_multiplier = 1073741824, .a_shift = 0, .b_multiplier = 1073741824, .b_shift = 0, .out_multiplier = 1342177330, .out_shift = -18, .a_zero_point = -1, .b_zero_point = 100, .out_zero_point = 3, .low = 3, .high = 127};
static const int8_t add_first_column_in0[9] ECGKD_ALIGNED = {
    -112,-110,43,120,10,-98,122,-11,-121,
};
static const int8_t add_first_column_in1[144] ECGKD_ALIGNED = {
    -82,117,109,70,14,115,59,-125,-104,30,-114,0,-51,-46,103,79,104,-53,27,-23,-74,-51,-87,-43,8,-75,-57,7,-59,21,
    -21,-64,-80,116,-84,102,115,92,5,-110,-75,-39,127,43,-40,27,-107,78,-60,-92,26,61,16,22,74,106,32,76,-53,45,91,
    123,-122,11,13,-49,7,-85,-51,35,83,-2,-57,-10,105,-10,-13,-94,17,29,-118,-12,29,-51,-81,126,21,-7,95,96,55,-50,
    44,32,15,8,-116,93,-42,-114,-49,103,69,-125,-92,-57,24,-35,-24,13,-56,9,93,35,-67,89,123,-32,-102,-40,29,66,26,
    -53,88,28,15,57,13,-37,-113,-102,-38,101,-26,87,76,10,6,-116,-65,123,-87,90,
};
static const int8_t add_first_column_expected[144] ECGKD_ALIGNED = {
    3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,78,3,61,77,48,3,3,3,3,92,3,3,3,3,31,3,3,62,
    106,49,57,122,127,69,124,3,86,127,127,3,43,3,3,3,3,3,3,3,3,3,3,23,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,
    127,3,3,3,127,118,3,3,3,62,3,3,48,3,43,3,3,3,3,19,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,
};
static const case_t case_add_first_column = {"add_first_column", run_add, &add_first_column_op, {add_first_column_in0, add_first_column_in1, NULL},
    {9, 144, 0}, add_first_column_expected, NULL, 144, ECGKD_ADD_SCRATCH, 2};
