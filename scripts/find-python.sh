#!/bin/sh
# Prints the path of a Python 3.11 or 3.12 that can make virtual environments; PYTHON=/path/to/python overrides.
# Without one, says on standard error what to install, and fails.
seen="" ; lacks=""
for name in ${PYTHON:-python3 python3.12 python3.11 python}; do
  version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  case $version in
    3.11 | 3.12)
      if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
        exec "$name" -c 'import sys; print(sys.executable)'
      fi
      lacks="$lacks $version" ;;
    *) seen="$seen $name=$version" ;;
  esac
done
if [ -n "$lacks" ]; then
  echo "Python$lacks cannot make virtual environments (ensurepip is missing)." >&2
  echo "  Debian, Ubuntu: sudo apt install python3-venv" >&2
else
  echo "Python 3.11 or 3.12 is needed; found:${seen:- none}." >&2
  echo "  Debian, Ubuntu: sudo apt install python3 python3-venv   macOS: brew install python@3.12" >&2
  echo "  or name one: make PYTHON=/path/to/python3.12" >&2
fi
exit 1
