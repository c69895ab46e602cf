"""Settings that every test shares."""

import os

# Two threads that share a core with another process wait for each other; the tensors of tests are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
