"""A use case that would leak, for the demo to show that it is refused."""

from __future__ import annotations

from dataclasses import replace

from finlake.config import Config, Feature, FeatureGroup

ORIGIN, PLANTED = "card_fraud", "card_fraud_planted"


def with_planted_leak(config: Config) -> Config:
    """The configuration plus a twin of card_fraud that learns from the channel of the fraud report.

    The channel is known only with the report, days after the payment.
    """
    window = config.group("card_behaviour").expanded()
    some_window = next(w for _, w in window.values() if w is not None)
    group = FeatureGroup(
        group="planted_leak",
        about="How the payment was reported, which nobody knows when it is made.",
        entity="payment_id",
        source="fraud_reports",
        features={"reported_by_phone": Feature(share="report_channel = 'phone'", windows=[some_window])},
    )
    use_case = config.use_case(ORIGIN).model_copy(
        update={"use_case": PLANTED, "features": [*config.use_case(ORIGIN).features, group.group]}
    )
    return replace(
        config, groups={**config.groups, group.group: group}, use_cases={**config.use_cases, PLANTED: use_case}
    )
