"""Python's strftime directives as a Spark datetime pattern, for expectations that name them."""

from __future__ import annotations

from finlake.errors import ContractError

_DIRECTIVES = {
    "Y": "yyyy", "y": "yy", "m": "M", "d": "d", "H": "H", "M": "m", "S": "s", "f": "SSSSSS",
    "b": "MMM", "B": "MMMM", "I": "h", "p": "a", "z": "xx",
}  # fmt: skip


def spark_pattern(directives: str) -> str:
    """`%d.%m.%Y` -> `d.M.yyyy`.

    Raises:
        ContractError: a directive that has no counterpart in Spark.
    """
    made: list[str] = []
    words = ""
    letters = iter(directives)
    for letter in letters:
        name = next(letters, "") if letter == "%" else ""
        if letter != "%" or name == "%":
            words += letter
            continue
        if name not in _DIRECTIVES:
            known = ", ".join(f"%{key}" for key in _DIRECTIVES)
            raise ContractError(f"{directives!r}: %{name} is not supported; there are {known}")
        made += [_quoted(words), _DIRECTIVES[name]]
        words = ""
    return "".join([*made, _quoted(words)])


def _quoted(words: str) -> str:
    escaped = words.replace("'", "''")
    return f"'{escaped}'" if any(letter.isalpha() or letter in "'[]#{}" for letter in words) else words
