/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_add_t carry_odd_first_last_sum = {.a_multiplier = 1073741824, .a_shift = 0, .b_multiplier = 1127428925, .b_shift = -1, .out_multiplier = 1717986854, .out_shift = -19, .a_zero_point = -4, .b_zero_point = 10, .out_zero_point = -9, .low = -128, .high = 127};
static const ecgkd_carry_t carry_odd_first_last_op = {.count = 37, .added = NULL, .sum = &carry_odd_first_last_sum, .taken = NULL, .carry = NULL};
static const int8_t carry_odd_first_last_in0[37] ECGKD_ALIGNED = {
    -64,93,-76,-4,20,-65,102,-108,-59,23,-104,-104,-115,-29,72,-52,55,-70,-114,-36,-54,77,73,-65,76,28,-46,-51,-52,
    47,122,-20,-102,91,-77,-39,-2,
};
static const int8_t carry_odd_first_last_in1[37] ECGKD_ALIGNED = {
    -87,-116,92,-79,3,35,-23,8,-44,-100,85,-100,-24,49,-25,-39,-85,69,-74,69,-59,-107,75,6,-109,-121,96,-76,1,55,
    -80,102,94,60,112,2,49,
};
static const int8_t carry_odd_first_last_expected[37] ECGKD_ALIGNED = {
    -98,16,-32,-46,7,-47,62,-93,-76,-34,-57,-128,-112,-13,37,-68,-2,-37,-128,-10,-78,7,80,-59,5,-38,-6,-83,-51,51,
    54,17,-52,88,-25,-40,9,
};
static const case_t case_carry_odd_first_last = {"carry_odd_first_last", run_carry, &carry_odd_first_last_op, {carry_odd_first_last_in0, carry_odd_first_last_in1, NULL},
    {37, 37, 0}, carry_odd_first_last_expected, NULL, 37, ECGKD_CARRY_SCRATCH, 3};
