"""The only reads and writes of tables."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StructType

from finlake.config import Config, Target
from finlake.errors import BusyError, SetupError, TableError, suggestion
from finlake.lakehouse.digest import table_digest
from finlake.lakehouse.format import check_format
from finlake.lakehouse.names import SCHEMAS, Names, kinds_of, literal, tables_in
from finlake.lakehouse.session import open_session
from finlake.lakehouse.spark_errors import SPARK_ERRORS
from finlake.lakehouse.stored_view import StoredView, comment
from finlake.workspace.runtime import on_databricks

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PROPERTIES = {"delta.enableDeletionVectors": "true"}
_CHANGE_FEED = {"delta.enableChangeDataFeed": "true"}
_ANY_NAMES = {"delta.columnMapping.mode": "name"}  # columns as received: `Claim No`, `amount (EUR)`
# Delta measures the first 32 columns of every row it writes, which here took longer than writing them. Reads filter by
# these, and clustering needs its own.
_FILTERED = ("event_ts", "known_from", "known_to", "decision_ts", "_batch", "_row_id")
_STATISTICS, _NO_STATISTICS = "delta.dataSkippingStatsColumns", {"delta.dataSkippingNumIndexedCols": "0"}


class Lake:
    """Tables of one target and tenant. Reads are pinned to a version, and versions are recorded."""

    def __init__(self, spark: SparkSession, target: Target, root: Path | None) -> None:
        self.spark = spark
        self.names = Names(target.catalog, target.tenant)
        self.root = root
        landing = Path(target.landing)
        self.landing = landing if landing.is_absolute() or root is None else root / landing
        self.reads: dict[str, int] = {}
        self.writes: dict[str, int] = {}
        self._registered: set[str] = set()
        self._views: dict[str, StoredView] | None = None
        if root is not None:
            for schema in SCHEMAS:
                self._open_schema(self.names.schema(schema), root)

    # reading

    def exists(self, name: str) -> bool:
        if self.root is None:
            return self.spark.catalog.tableExists(self.names.full(name))
        if _committed(self._log(name)):
            self._register(name)
            return True
        return False

    def tables(self) -> list[str]:
        """Two-part names of the tables there are, without views."""
        if self.root is not None:
            logs = ((s, log) for s in SCHEMAS for log in (self.root / self.names.schema(s)).glob("*/_delta_log"))
            return sorted(f"{schema}.{log.parent.name}" for schema, log in logs if _committed(log))
        names = []
        for schema in SCHEMAS:
            rows = self.spark.sql(f"SHOW TABLES IN `{self.names.catalog}`.`{self.names.schema(schema)}`").collect()
            names += [f"{schema}.{row['tableName']}" for row in rows if not row["isTemporary"]]
        return sorted(names)

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """The table as of `version`, else of now; what was read is recorded.

        Raises:
            TableError: there is no such table.
        """
        if not self.exists(name):
            raise TableError(f"there is no table {name}{suggestion(name, self.tables())}")
        pinned = self.version(name) if version is None else version
        self.reads[name] = pinned
        return self.spark.read.option("versionAsOf", pinned).table(self.names.full(name))

    def version(self, name: str) -> int:
        """Latest version of the table."""
        if self.root is not None:
            return max(int(p.stem) for p in self._log(name).glob("*.json") if p.stem.isdigit())
        row = self.spark.sql(f"DESCRIBE HISTORY {self.names.full(name)} LIMIT 1").first()
        return int(row["version"]) if row else 0

    def changes(self, name: str, after: int, to: int) -> DataFrame | None:
        """Rows of the change feed of the versions after `after` up to `to`, with `_change_type`.

        None where the feed does not tell all: rows were removed, there was none, or its files are gone by VACUUM.
        """
        feed = self.spark.read.option("readChangeFeed", "true").option("startingVersion", after + 1)
        try:
            changed = feed.option("endingVersion", to).table(self.names.full(name))
            kinds = {row["_change_type"] for row in changed.select("_change_type").distinct().collect()}
        except SPARK_ERRORS:
            return None
        return None if "delete" in kinds else changed

    def sql(self, text: str) -> DataFrame:
        """A query or statement with two-part names; tables and views of other processes are seen."""
        listed = (*self.tables(), *self.views()) if kinds_of(text) == ["show"] else tables_in(text)
        for name in listed:
            self._see(name)
        return self.spark.sql(self.names.qualify(text))

    def digest(self, table: str | DataFrame, exclude: Sequence[str] = ()) -> str:
        return table_digest(self.read(table) if isinstance(table, str) else table, exclude)

    # writing

    def create(
        self,
        name: str,
        like: DataFrame,
        *,
        about: str = "",
        comments: Mapping[str, str] | None = None,
        cluster_by: Sequence[str] = (),
    ) -> None:
        """An empty table with the frame's columns, if there is none."""
        if self.exists(name):
            return
        columns = ", ".join(
            f"`{f.name}` {f.dataType.simpleString()}{comment((comments or {}).get(f.name, ''))}"
            for f in like.schema.fields
        )
        self.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {self.names.full(name)} ({columns}) USING delta"
            f"{self._clause(name, like, about, cluster_by)}"
        )
        self._registered.add(name)

    def append(
        self,
        name: str,
        df: DataFrame,
        *,
        txn: tuple[str, int] | None = None,
        instead_of: str = "",
        about: str = "",
        comments: Mapping[str, str] | None = None,
        cluster_by: Sequence[str] = (),
    ) -> None:
        """Adds rows; with `txn`, a replay of the same (application, version) writes nothing.

        `instead_of` is a condition that all new rows meet: older rows that meet it are removed in the same commit.
        """
        self.create(name, df, about=about, comments=comments, cluster_by=cluster_by)
        writer = df.write.format("delta").mode("overwrite" if instead_of else "append").option("mergeSchema", "true")
        if instead_of:
            writer = writer.option("replaceWhere", instead_of)
        if txn is not None:
            writer = writer.option("txnAppId", txn[0]).option("txnVersion", txn[1])
        writer.saveAsTable(self.names.full(name))
        self._wrote(name)

    def overwrite(
        self,
        name: str,
        df: DataFrame,
        *,
        about: str = "",
        comments: Mapping[str, str] | None = None,
        cluster_by: Sequence[str] = (),
    ) -> None:
        """Replaces table and schema in one commit; earlier versions stay readable."""
        notes = comments or {}
        described = df.select(
            *(
                F.col(f"`{c}`").alias(c, metadata={"comment": notes[c]}) if notes.get(c) else F.col(f"`{c}`")
                for c in df.columns
            )
        )
        if not self.exists(name) and self.root is not None:
            # what a process that was killed before its first commit left behind
            shutil.rmtree(self._log(name).parent, ignore_errors=True)
        with self._temp_view(described) as view:
            self.spark.sql(
                f"CREATE OR REPLACE TABLE {self.names.full(name)} USING delta{self._clause(name, df, about, cluster_by)} "
                f"AS SELECT * FROM {view}"
            )
        self._registered.add(name)
        self._wrote(name)

    def merge(
        self,
        name: str,
        df: DataFrame,
        on: Sequence[str],
        update: Sequence[str] | None = None,
        *,
        about: str = "",
        comments: Mapping[str, str] | None = None,
        cluster_by: Sequence[str] = (),
    ) -> None:
        """Inserts rows whose keys are new; of known keys only the `update` columns change, and only where they differ.

        Keys compare null-safe. The frame must hold each key once.
        """
        self.create(name, df, about=about, comments=comments, cluster_by=cluster_by)
        keys = " AND ".join(f"t.`{c}` <=> s.`{c}`" for c in on)
        self._add_columns(name, df, comments or {})
        matched = ""
        if update:
            differs = " OR ".join(f"NOT (t.`{c}` <=> s.`{c}`)" for c in update)
            changes = ", ".join(f"t.`{c}` = s.`{c}`" for c in update)
            matched = f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {changes} "
        columns = ", ".join(f"`{c}`" for c in df.columns)
        values = ", ".join(f"s.`{c}`" for c in df.columns)
        with self._temp_view(df) as view:
            self.spark.sql(
                f"MERGE INTO {self.names.full(name)} AS t USING {view} AS s ON {keys} {matched}"
                f"WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
            )
        self._wrote(name)

    def delete(self, name: str, condition: str) -> None:
        if self.exists(name):
            self.spark.sql(f"DELETE FROM {self.names.full(name)} WHERE {condition}")
            self._wrote(name)

    def drop(self, name: str) -> None:
        """Removes a table and its files, if there is one. Only for work in progress: tables keep their history."""
        if self.exists(name):
            self.spark.sql(f"DROP TABLE {self.names.full(name)}")
            self._registered.discard(name)
            if self.root is not None:
                shutil.rmtree(self._log(name).parent, ignore_errors=True)

    def view(self, name: str, sql: str, *, about: str = "", comments: Mapping[str, str] | None = None) -> None:
        """Creates or replaces a view, and remembers it for processes with a catalog of their own."""
        for read in tables_in(sql):
            self._see(read)
        made = StoredView(sql, about, dict(comments or {}))
        self._define(name, made)
        known = self.views() if self._views is None else self._views
        kept = "name string, sql string, about string, comments map<string,string>"
        row = self.spark.createDataFrame([(name, *made)], kept)
        if name not in known:
            self.append("ops.views", row)
        elif known[name] != made:
            # maps cannot be compared in SQL, so the whole row is written where any part differs
            self.append("ops.views", row, instead_of=f"name = '{name}'")
        self._views = {**known, name: made}

    @contextmanager
    def lock(self, step: str, wait: float = 3600) -> Iterator[None]:
        """One writer a step and tenant on a laptop; in a workspace the job's own concurrency limit does this.

        Raises:
            BusyError: another process held it for `wait` seconds.
        """
        if self.root is None:
            yield
            return
        from filelock import FileLock, Timeout

        path = self.root / ".locks" / f"{self.names.tenant or 'lake'}.{step}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=wait)
        try:
            lock.acquire()
        except Timeout as error:
            raise BusyError(
                f"another process has been in step {step} for {wait:.0f} s (lock {path}); try again later"
            ) from error
        try:
            yield
        finally:
            lock.release()

    # catalog

    def _open_schema(self, schema: str, root: Path) -> None:
        full = f"`{self.names.catalog}`.`{schema}`"
        self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {full} LOCATION {literal(root / schema)}")
        location = unquote(urlsplit(self.spark.catalog.getDatabase(full).locationUri).path)
        if Path(location) != root / schema:
            raise SetupError(
                f"this Spark session serves the lake at {location}, not {root}; use one process for each lake"
            )

    def _log(self, name: str) -> Path:
        schema, table = self.names.split(name)
        if self.root is None:
            raise TableError(f"{name} lies where the catalog manages it")
        return self.root / self.names.schema(schema) / table / "_delta_log"

    def _register(self, name: str) -> None:
        if name not in self._registered:
            location = literal(self._log(name).parent)
            self.spark.sql(f"CREATE TABLE IF NOT EXISTS {self.names.full(name)} USING delta LOCATION {location}")
            self._registered.add(name)

    def _see(self, name: str, path: tuple[str, ...] = ()) -> None:
        """Makes a table or a remembered view of another process known to this catalog."""
        if self.root is None or self.exists(name) or name in path:
            return
        views = self.views()
        if name not in views:
            raise TableError(f"there is no table or view {name}{suggestion(name, [*self.tables(), *views])}")
        stored = views[name]
        for read in tables_in(stored.sql):
            self._see(read, (*path, name))
        self._define(name, stored)

    def views(self) -> dict[str, StoredView]:
        """View name -> what is remembered of it."""
        if not self.exists("ops.views"):
            return {}
        rows = [row.asDict() for row in self.spark.table(self.names.full("ops.views")).collect()]
        self._views = {row["name"]: StoredView(row["sql"], row["about"], row.get("comments") or {}) for row in rows}
        return self._views

    def _define(self, name: str, view: StoredView) -> None:
        sql = self.names.qualify(view.sql)
        columns = self.spark.sql(sql).columns if view.comments else []
        self.spark.sql(view.statement(self.names.full(name), sql, columns))

    def _add_columns(self, name: str, df: DataFrame, comments: Mapping[str, str]) -> None:
        """Columns the table lacks; a MERGE that evolves the schema cannot compare them."""
        held = {column.lower() for column in self.spark.table(self.names.full(name)).columns}
        new = [field for field in df.schema.fields if field.name.lower() not in held]
        if new:
            listed = ", ".join(
                f"`{f.name}` {f.dataType.simpleString()}{comment(comments.get(f.name, ''))}" for f in new
            )
            self.spark.sql(f"ALTER TABLE {self.names.full(name)} ADD COLUMNS ({listed})")

    @contextmanager
    def _temp_view(self, df: DataFrame) -> Iterator[str]:
        view = f"write_{uuid.uuid4().hex}"
        df.createOrReplaceTempView(view)
        try:
            yield view
        finally:
            self.spark.catalog.dropTempView(view)

    def _clause(self, name: str, df: DataFrame, about: str, cluster_by: Sequence[str]) -> str:
        """Clustering, comment and properties of a CREATE TABLE."""
        properties = {
            **_PROPERTIES,
            **(_CHANGE_FEED if name.startswith("silver.") else {}),
            **(_ANY_NAMES if _odd_names(df.schema) else {}),
        }
        filtered = dict.fromkeys([*cluster_by, *(column for column in _FILTERED if column in df.columns)])
        properties |= {_STATISTICS: ",".join(f"`{column}`" for column in filtered)} if filtered else _NO_STATISTICS
        cluster = f" CLUSTER BY ({', '.join(f'`{c}`' for c in cluster_by)})" if cluster_by else ""
        listed = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
        return f"{cluster}{comment(about)} TBLPROPERTIES ({listed})"

    def _wrote(self, name: str) -> None:
        self.writes[name] = self.version(name)


def open_lake(config: Config, spark: SparkSession | None = None) -> Lake:
    """The lake of a configuration's target, with its session."""
    target = config.target
    root = Path(target.lake).absolute() if target.lake else None
    if root is not None:
        check_format(root)
    elif spark is None and not on_databricks():
        raise SetupError(
            f"target {target.target!r} has no lake folder: its tables are in the workspace's catalog {target.catalog!r}; "
            "here, give a folder with --lake, or run it in the workspace"
        )
    session = spark or open_session(target.spark, root / "warehouse" if root else None)
    return Lake(session, target, root)


def _committed(log: Path) -> bool:
    return next(log.glob("*.json"), None) is not None


def _odd_names(kind: DataType) -> bool:
    """Whether a field at any depth has a name that Parquet cannot hold as it is."""
    if isinstance(kind, StructType):
        return any(set(field.name) & set(" ,;{}()\n\t=") or _odd_names(field.dataType) for field in kind.fields)
    return isinstance(kind, ArrayType) and _odd_names(kind.elementType)
