"""Kernels of parameters in storage formats: the bits of NumPy, alone and beside states in any format."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_c_parameters import (  # noqa: F401  # the same tests, of kernels
    test_a_group_of_several_dtypes_is_stepped_as_it_is_eagerly,
    test_a_seed_that_is_changed_between_two_steps_counts,
    test_any_number_is_stored_and_loaded_as_numpy_does,
)
from test_parameter_formats_torch import (  # noqa: F401
    test_a_parameter_of_any_layout_is_stepped_through_its_memory,
    test_a_step_is_that_of_numpy_to_the_bit,
    test_copies_pickles_and_checkpoints_go_on_bit_for_bit,
    test_master_weights_that_others_have_changed_are_left,
    test_parameters_of_other_dtypes_are_stepped_plainly,
)
