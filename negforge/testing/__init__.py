"""The laws every operator keeps, for the tests of your own: one line in a test file runs all that apply.

    from negforge.testing import laws_of

    TestLaws = laws_of("generate perturb.weekday", texts=["The shop is closed on Mondays."])

Needs pytest, which negforge itself does not.
"""

from __future__ import annotations

import pytest

# Before the import: failing laws show their values only if pytest has rewritten them.
pytest.register_assert_rewrite("negforge.testing.laws")

from negforge.testing.laws import laws_of  # noqa: E402

__all__ = ["laws_of"]
