"""One view of a cluster for compute and storage of one backend: the same connections and copies, and not each its own.

They are built one by one with one `Context`, and have nothing else in common. Whoever has a view keeps it alive; with the last of
them its copies end.
"""

from __future__ import annotations

import threading
import weakref

from gpudev_sdk.kube import cluster
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.kube.view import View
from gpudev_sdk.providers.context import Context

#: Views by who reaches what in which way, while anybody has them.
_VIEWS: weakref.WeakValueDictionary[tuple[object, ...], View] = weakref.WeakValueDictionary()
_LOCK = threading.Lock()


class Reaching:
    """A provider that reaches a cluster. A cloud's plugin overrides `connect`; who reaches it in another way has another view."""

    def __init__(self, settings: KubeSettings, context: Context) -> None:
        self._settings = settings
        self._install = context.install_id
        # A view is shared by this very context, which is therefore kept.
        self._context = context
        self._opening = threading.Lock()
        self._seen: View | None = None

    def connect(self) -> Api:
        """Reach the cluster; nothing is dialled yet."""
        return cluster.connect(self._settings.kubeconfig, self._settings.context, self._settings.namespace)

    @property
    def _view(self) -> View:
        with self._opening:
            if self._seen is None:
                self._seen = self._share()
            return self._seen

    def _share(self) -> View:
        """Return the view of whoever came first, or the first."""
        given = self._settings
        where = given.kubeconfig, given.context, given.namespace, given.count_others
        key = id(self._context), type(self).connect, type(given), *where
        with _LOCK:
            found = _VIEWS.get(key)
        if found is not None:
            return found
        made = View(self.connect(), self._install, count_others=given.count_others)
        with _LOCK:
            return _VIEWS.setdefault(key, made)
