"""The Spark session, names, and the only reads and writes of tables."""

from finlake.lakehouse.digest import table_digest
from finlake.lakehouse.follow import follow
from finlake.lakehouse.lake import Lake, open_lake
from finlake.lakehouse.names import Names, tables_in
from finlake.lakehouse.scratch import scratch

__all__ = ["Lake", "Names", "follow", "open_lake", "scratch", "table_digest", "tables_in"]
