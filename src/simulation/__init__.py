"""Built-in data: card payments and consumer loans, distributed, seeded and as dirty as asked for."""

from finlake.simulation.generate import generate
from finlake.simulation.world import CLOCK

__all__ = ["CLOCK", "generate"]
