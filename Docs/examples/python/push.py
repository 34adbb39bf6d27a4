"""A backend that pushes, in Python.

    python generate.py                                                      # once
    python push.py --sender HOST:PORT --user alice --message "hello"        # one push; prints the result as JSON
    python push.py --sender HOST:PORT --user alice,bob --message "hello"    # one call for many users
"""

import argparse
import pathlib
import sys

import grpc
from google.protobuf.json_format import MessageToJson

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "generated"))

from pushring.v1 import push_pb2, push_pb2_grpc  # noqa: E402


def main(arguments) -> int:
    payload = arguments.message.encode()
    users = arguments.user.split(",")
    with grpc.insecure_channel(arguments.sender) as channel:
        pushes = push_pb2_grpc.PushesStub(channel)
        try:
            if len(users) == 1:
                results = [pushes.Push(push_pb2.PushRequest(user_id=users[0], payload=payload), timeout=10)]
            else:
                results = pushes.PushMany(push_pb2.PushManyRequest(user_ids=users, payload=payload), timeout=10).results
        except grpc.RpcError as error:
            # RESOURCE_EXHAUSTED and UNAVAILABLE: nothing was delivered; wait a little and push again, with the same
            # message_id if you chose one.
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            return 1
    for result in results:
        print(MessageToJson(result, indent=None))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pushes a message to one user or several.")
    parser.add_argument("--sender", required=True, help="HOST:PORT of a Sender")
    parser.add_argument("--user", required=True, help="USER[,USER...]")
    parser.add_argument("--message", required=True)
    sys.exit(main(parser.parse_args()))
