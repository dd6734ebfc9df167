"""An STS on this machine that verifies signatures as AWS does, by botocore's own signer, and misbehaves as a test asks."""

from __future__ import annotations

import datetime as dt
import hmac
import http.server
import json
import re
import ssl
import threading
from urllib.parse import parse_qs

import attrs
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCOUNT = "123456789012"
USER_ID, ROLE_ID = "AIDACKCEVSQ6C2EXAMPLE", "AROADBQP57FF2AEXAMPLE"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([a-z0-9-]+)/sts/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]+)\Z"
)


@attrs.frozen
class Key:
    """An access key and whose it is."""

    secret: str
    arn: str
    user_id: str
    token: str = ""
    account: str = ACCOUNT


@attrs.frozen
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


#: What an answer is made of: status, headers, body.
Answer = tuple[int, dict[str, str], bytes]


@attrs.define
class FakeSts:
    """The server. `bend` makes another answer of the right one."""

    keys: dict[str, Key] = attrs.field(factory=dict)
    asked: list[Asked] = attrs.field(factory=list)
    bend: object = None
    #: Let so many seconds pass between two bytes of the answer.
    drip: float = 0.0
    _server: http.server.ThreadingHTTPServer = attrs.field(init=False)
    _thread: threading.Thread = attrs.field(init=False)
    ended: threading.Event = attrs.field(factory=threading.Event)

    def __attrs_post_init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads, self._server.fake = True, self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def secure(self, context: ssl.SSLContext) -> str:
        """Speak TLS from now on, and return where."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        return self.address.replace("http:", "https:")

    def close(self) -> None:
        """Serve nobody any more."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, asked: Asked) -> Answer:
        """Answer as STS does."""
        why = self._why_not(asked)
        if why is not None:
            return _json(403, {"Error": {"Code": why, "Message": "no", "Type": "Sender"}, "RequestId": "r"})
        action = parse_qs(asked.body.decode())["Action"][0]
        if action != "GetCallerIdentity":
            # It would answer another action as gladly.
            return _json(200, {f"{action}Response": {f"{action}Result": {}}})
        key = self.keys[_AUTHORIZATION.match(asked.headers["authorization"])[1]]
        result = {"Account": key.account, "Arn": key.arn, "UserId": key.user_id}
        whole = {"GetCallerIdentityResult": result, "ResponseMetadata": {"RequestId": "r"}}
        return _json(200, {"GetCallerIdentityResponse": whole})

    def _why_not(self, asked: Asked) -> str | None:
        match = _AUTHORIZATION.match(asked.headers.get("authorization", ""))
        if match is None:
            return "IncompleteSignature"
        key_id, day, region, names, signature = match.groups()
        key = self.keys.get(key_id)
        if key is None or key.token != asked.headers.get("x-amz-security-token", ""):
            return "InvalidClientTokenId"
        date = asked.headers.get("x-amz-date", "")
        signed_at = dt.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        if not date.startswith(day) or abs(dt.datetime.now(dt.UTC) - signed_at) > dt.timedelta(minutes=15):
            return "SignatureDoesNotMatch"
        # A region's STS is that region's alone, and every header of AWS that is sent has to be signed.
        ours = (f"sts.{region}.amazonaws.com", f"sts.{region}.amazonaws.com.cn", f"sts.{region}.amazonaws.eu")
        amz = {name for name in asked.headers if name.startswith("x-amz-")}
        if asked.headers.get("host") not in ours or not amz | {"host"} <= set(names.split(";")):
            return "SignatureDoesNotMatch"
        expected = signature_of(key, region, asked, names.split(";"))
        return None if hmac.compare_digest(expected, signature) else "SignatureDoesNotMatch"


def signature_of(key: Key, region: str, asked: Asked, names: list[str]) -> str:
    """Return what AWS would compute for a request as it came."""
    headers = {name: asked.headers.get(name, "") for name in names}
    request = AWSRequest(
        method="POST", url=f"https://{asked.headers['host']}{asked.path}", headers=headers, data=asked.body
    )
    request.context["timestamp"] = asked.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("unused", key.secret), "sts", region)
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def _json(status: int, plain: dict) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(plain).encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        fake = self.server.fake
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
        fake.asked.append(asked)
        answer = fake.answer(asked)
        status, shown, body = fake.bend(answer) if fake.bend else answer
        self.close_connection = True
        try:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body)), "Connection": "close"} | shown).items():
                self.send_header(name, value)
            self.end_headers()
            self._write(body, fake)
        except OSError:
            return

    def _write(self, body: bytes, fake: FakeSts) -> None:
        if not fake.drip:
            self.wfile.write(body)
            return
        for each in body:
            self.wfile.write(bytes([each]))
            if fake.ended.wait(fake.drip):
                return
