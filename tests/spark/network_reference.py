"""Networks of accounts by brute force: each feature at one moment, from a list of the edges visible then."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EDGES = "edge_id string, source string, target string, amount_minor bigint, at timestamp, known_from timestamp, known_to timestamp"
LABELS = "account string, known_from timestamp, known_to timestamp"


@dataclass(frozen=True)
class Edge:
    edge_id: str
    source: str
    target: str
    amount_minor: int | None
    at: datetime
    known_from: datetime
    known_to: datetime | None = None

    def row(self) -> tuple[object, ...]:
        return tuple(self.__dict__.values())


def random_edges(seed: int, accounts: int = 7, count: int = 45, hours: int = 240) -> list[Edge]:
    """With ties, several edges of a pair, payments to oneself, unknown amounts, late news and corrections."""
    draw = random.Random(seed)
    found = []
    for n in range(count):
        pair = [f"{seed}-{chr(97 + draw.randrange(accounts))}" for _ in range(2)]
        at = START + draw.randrange(hours) * HOUR
        amount = None if draw.random() < 0.05 else draw.randrange(1, 500)
        first = Edge(f"{seed}-{draw.randrange(1000):03}-{n}", *pair, amount, at, at + draw.choice([0, 0, 1, 30]) * HOUR)
        if draw.random() < 0.3:
            changed = first.known_from + draw.randrange(60) * HOUR  # perhaps at once: then it was never known
            found.append(replace(first, known_to=changed))
            first = replace(first, known_from=changed, amount_minor=draw.randrange(1, 500))
            if draw.random() < 0.3:
                first = replace(first, target=f"{seed}-a")
        found.append(first)
    return found


def visible(edges: list[Edge], moment: datetime, window: timedelta) -> list[Edge]:
    return [
        edge for edge in edges
        if edge.source != edge.target and moment - window <= edge.at < moment
        and edge.known_from <= moment and (edge.known_to is None or moment < edge.known_to)
    ]  # fmt: skip


def accounts(edges: list[Edge]) -> set[str]:
    return {account for edge in edges for account in (edge.source, edge.target)}


def degrees(edges: list[Edge], account: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    peers = {}
    for side, own, other in (("in", "target", "source"), ("out", "source", "target")):
        mine = [edge for edge in edges if getattr(edge, own) == account]
        counts = Counter(getattr(edge, other) for edge in mine)
        peers[side] = set(counts)
        found |= {
            f"degree_{side}": len(mine), f"fan_{side}": len(counts), f"sum_{side}": sum(edge.amount_minor or 0 for edge in mine),
            f"concentration_{side}": sum((n / len(mine)) ** 2 for n in counts.values()) if mine else None,
        }  # fmt: skip
    either = peers["in"] | peers["out"]
    return found | {"reciprocity": len(peers["in"] & peers["out"]) / len(either) if either else None}


def flow(edges: list[Edge], account: str, bound: timedelta) -> dict[str, float | None]:
    known = [edge for edge in edges if edge.amount_minor]
    moves = [(e.at, e.amount_minor) for e in known if e.target == account]
    moves += [(e.at, -(e.amount_minor or 0)) for e in known if e.source == account]
    waiting: deque[list] = deque()
    passed, waits, latest = 0, [], None
    for at, amount in sorted(moves):
        if amount > 0:
            waiting.append([at, amount])
            continue
        earlier = [time for time, other in moves if other > 0 and time < at]
        latest = max(earlier, default=None)
        if latest is not None and at - latest <= bound:
            waits.append((at - latest) / HOUR)
        owed = -amount
        while waiting and owed:
            if at - waiting[0][0] > bound or not waiting[0][1]:
                waiting.popleft()
                continue
            taken = min(owed, waiting[0][1])
            owed, passed, waiting[0][1] = owed - taken, passed + taken, waiting[0][1] - taken
    received = sum(amount for _, amount in moves if amount > 0)
    return {
        "flow_through": passed / received if received else None,
        "hours_to_pass": sum(waits) / len(waits) if waits else None,
    }


def cycles(edges: list[Edge], within: timedelta, growth: float, longest: int) -> Iterator[list[Edge]]:
    """Depth first, from every edge on."""
    edges = [edge for edge in edges if edge.amount_minor is not None]
    leaving = defaultdict(list)
    for edge in edges:
        leaving[edge.source].append(edge)

    def go_on(path: list[Edge]) -> Iterator[list[Edge]]:
        last, seen = path[-1], {edge.source for edge in path}
        for edge in leaving[last.target]:
            if not (last.at < edge.at <= path[0].at + within) or edge.amount_minor > growth * last.amount_minor:
                continue
            if edge.target == path[0].source:
                yield [*path, edge]
            elif edge.target not in seen and len(path) + 1 < longest:
                yield from go_on([*path, edge])

    for edge in edges:
        yield from go_on([edge])


def turned(path: list[Edge]) -> str:
    ids = [edge.edge_id for edge in path]
    first = ids.index(min(ids))
    return "|".join(ids[first:] + ids[:first])


def weights(edges: list[Edge]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for edge in edges:
        found[edge.source][edge.target] += 1
        found[edge.target][edge.source] += 1
    return found


def components(edges: list[Edge]) -> dict[str, str]:
    """Union-find with the smallest account on top."""
    parent = {account: account for account in accounts(edges)}

    def root(account: str) -> str:
        while parent[account] != account:
            account = parent[account]
        return account

    for edge in edges:
        low, high = sorted((root(edge.source), root(edge.target)))
        parent[high] = low
    return {account: root(account) for account in parent}


def communities(edges: list[Edge], rounds: int) -> dict[str, str]:
    near = weights(edges)
    label = {account: account for account in near}
    for step in range(1, rounds + 1):
        before = dict(label)
        for account, peers in near.items():
            if hashlib.sha256(f"{step}|{account}".encode()).hexdigest()[0] >= "8":
                continue
            votes: Counter[str] = Counter()
            for peer, weight in peers.items():
                votes[before[peer]] += weight
            label[account] = min(votes, key=lambda name: (-votes[name], name))
    return label


def modularity(edges: list[Edge], label: dict[str, str]) -> float:
    twice = 2 * len(edges)
    inside = sum(2 for edge in edges if label[edge.source] == label[edge.target])
    strength: Counter[str] = Counter()
    for edge in edges:
        strength[label[edge.source]] += 1
        strength[label[edge.target]] += 1
    return inside / twice - sum((s / twice) ** 2 for s in strength.values())


def risk(edges: list[Edge], bad: set[str], decay: float, rounds: int) -> dict[str, float]:
    near = weights(edges)
    seed = {account: (1 - decay) * (account in bad) for account in near}
    now = dict(seed)
    for _ in range(rounds):
        now = {
            account: seed[account] + decay * sum(now[p] * w for p, w in peers.items()) / sum(peers.values())
            for account, peers in near.items()
        }
    return now
