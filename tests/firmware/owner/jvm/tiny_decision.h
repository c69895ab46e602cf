#include "ecgkd.h"
extern const ecgkd_decision_t tiny_decision;
