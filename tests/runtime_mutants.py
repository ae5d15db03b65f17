"""Mutants of the PyTorch runtime: seeded faults, each of which a test must catch. `python tests/runtime_mutants.py`."""

from __future__ import annotations

import sys

from mutation import Mutant, main

MUTANTS = (
    Mutant("the count advances without a gradient", "runtime/pytorch/_runtime.py",
           "if grad is None or (only is not None and id(param) not in only):",
           "if grad is None and 'step' in self.state.get(param, {}):\n                self.state[param]['step'] += 1\n"
           "            if grad is None or (only is not None and id(param) not in only):", "test_checkpoint_matrix.py"),
    Mutant("a loaded state shares storage", "runtime/pytorch/_checkpoints.py",
           "value.value.detach().clone().to(param.device)", "value.value.detach().to(param.device)",
           "test_torch_checkpoints.py"),
    Mutant("names are not matched", "runtime/pytorch/_checkpoints.py",
           "if names and old_names and names != old_names and len(names) == len(old[\"params\"]):",
           "if False:", "test_checkpoint_matrix.py"),
    Mutant("a state of another shape loads", "runtime/pytorch/_checkpoints.py",
           "if not tensor or tuple(value.shape) != shape:", "if not tensor:", "test_checkpoint_matrix.py"),
    Mutant("maximize is ignored", "runtime/pytorch/_step.py",
           "grad = -grad if one.group.get(\"maximize\") else grad\n    one.new", "one.new", "test_optimizer_info.py"),
    Mutant("the closure runs without gradients", "runtime/pytorch/_runtime.py",
           "with torch.enable_grad():\n                    loss = closure()",
           "with torch.no_grad():\n                    loss = closure()", "test_optimizer_info.py"),
    Mutant("an overflow is stepped", "runtime/pytorch/_runtime.py",
           "if found_inf is None or not found_inf.item():", "if True:", "test_amp.py"),
    Mutant("a learning rate that is a tensor is not looked at", "runtime/pytorch/_hypers.py",
           "if not (unread and any(", "if not (any(", "test_faults.py"),
    Mutant("a half-precision parameter is computed in its own dtype", "runtime/pytorch/_step.py",
           "torch.float64 if self.param.dtype == torch.float64 else torch.float32", "self.param.dtype",
           "test_faults.py"),
    Mutant("an overlapping parameter is taken", "runtime/pytorch/_faults.py",
           "if stride < reach:", "if False:", "test_faults.py"),
    Mutant("a schedule does not see what another scheduler did", "runtime/pytorch/_schedules.py",
           "if not isinstance(rate, Tensor) and rate == base * before:", "if not isinstance(rate, Tensor):",
           "test_schedules.py"),
    Mutant("a state of whole numbers is written into", "runtime/pytorch/_faults.py",
           "x.is_complex() if param.is_complex() else x.is_floating_point()", "True", "test_faults.py"),
)

if __name__ == "__main__":
    sys.exit(main(MUTANTS))
