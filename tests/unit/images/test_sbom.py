"""What `tools/sbom` tells of a root."""

from __future__ import annotations

import io
import json
import pathlib
import subprocess
import tarfile

SBOM = pathlib.Path(__file__).parents[3] / "tools" / "sbom"
STATUS = """Package: libfoo1
Status: install ok installed
Architecture: amd64
Version: 1:2.0-1+deb12u1

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


def told(files: dict[str, str], links: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return subprocess.run([SBOM, "gpudev/x", "1"], input=made.getvalue(), capture_output=True, check=False)


def components(*what) -> dict[str, dict]:
    done = told(*what)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["components"]}


def metadata(*lines: str) -> dict[str, str]:
    return {"opt/x/Foo_Bar-1.2.dist-info/METADATA": "\n".join(["Name: Foo.Bar", "Version: 1.2", *lines, "", "text"])}


def test_a_distribution_is_named_as_the_index_names_it():
    assert components(metadata("License-Expression: MIT"))["Foo.Bar"]["purl"] == "pkg:pypi/foo-bar@1.2"


def test_a_licence_is_an_expression_or_a_name_or_that_of_the_classifiers():
    trove = "Classifier: License :: OSI Approved :: BSD License"
    texts = [("License-Expression: MIT", trove), ("License: ISC", trove), ("License: UNKNOWN", trove)]

    found = [components(metadata(*lines))["Foo.Bar"]["licenses"] for lines in texts]

    assert found == [[{"expression": "MIT"}], [{"license": {"name": "ISC"}}], [{"license": {"name": "BSD License"}}]]


def test_a_licence_that_nobody_tells_is_said_to_be_unknown():
    found = components(metadata())["Foo.Bar"]

    assert "licenses" not in found
    assert found["properties"] == [{"name": "gpudev:licence", "value": "the image does not tell it"}]


def test_a_package_that_is_no_longer_installed_is_not_in_the_image():
    found = components({"var/lib/dpkg/status": STATUS})

    assert list(found) == ["libfoo1"]
    assert found["libfoo1"]["purl"] == "pkg:deb/debian/libfoo1@1%3A2.0-1%2Bdeb12u1?arch=amd64"


def test_a_package_has_the_licences_of_the_folder_that_its_own_points_at():
    texts = {
        "var/lib/dpkg/status": STATUS,
        "usr/share/doc/foo/copyright": "Files: *\nLicense: GPL-2+\n text\n\nLicense: MIT\n",
    }
    links = {"usr/share/doc/libfoo1": "foo-common", "usr/share/doc/foo-common": "foo"}

    found = components(texts, links)["libfoo1"]

    assert [each["license"]["name"] for each in found["licenses"]] == ["GPL-2+", "MIT"]


def test_what_is_no_root_of_an_image_is_refused():
    done = told({"README": "hello"})

    assert done.returncode == 1
    assert b"is this the root of an image" in done.stderr
