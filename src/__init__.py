"""finlake: a financial-services lakehouse for machine learning.

In a notebook: `lake = finlake.open()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finlake.workbench import Workbench

__all__ = ["open"]


def open(**options: Any) -> Workbench:
    """The lake as a data scientist uses it; options as on the command line: conf, lake, target, tenant, as_of."""
    from finlake.workbench import open_workbench

    return open_workbench(**options)
