"""Calls to EC2: one that answers, or a list that is whole, with their errors translated."""

from __future__ import annotations

from typing import Any

from gpudev_aws.errors import translated
from gpudev_aws.session import Session
from gpudev_aws.tags import Json
from gpudev_sdk.errors import TryLater


class Calls:
    """One service of one session."""

    def __init__(self, session: Session, service: str = "ec2") -> None:
        self._session, self._service = session, service

    def one(self, what: str, operation: str, **asked: Any) -> Json:
        """Make a call; `what` says in words what for."""
        with translated(what):
            return _believed(what, getattr(self._session.client(self._service), operation)(**asked))

    def once(self, what: str, operation: str, **asked: Any) -> Json:
        """Make a call that is not to be made again by itself: done twice, it does two things."""
        with translated(what):
            return _believed(what, getattr(self._session.client(self._service, tries=1), operation)(**asked))

    def list(self, what: str, operation: str, key: str, page: int, **asked: Any) -> list[Json]:
        """Return all that a call lists under `key`, `page` at a time; where one page fails the list is an error, never a part."""
        with translated(what):
            paginator = self._session.client(self._service).get_paginator(operation)
            pages = paginator.paginate(**asked, PaginationConfig={"PageSize": page})
            return [item for each in pages for item in _believed(what, each)[key]]


def _believed(what: str, answer: Json) -> Json:
    """Return an answer that is AWS's own: each has the number of its request, and boto3 takes any page of a proxy for one."""
    if not (answer.get("ResponseMetadata") or {}).get("RequestId"):
        raise TryLater(
            f"something else than AWS answers there, so we cannot {what}", hint="See what is between us and AWS."
        )
    return answer
