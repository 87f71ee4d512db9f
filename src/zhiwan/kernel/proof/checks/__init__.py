"""Checks by what they look at. Each is a generator `check(subject) -> faults`; zhiwan.kernel.proof.check runs them."""
