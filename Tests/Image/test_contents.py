"""What is in the image, read from outside: nothing is run for it, so that nothing has to be in it for this."""

import os
import re
import stat
import subprocess

import pytest
from image import podman

PROGRAM = "usr/local/bin/pushring"
DOCUMENTS = "usr/share/doc/pushring"
# The base has about 78 MB, the program 100 (Docs/kubernetes.md). What grows beyond that was not meant to.
LARGEST = 210_000_000
VERSION = "0.1.0"
LABELS = ["title", "description", "source", "licenses", "version", "revision", "base.name"]


@pytest.fixture(scope="module")
def configuration(image) -> dict:
    return podman.inspect("image", image)["Config"]


def added(files) -> set[str]:
    """Where the program's own files are."""
    return {str(path.relative_to(files)) for path in (files / "usr/local").rglob("*") if path.is_file()}


def installed(files) -> dict[str, str]:
    """Debian's own account of its packages, which scanners read."""
    packages = (files / "var/lib/dpkg/status").read_text().split("\n\n")
    fields = [dict(re.findall(r"^(Package|Status|Version): (.*)$", each, re.MULTILINE)) for each in packages if each.strip()]
    return {each["Package"]: each["Version"] for each in fields if each["Status"] == "install ok installed"}


def test_the_program_is_the_entry_point_and_on_the_path(configuration, files):
    assert configuration["Entrypoint"] == [f"/{PROGRAM}"] and not configuration.get("Cmd")
    path = next(each for each in configuration["Env"] if each.startswith("PATH="))
    assert "/usr/local/bin" in path.removeprefix("PATH=").split(":")
    assert os.access(files / PROGRAM, os.X_OK)


def test_the_user_is_a_number_and_not_root(configuration):
    """Kubernetes refuses a name where it has to be sure that it is not root."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", configuration["User"]), configuration["User"]


def test_sigterm_is_what_ends_it(configuration):
    assert configuration.get("StopSignal") in ("SIGTERM", "15")
    assert not configuration.get("Healthcheck") and not configuration.get("Volumes")


def test_labels_say_what_it_is(configuration):
    labels = {name: configuration["Labels"][f"org.opencontainers.image.{name}"] for name in LABELS}
    assert labels["title"] == "pushring" and labels["licenses"] == "Apache-2.0" and labels["version"] == VERSION
    assert all(labels[name] for name in ("description", "base.name")), labels


def test_image_program_and_chart_have_one_version(program, configuration, request):
    chart = (request.config.rootpath.parents[1] / "charts" / "pushring" / "Chart.yaml").read_text()
    assert re.search(r'^appVersion: "(.*)"$', chart, re.MULTILINE).group(1) == VERSION
    assert program("--version").out.strip() == VERSION == configuration["Labels"]["org.opencontainers.image.version"]


def test_of_ours_there_is_the_program_and_nothing_else(files):
    assert added(files) == {PROGRAM}
    assert not (files / "source").exists() and not (files / "cache").exists() and not (files / "image").exists()


def dynamic_section(files) -> str:
    command = ["readelf", "--wide", "--dynamic", "--sections", files / PROGRAM]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_program_is_stripped_and_links_debians_libraries_only(files):
    section = dynamic_section(files)
    assert ".symtab" not in section and ".debug_info" not in section
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", section))
    known = r"lib(hiredis|xxhash|stdc\+\+|gcc_s|z|m|c)\.so\.[0-9.]+|ld-linux.*"
    assert needed and not [name for name in needed if not re.fullmatch(known, name)], needed
    assert not list(files.rglob("libswift*.so*"))


def test_the_size_is_within_bounds(image):
    size = podman.inspect("image", image)["Size"]
    print(f"size: {size / 1e6:.0f} MB")
    assert size < LARGEST, f"{size / 1e6:.0f} MB"


def test_it_is_a_debian_that_scanners_can_read(files):
    assert (files / "etc/os-release").is_file()
    packages = installed(files)
    assert {"base-files", "dpkg", "libc6", "libstdc++6", "ca-certificates", "libxxhash0"} <= packages.keys()
    assert [name for name in packages if name.startswith("libhiredis")], "libhiredis"
    assert not [name for name in packages if name.endswith("-dev") or name in ("gcc", "g++", "git", "redis-server")]


def test_licences_of_all_that_is_shipped_are_in_it(files, request):
    repository = request.config.rootpath.parents[1]
    for name in ("LICENSE", "NOTICE", "THIRD-PARTY.md"):
        assert (files / DOCUMENTS / name).read_bytes() == (repository / name).read_bytes()
    # Those that do not come with their packages.
    for path in (repository / "Licenses").iterdir():
        assert (files / DOCUMENTS / "licenses" / path.name).read_bytes() == path.read_bytes()
    passed_on = {path.parent.name for path in (files / DOCUMENTS / "licenses").glob("*/LICENSE*")}
    # All packages that the program is built from stand in THIRD-PARTY.md, and the other way round.
    table = [line for line in (repository / "THIRD-PARTY.md").read_text().splitlines() if line.startswith("| ")]
    named = {name for line in table for name in re.findall(r"[A-Za-z0-9-]+", line.split("|")[1])}
    assert passed_on - {"swift"} <= named, passed_on - named
    assert {"swift", "swift-nio", "swift-nio-ssl", "grpc-swift-2", "swift-protobuf", "hummingbird", "Yams"} <= passed_on
    assert (files / DOCUMENTS / "licenses/swift-nio/Sources/CNIOLLHTTP/LICENSE").is_file()
    for package in [name for name in installed(files) if re.match(r"lib(hiredis|xxhash)", name)]:
        assert (files / "usr/share/doc" / package / "copyright").is_file(), package


def test_there_are_authorities_for_tls(files):
    assert (files / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 50


def test_nothing_lets_a_process_become_another_user(files):
    modes = [(path, path.lstat().st_mode) for path in files.rglob("*")]
    assert modes and not [path for path, mode in modes if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID)]


def test_nothing_is_left_of_its_making(files):
    assert not list((files / "var/lib/apt/lists").glob("*_Packages*"))
    assert not list((files / "var/cache/apt").glob("*.bin"))
    assert not [path for path in files.rglob("*") if path.name in (".git", ".gitconfig", ".build")]
