"""Somebody who asks the API all the while, and notes what went wrong."""

from __future__ import annotations

import ssl
import threading
import urllib.request

from tests.chart_cluster.release import Release


class Asking(threading.Thread):
    """Asks the Service's own address as fast as it answers: whether the API is ready, or with a token what is somebody's."""

    def __init__(self, release: Release, path: str = "/v1/server", token: str = ""):
        super().__init__(daemon=True)
        (service,) = [each for each in release.get("services") if each["metadata"]["name"] == f"{release.name}-api"]
        address = f"https://{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}{path}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.asked = urllib.request.Request(address, headers=headers)
        self.answered, self.wrong, self.over = 0, [], threading.Event()
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def run(self) -> None:
        while not self.over.wait(0.05):
            try:
                with urllib.request.urlopen(self.asked, timeout=10, context=self.context):
                    self.answered += 1
            except OSError as error:
                self.wrong.append(str(error))

    def __enter__(self) -> Asking:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.join()
