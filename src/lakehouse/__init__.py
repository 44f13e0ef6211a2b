"""The Spark session, names, and the only reads and writes of tables."""

from finlake.lakehouse.digest import table_digest
from finlake.lakehouse.follow import follow
from finlake.lakehouse.lake import Lake, open_lake
from finlake.lakehouse.names import Names, tables_in

__all__ = ["Lake", "Names", "follow", "open_lake", "table_digest", "tables_in"]
