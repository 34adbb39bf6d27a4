"""The image as a command line: what it says, and how it ends."""

import subprocess

import pytest
from harness.waiting import eventually
from image import podman
from image.cluster import ANY, NAMED, Server
from image.podman import HARDENED


@pytest.mark.parametrize("user", [[], NAMED, ANY], ids=["its own", "65532", "any"])
def test_help_needs_nothing(program, user):
    done = program("--help", options=user)
    assert done.code == 0 and "session-manager" in done.out, done.text


def test_a_mistake_is_told_and_ends_with_64(program):
    done = program("session-manager", "--lissten", "0.0.0.0:7400")
    assert done.code == 64 and "--lissten" in done.error and not done.out, done.text


def test_a_setting_that_does_not_fit_is_told_and_ends_with_64(program):
    done = program("sender", options=("--env", "PUSHRING_REDIS_TIMEOUT=soon"))
    assert done.code == 64 and "redis-timeout" in done.error.lower().replace("_", "-"), done.text


def test_without_a_redis_an_operator_is_told_so(program):
    done = program("ring", "inspect", "--redis", "redis://127.0.0.1:1")
    assert done.code == 1 and "127.0.0.1:1" in done.error, done.text


def test_there_is_no_shell_in_these_tests(image):
    """What all of them take for granted: with the options that they run under, a shell does not start."""
    done = podman.run("run", "--rm", "--network", "none", *HARDENED, "--entrypoint", "/bin/sh", image, "-c", "true")
    assert done.code in (126, 127), done.text


def test_nothing_can_be_written_in_these_tests(image):
    """Nor is there a file system in memory to write to."""
    as_root = [*HARDENED, "--user", "0:0", "--network", "none", "--entrypoint", "/usr/bin/touch"]
    for place in ("/tmp/file", "/run/file", "/var/tmp/file", "/file"):
        done = podman.run("run", "--rm", *as_root, image, place)
        assert done.code == 1 and "Read-only file system" in done.error, done.text


# A Redis over TLS


@pytest.fixture(scope="module")
def tls(network, tmp_path_factory, redis_image):
    """Shows a certificate that is its own authority; folder/redis.crt is that."""
    folder = tmp_path_factory.mktemp("tls")
    address = str(network.subnet.network_address + network.given + 1)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=redis", "-addext",
         f"subjectAltName=IP:{address}", "-keyout", folder / "redis.key", "-out", folder / "redis.crt"],
        check=True, capture_output=True, timeout=30,
    )
    for path in (folder, folder.parent, folder / "redis.key"):
        path.chmod(0o755)
    command = ["--port", "0", "--tls-port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", "/",
               "--tls-cert-file", "/tls/redis.crt", "--tls-key-file", "/tls/redis.key", "--tls-ca-cert-file", "/tls/redis.crt",
               "--tls-auth-clients", "no"]
    server = Server(network, "redis-with-tls", redis_image, ["redis-server", *command],
                    options=[*HARDENED, "--volume", f"{folder}:/tls:ro"], user=NAMED)
    try:
        assert server.address == address
        eventually("redis-server accepts connections", lambda: "Ready to accept connections" in server.log)
        yield server, folder
    finally:
        server.remove()


def inspect_over_tls(network, image, server, *options: str, arguments: tuple[str, ...] = ()):
    return podman.run(
        "run", "--rm", "--network", network.name, *HARDENED, *options, image, "ring", "inspect", "--redis",
        f"rediss://{server.endpoint(6379)}", *arguments,
    )


def test_a_stranger_is_not_trusted(network, image, tls):
    done = inspect_over_tls(network, image, tls[0])
    assert done.code == 1 and "certificate" in done.text.lower(), done.text


def test_the_images_own_authorities_are_those_that_are_trusted(network, image, tls):
    server, folder = tls
    done = inspect_over_tls(network, image, server, "--volume", f"{folder}/redis.crt:/etc/ssl/certs/ca-certificates.crt:ro")
    assert done.code == 1 and "certificate" not in done.text.lower(), done.text
    assert "nobody" in done.text.lower() or "no member" in done.text.lower(), done.text


def test_an_authority_of_ones_own_is_a_file(network, image, tls):
    server, folder = tls
    done = inspect_over_tls(
        network, image, server, "--volume", f"{folder}/redis.crt:/authority.pem:ro", arguments=("--redis-ca-file", "/authority.pem")
    )
    assert done.code == 1 and "certificate" not in done.text.lower(), done.text
