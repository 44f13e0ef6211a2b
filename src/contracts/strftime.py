"""Python's strftime directives as a Spark datetime pattern, for expectations that name them."""

from __future__ import annotations

from finlake.errors import ContractError, suggestion

_DIRECTIVES = {
    "Y": "yyyy", "y": "yy", "m": "M", "d": "d", "H": "H", "M": "m", "S": "s", "f": "SSSSSS",
    "b": "MMM", "B": "MMMM", "I": "h", "p": "a", "z": "xx", "%": "'%'",
}  # fmt: skip


def spark_pattern(directives: str) -> str:
    """`%d.%m.%Y` -> `d.M.yyyy`.

    Raises:
        ContractError: a directive that has no counterpart in Spark.
    """
    made, position = "", 0
    while position < len(directives):
        letter = directives[position]
        if letter == "%":
            position += 1
            name = directives[position : position + 1]
            if name not in _DIRECTIVES:
                known = ", ".join(f"%{key}" for key in _DIRECTIVES)
                raise ContractError(f"{directives!r}: %{name} is not supported{suggestion(name, ())}; there are {known}")
            made += _DIRECTIVES[name]
        elif letter.isalpha():
            made += f"'{letter}'"
        else:
            made += "''" if letter == "'" else letter
        position += 1
    return made.replace("''", "") if "'" not in directives else made
