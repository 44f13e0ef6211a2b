"""Secrets by reference, from the workspace."""

from __future__ import annotations

from finlake.errors import SetupError


def secret(scope: str, key: str) -> str:
    """The value of a workspace secret; it is never logged.

    Raises:
        SetupError: there is no such secret, or this user may not read it.
    """
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import DatabricksError

    try:
        return str(WorkspaceClient().dbutils.secrets.get(scope=scope, key=key))
    except (DatabricksError, ValueError) as error:
        raise SetupError(
            f"cannot read the secret {scope}/{key}: {error}; create it with "
            f"`databricks secrets put-secret {scope} {key}` and grant READ on the scope to the job's user"
        ) from error
