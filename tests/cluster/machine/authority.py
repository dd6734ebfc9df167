"""The cluster's certificates and kubeconfigs, made anew for each cluster and good for two days."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import pathlib

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.machine.layout import Layout

#: Longer than any run of tests; a cluster that somebody leaves up is brought up anew the day after.
GOOD_FOR = datetime.timedelta(days=2)
#: A clock that was set back a little must not make the certificates be of the future.
SLACK = datetime.timedelta(minutes=5)
MASTERS = "system:masters"
#: Who speaks to the API server, by which name and group. What Kubernetes has roles of its own for gets no more than
#: these; sidecars and DNS have none, and are given everything rather than a copy of their charts' roles.
PEOPLE = {
    "admin": ("admin", MASTERS),
    "controllers": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "disks": ("gpudev:disks", MASTERS),
    "dns": ("gpudev:dns", MASTERS),
}


@attrs.frozen
class Authority:
    """Signs what the parts of the cluster show each other."""

    layout: Layout
    _key: ec.EllipticCurvePrivateKey
    _certificate: x509.Certificate

    def server(self, name: str, *addresses: str) -> None:
        """Make the certificate of something that is called by these names and addresses."""
        self._issue(name, _subject(name), addresses)

    def client(self, name: str, person: str, group: str) -> None:
        """Make the certificate and the kubeconfig of somebody who calls the API server."""
        self._issue(name, _subject(person, group))
        path = self.layout.kubeconfig_of(name)
        path.touch(mode=0o600)
        path.write_text(json.dumps(_kubeconfig(self.layout, name), indent=2))

    def _issue(self, name: str, subject: x509.Name, addresses: tuple[str, ...] = ()) -> None:
        key = _new_key(self.layout.key(name))
        usages = [ExtendedKeyUsageOID.SERVER_AUTH if addresses else ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(subject, self._certificate.subject, key)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in addresses]), False)
        _write(self.layout.certificate(name), builder.sign(self._key, hashes.SHA256()))


def make_all(layout: Layout) -> None:
    """Write every key, certificate and kubeconfig of a cluster."""
    layout.key("ca").parent.mkdir(mode=0o700)
    authority = _found(layout)
    service = "kubernetes.default.svc"
    names = ("kubernetes", "kubernetes.default", service, f"{service}.{layout.domain}", "localhost")
    authority.server("api", *names, layout.service_api, layout.address, "127.0.0.1")
    authority.server("kubelet-server", layout.node, layout.address)
    authority.client("kubelet", f"system:node:{layout.node}", "system:nodes")
    authority.client("api-to-kubelet", "kube-apiserver", MASTERS)
    for name, (person, group) in PEOPLE.items():
        authority.client(name, person, group)
    service_accounts = _new_key(layout.key("service-accounts"))
    public = service_accounts.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    layout.key("service-accounts").with_suffix(".pub").write_bytes(public)


def _found(layout: Layout) -> Authority:
    key = _new_key(layout.key("ca"))
    name = _subject("gpudev test cluster")
    builder = _builder(name, name, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    _write(layout.certificate("ca"), certificate)
    return Authority(layout, key, certificate)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - SLACK).not_valid_after(now + GOOD_FOR)


def _subject(name: str, group: str = "") -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _new_key(path: pathlib.Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    # The form that every program here reads: the service accounts' parser knows no other of elliptic curves.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return key


def _write(path: pathlib.Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _kubeconfig(layout: Layout, name: str) -> dict:
    """Return a kubeconfig that needs no other file, in JSON, which is YAML too."""
    cluster = {"server": layout.api, "certificate-authority-data": _text(layout.certificate("ca"))}
    user = {"client-certificate-data": _text(layout.certificate(name)), "client-key-data": _text(layout.key(name))}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "gpudev",
        "clusters": [{"name": "gpudev", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "gpudev", "context": {"cluster": "gpudev", "user": name}}],
    }


def _text(path: pathlib.Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
