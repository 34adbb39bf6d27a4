"""Generates Python's protobuf and gRPC code from PushRing's .proto files.

    python generate.py [FOLDER]        FOLDER: generated/ beside this file unless given
"""

import pathlib
import sys

from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
PROTOS = HERE.parents[2] / "Sources" / "Wire" / "Protos"


def generate(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("pushring/v1/*.proto"))
    status = protoc.main(
        ["protoc", f"--proto_path={PROTOS}", f"--python_out={folder}", f"--grpc_python_out={folder}", *files]
    )
    if status != 0:
        raise SystemExit(f"protoc ended with {status}")


if __name__ == "__main__":
    generate(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "generated")
