"""Built-in data: accounts and transfers among which money is laundered, distributed and seeded."""

from finlake.simulation.laundering.generate import generate_laundering

__all__ = ["generate_laundering"]
