#!/bin/sh
# What a machine needs before anything is installed. The rest (Java, jars, Spark) is `finlake doctor`.
bad=0
ok() { printf '  ok       %s\n' "$1"; }
missing() { printf '  missing  %s\n           fix: %s\n' "$1" "$2"; bad=1; }
note() { printf '  note     %s\n           %s\n' "$1" "$2"; }

here=$(cd "$(dirname "$0")/.." && pwd)
case $(uname -s 2>/dev/null) in
  Linux)
    if grep -qi microsoft /proc/version 2>/dev/null; then
      case $here in
        /mnt/?/*) note "WSL2, in a Windows folder" "it works, slowly; clone into your Linux home for speed" ;;
        *) ok "WSL2" ;;
      esac
    else ok "Linux"; fi ;;
  Darwin)
    if [ "$(uname -m)" = arm64 ]; then ok "macOS on Apple silicon"
    else missing "macOS on $(uname -m)" "the lock has no packages for Intel Macs; use Linux or Apple silicon"; fi ;;
  *) missing "Linux, macOS or WSL2 (this is $(uname -s 2>/dev/null || echo Windows))" "in Windows: wsl --install, then clone there" ;;
esac

if python=$("$here/scripts/find-python.sh" 2>/dev/null); then ok "Python: $("$python" --version 2>&1) ($python), with venv"
else missing "Python" "$("$here/scripts/find-python.sh" 2>&1 | tr '\n' ' ')"; fi

for tool in git make; do
  if command -v "$tool" >/dev/null 2>&1; then ok "$tool"
  else missing "$tool" "Debian, Ubuntu: sudo apt install $tool   macOS: xcode-select --install"; fi
done

free=$(df -Pk "$here" | awk 'NR == 2 { print int($4 / 1048576) }')
if [ "${free:-0}" -ge 6 ]; then ok "disk: ${free} GB free"
else missing "disk: ${free:-0} GB free, 6 are needed (2 of packages, the rest for a lake)" "free some, or clone to another disk"; fi

if [ -r /proc/meminfo ]; then memory=$(awk '/^MemTotal/ { print int(($2 + 524288) / 1048576) }' /proc/meminfo)
else memory=$(( $(sysctl -n hw.memsize 2>/dev/null || echo 0) / 1073741824 )); fi
if [ "$memory" -ge 6 ]; then ok "memory: ${memory} GB"
else missing "memory: ${memory} GB, 6 are needed" "a larger machine; in WSL2 raise memory in .wslconfig"; fi

if [ -w "$here" ]; then ok "the project's folder can be written"
else missing "write access to $here" "clone it as this user"; fi

case $here in
  *:*) missing "a folder name without a colon ($here)" "move the project: PATH and class paths break there" ;;
esac

if version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p') && [ -n "$version" ]; then
  case $version in
    17 | 21) ok "Java $version" ;;
    *) note "Java $version does not run Spark 4.1" "no need to act: unless a Java 17 or 21 is found, setup puts one into .venv" ;;
  esac
else note "no Java on PATH" "no need to act: unless a Java 17 or 21 is found, setup puts one into .venv"; fi

if [ ! -f "$here/.venv/.ready" ]; then note "not set up yet" "next: make setup (2 GB of packages), then make doctor again"; fi
exit $bad
