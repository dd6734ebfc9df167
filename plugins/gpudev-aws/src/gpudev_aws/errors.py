"""What boto3 raises, in gpudev's words: the one place where it is translated, by the tables of `codes`."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gpudev_aws import codes
from gpudev_aws.codes import Meaning
from gpudev_sdk.errors import GpudevError, TryLater

#: AWS refuses a signature that is five minutes off; what its answer says of its own time shows that it is the clock.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
_SKEW = dt.timedelta(minutes=4)
_SKEW_SHOWS_AS = (codes.BAD_CREDENTIALS, codes.EXPIRED, codes.SKEWED, codes.DENIED)
#: IAM's words name the action: `... is not authorized to perform: ec2:CreateVolume on resource: ...`
_ACTION = re.compile(r"(?:perform:?|explicit deny on|allows? the) ([a-z0-9-]+:[A-Za-z0-9*]+)")
#: Codes that only one service has.
_SERVICE_OF = {"UnauthorizedOperation": "ec2:"}
#: What AWS says for machines, which tells a person nothing.
_NOISE = re.compile(r"\s*(Encoded authorization failure message|\(Service:|Request ID|RequestID).*", re.DOTALL)
_LONGEST = 300


class Absent(TryLater):
    """There is no such thing: AWS named it and said so. For callers in this package; one that gets out is tried again."""


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what boto3 raises in the block into an error of gpudev's; `what` completes "we cannot …": "make the volume"."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, UndefinedModelAttributeError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _of_answer(what, error.response, error.operation_name) from error
    # A file of the credential chain that cannot be read leaves botocore as it is.
    except (BotoCoreError, Boto3Error, ResponseParserError, UndefinedModelAttributeError, OSError) as error:
        raise _build(_of_class(type(error)), {"what": what, "said": _short(str(error))}) from error


def was_refused(error: GpudevError) -> bool:
    """Say whether AWS answered that it did nothing; after any other error, what was asked may have been done."""
    response = getattr(error.__cause__, "response", None) or {}
    code = str((response.get("Error") or {}).get("Code") or "")
    return code in codes.ABSENT or codes.CODES.get(code, codes.BROKEN) is not codes.BROKEN


def _of_answer(what: str, response: Mapping[str, Any], action: str) -> GpudevError:
    error, metadata = response.get("Error") or {}, response.get("ResponseMetadata") or {}
    code, said = str(error.get("Code") or ""), str(error.get("Message") or "")
    if code in codes.ABSENT or (code == codes.ABSENT_BY_STATUS and metadata.get("RequestId")):
        return Absent(f"cannot {what}: AWS says that it is not there", delay=2.0)
    meaning = codes.CODES.get(code, codes.UNKNOWN)
    headers = {name.lower(): value for name, value in (metadata.get("HTTPHeaders") or {}).items()}
    off = _off_by(headers.get("date"))
    if meaning in _SKEW_SHOWS_AS and off is not None:
        meaning = codes.SKEWED
    values = {
        "what": what,
        "said": _short(said) or code or "nothing",
        "action": _permission(code, said, action),
        "off": f" by {round(off.total_seconds() / 60)} minutes" if off is not None else "",
    }
    return _build(meaning, values)


def _build(meaning: Meaning, values: Mapping[str, str]) -> GpudevError:
    message, hint = meaning.message.format(**values), meaning.hint.format(**values)
    if issubclass(meaning.kind, TryLater):
        return meaning.kind(message, delay=meaning.delay, hint=hint)
    return meaning.kind(message, hint=hint)


def _of_class(kind: type[BaseException]) -> Meaning:
    """Return what an exception means by the nearest of its bases that has a meaning."""
    return next(codes.EXCEPTIONS[base.__name__] for base in kind.__mro__ if base.__name__ in codes.EXCEPTIONS)


def _off_by(date: str | None) -> dt.timedelta | None:
    """Return how far our clock is from the date of an answer, if so far that AWS refuses what we sign."""
    try:
        theirs = email.utils.parsedate_to_datetime(date or "")
    except ValueError:
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=dt.UTC)
    off = abs(dt.datetime.now(dt.UTC) - theirs)
    return off if off >= _SKEW else None


def _permission(code: str, said: str, action: str) -> str:
    """Return the permission that is missing, as a policy has it: `ec2:CreateVolume`."""
    named = _ACTION.search(said)
    return named[1] if named else _SERVICE_OF.get(code, "") + action


def _short(said: str) -> str:
    return " ".join(_NOISE.sub("", said).split())[:_LONGEST]
