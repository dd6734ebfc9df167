"""I-16: secret values end with their reservation, and stand in no text. A finding says where, and never what."""

from __future__ import annotations

from collections.abc import Iterator

from gpudev_sdk.engine.check.values import Case, Violation


def secrets_stay_secret(case: Case) -> Iterator[Violation]:
    """I-16: no ended reservation has secret values left, and no planted one is found in any text."""
    for reservation_id in case.tables.secrets:
        row = case.rows.get(reservation_id)
        if row is None or row.state == "ended":
            what = f"reservation {reservation_id} ended and its secret values are kept"
            step = "Report this; who can read the database can read them."
            yield Violation(law="I-16", what=what, next_step=step, key=f"I-16:{reservation_id}")
    record = case.world.record
    if record is None or not record.canaries:
        return
    seen = [(one.where, one.text) for one in (*case.tables.texts, *record.texts)]
    for where in dict.fromkeys(where for where, text in seen if any(canary in text for canary in record.canaries)):
        step = "Change that secret, and report where it was seen."
        yield Violation(law="I-16", what=f"a secret value stands in {where}", next_step=step, key=f"I-16:{where}")
