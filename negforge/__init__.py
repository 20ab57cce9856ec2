"""negforge builds negative datasets: checked, explained, versioned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from negforge.errors import InputError, NegforgeError, StorageError, UsageError

if TYPE_CHECKING:
    from negforge.api import Result, audit, calibrate, check, diff, log, merge, run, show
    from negforge.auditing import Audit
    from negforge.calibrating import Calibration
    from negforge.checking import Checked
    from negforge.comparing import Difference

__version__ = "0.1.0"
__all__ = [
    "Audit",
    "Calibration",
    "Checked",
    "Difference",
    "InputError",
    "NegforgeError",
    "Result",
    "StorageError",
    "UsageError",
    "audit",
    "calibrate",
    "check",
    "diff",
    "log",
    "merge",
    "run",
    "show",
]


def __getattr__(name: str) -> Any:
    # `import negforge` stays instant: Polars and PyArrow arrive with the first use.
    if name in __all__:
        from negforge import api

        return getattr(api, name)
    raise AttributeError(f"module 'negforge' has no attribute '{name}'")
