"""On a person's machine: an ID token of Google for an audience of ours.

Google makes tokens for an audience of one's choice for service accounts alone: by their own key, by the metadata server of a
machine or pod, and by whoever may impersonate one
(https://cloud.google.com/docs/authentication/get-id-token , generateIdToken of
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken). A person's own
credentials get tokens for the program they signed in to (gcloud's), which are never sent anywhere by us.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from typing import Any

import structlog

from gpudev_sdk.errors import NotSignedIn

IAM = "https://iamcredentials.googleapis.com"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_SECONDS, _GCLOUD_SECONDS = 10.0, 60.0
#: What a person does, once an operator has given them a service account.
AS_A_PERSON = (
    "Sign in as your service account: gcloud auth application-default login --impersonate-service-account=EMAIL"
)

log = structlog.get_logger()


def fetch(audience: str, impersonate: str, iam: str = IAM) -> str:
    """Return a token for an audience, by whatever credentials of Google this machine has; raise NotSignedIn."""
    import google.auth
    from google.auth import exceptions

    try:
        with warnings.catch_warnings():
            # That a person's credentials are not for programs: all that is asked with them is a token for a sign-in.
            warnings.filterwarnings("ignore", message="Your application has authenticated using end user credentials")
            credentials, _ = google.auth.default(scopes=_SCOPES)
    except exceptions.DefaultCredentialsError as error:
        log.debug("no application default credentials", reason=str(error)[:200])
        return _by_gcloud(audience, impersonate)
    except exceptions.GoogleAuthError as error:
        raise _failed(str(error)) from error
    if impersonate:
        return _generate(credentials, audience, impersonate, iam)
    return _own(credentials, audience)


def _own(credentials: Any, audience: str) -> str:
    """Have the credentials' own service account get one."""
    from google.auth import compute_engine, exceptions, impersonated_credentials
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token, service_account

    with _session() as session:
        request = Request(session)
        try:
            if isinstance(credentials, impersonated_credentials.Credentials):
                made = impersonated_credentials.IDTokenCredentials(  # type: ignore[no-untyped-call]
                    credentials, audience, include_email=True
                )
            elif isinstance(credentials, (service_account.Credentials, compute_engine.Credentials)):
                made = id_token.fetch_id_token_credentials(  # type: ignore[no-untyped-call]
                    audience, request=request
                )
            else:
                raise NotSignedIn("these credentials of Google are not a service account's", hint=AS_A_PERSON)
            made.refresh(request)
        except (exceptions.GoogleAuthError, OSError, ValueError) as error:
            raise _failed(str(error)) from error
    return str(made.token or "")


def _generate(credentials: Any, audience: str, account: str, iam: str) -> str:
    """Have a service account's token made by who may impersonate it (roles/iam.serviceAccountOpenIdTokenCreator)."""
    from google.auth import exceptions
    from google.auth.transport.requests import AuthorizedSession

    address = f"{iam}/v1/projects/-/serviceAccounts/{account}:generateIdToken"
    body: Any = {"audience": audience, "includeEmail": True}
    try:
        with AuthorizedSession(credentials) as session:  # type: ignore[no-untyped-call]
            answer = session.post(address, json=body, timeout=_SECONDS, allow_redirects=False)
        plain = answer.json()
    # What requests raises is an OSError, and what is no JSON that can be read one of the others.
    except (exceptions.GoogleAuthError, OSError, ValueError, RecursionError) as error:
        raise _failed(str(error)) from error
    if answer.status_code != 200 or not isinstance(plain, dict):
        raise _refused(account, plain)
    return str(plain.get("token") or "")


def _by_gcloud(audience: str, impersonate: str) -> str:
    """Have gcloud get one: https://cloud.google.com/sdk/gcloud/reference/auth/print-identity-token .

    Without `impersonate`, its own setting auth/impersonate_service_account says whose.
    """
    program = shutil.which("gcloud")
    if program is None:
        raise NotSignedIn("this machine has no credentials of Google, and no gcloud", hint=AS_A_PERSON)
    command = [program, "auth", "print-identity-token", f"--audiences={audience}", "--include-email", "--quiet"]
    if impersonate:
        command.append(f"--impersonate-service-account={impersonate}")
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_GCLOUD_SECONDS,
            check=False,
        )
    except OSError as error:
        raise _failed(f"gcloud cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise _failed(f"gcloud did not end in {_GCLOUD_SECONDS:.0f} s") from error
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise _failed((said or ["gcloud did not say why"])[-1])
    return done.stdout.strip()


def _session() -> Any:
    """Return connections that go nowhere else: what is asked may have a person's credentials with it."""
    import requests

    made = requests.Session()
    made.max_redirects = 0
    return made


def _refused(account: str, plain: Any) -> NotSignedIn:
    told = plain.get("error") if isinstance(plain, dict) else None
    why = str(told.get("message") or "")[:200] if isinstance(told, dict) else json.dumps(plain)[:80]
    hint = f"You need roles/iam.serviceAccountOpenIdTokenCreator on {account}: ask who runs its project."
    return NotSignedIn(f"Google makes no token of {account} for you: {why}", hint=hint)


def _failed(why: str) -> NotSignedIn:
    return NotSignedIn(f"Google gave no ID token: {why[:300]}", hint=AS_A_PERSON)
