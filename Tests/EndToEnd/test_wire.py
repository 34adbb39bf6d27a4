"""Our HPACK and framing beside another implementation: Python's hpack, hyperframe and h2 (python-hyper.org).

Everything is generated from seeds, so that what fails once fails again.
"""

from __future__ import annotations

import random

import h2.config
import h2.connection
import h2.events
import h2.settings
import hpack
import pytest
from hyperframe import frame as frames

from harness.probe import WireProbe

NAMES = [
    b":path",
    b":status",
    b"content-type",
    b"cookie",
    b"authorization",
    b"x",
    b"grpc-timeout",
    b"a-long-name-of-a-field",
]
VALUES = [b"", b"/", b"200", b"application/grpc", b"same again", bytes(range(256)), b"\xff" * 300]
SIZES = [0, 32, 100, 500, 4096, 10_000]


@pytest.fixture
def probe():
    made = WireProbe()
    yield made
    made.close()


def some_fields(chance: random.Random) -> list[tuple[bytes, bytes, bool]]:
    def value() -> bytes:
        return chance.choice(VALUES) if chance.random() < 0.6 else chance.randbytes(chance.randrange(60))

    return [(chance.choice(NAMES), value(), chance.random() < 0.2) for _ in range(chance.randrange(12))]


def theirs(decoder: hpack.Decoder, block: bytes) -> list[tuple[bytes, bytes, bool]] | None:
    """The fields; None for an error."""
    try:
        return [(bytes(h[0]), bytes(h[1]), not h.indexable) for h in decoder.decode(block, raw=True)]
    except (hpack.HPACKError, UnicodeDecodeError):
        return None


# HPACK


@pytest.mark.parametrize("seed", range(15))
def test_what_we_encode_they_decode(probe, seed):
    chance = random.Random(seed)
    wanted, huffman = chance.choice(SIZES), chance.randrange(2)
    probe.ask("encoder", wanted, huffman)
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    for _ in range(30):
        if chance.random() < 0.15:
            size = chance.choice(SIZES)
            probe.ask("peer-table", size)
            decoder.max_allowed_table_size = size
        fields = some_fields(chance)
        # These three we never put into a table, whatever we are told.
        expected = [(name, value, secret or name in (b"authorization", b"cookie")) for name, value, secret in fields]
        assert theirs(decoder, probe.encode(fields)) == expected
        assert decoder.header_table_size <= max(wanted, 4096)


@pytest.mark.parametrize("seed", range(15))
def test_what_they_encode_we_decode(probe, seed):
    chance = random.Random(seed)
    probe.ask("decoder", 1 << 20)
    encoder, decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 20)
    for _ in range(30):
        if chance.random() < 0.15:
            size = chance.choice(SIZES)
            probe.ask("table", size)
            encoder.header_table_size = decoder.max_allowed_table_size = size
        fields = some_fields(chance)
        block = encoder.encode(fields, huffman=chance.random() < 0.5)
        ours = probe.decode(block)
        assert [field[:2] for field in ours] == [field[:2] for field in fields]
        # A secret that is in the table already is sent as a reference, which does not say that it is one.
        assert ours == theirs(decoder, block)


@pytest.mark.parametrize("seed", range(12))
def test_blocks_that_are_damaged_are_the_same_fields_or_no_fields_to_both(probe, seed):
    chance = random.Random(1_000 + seed)
    both = 0
    for _ in range(150):
        encoder = hpack.Encoder()
        decoder = hpack.Decoder(max_header_list_size=1 << 20)
        probe.ask("decoder", 1 << 20)
        for _ in range(3):
            block = bytearray(encoder.encode(some_fields(chance), huffman=chance.random() < 0.5))
            for _ in range(chance.choice([0, 0, 1, 1, 2])):
                if block:
                    place = chance.randrange(len(block))
                    block[place : place + chance.randrange(2)] = bytes(
                        [chance.choice([0, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xBE, 0xFF, chance.randrange(256)])]
                    )
            ours, other = probe.decode(bytes(block)), theirs(decoder, bytes(block))
            if isinstance(ours, str) or other is None:
                assert isinstance(ours, str) and other is None, f"ours: {ours}, theirs: {other}, block: {block.hex()}"
                break
            assert ours == other
            both += 1
    assert both > 100


# Framing


def some_frames(chance: random.Random) -> list[tuple[frames.Frame, str | None]]:
    """Frames as hyperframe writes them, each with what our reader says to it."""
    stream = 2 * chance.randrange(1, 1 << 20) + 1
    data = chance.randbytes(chance.choice([0, 1, 5, 200, 3_000]))
    number = chance.randrange(1, 1 << 31)
    kind = chance.randrange(10)
    if kind == 0:
        end, padding = chance.randrange(2), chance.choice([None, 0, 7, 255])
        made = frames.DataFrame(
            stream, data, flags=["END_STREAM"] * end + ["PADDED"] * (padding is not None), pad_length=padding or 0
        )
        taken = len(data) + (0 if padding is None else padding + 1)
        return [(made, f"data:{stream}:{data.hex()}:{taken}:{end}")]
    if kind == 1:
        pieces = [chance.randbytes(chance.randrange(15)) for _ in range(chance.randrange(1, 5))]
        flags, end = ["END_HEADERS"] * (len(pieces) == 1), chance.randrange(2)
        flags += ["END_STREAM"] * end + ["PRIORITY"] * chance.randrange(2)
        head = frames.HeadersFrame(stream, pieces[0], flags=flags, depends_on=0, stream_weight=3)
        rest = [frames.ContinuationFrame(stream, piece) for piece in pieces[1:]]
        if rest:
            rest[-1].flags.add("END_HEADERS")
        said = f"headers:{stream}:{b''.join(pieces).hex()}:{end}"
        made = [head, *rest]
        return [(one, said if one is made[-1] else None) for one in made]
    if kind == 2:
        return [(frames.PriorityFrame(stream, depends_on=0, stream_weight=9), f"priority:{stream}")]
    if kind == 3:
        code = chance.choice([0, 8, 11, number])
        return [(frames.RstStreamFrame(stream, code), f"reset:{stream}:{code}")]
    if kind == 4:
        settings = {1: chance.randrange(1 << 32), 3: number, 4: number, 5: chance.randrange(1 << 14, 1 << 24), 6: number}
        chosen = dict(chance.sample(sorted(settings.items()), chance.randrange(6)))
        said = ",".join(f"{name}={value}" for name, value in chosen.items())
        return [(frames.SettingsFrame(0, settings=chosen), f"settings:{said}")]
    if kind == 5:
        return [(frames.SettingsFrame(0, flags=["ACK"]), "settings-ack")]
    if kind == 6:
        opaque, ack = chance.randbytes(8), chance.randrange(2)
        return [(frames.PingFrame(0, opaque, flags=["ACK"] * ack), f"ping:{int.from_bytes(opaque, 'big')}:{ack}")]
    if kind == 7:
        made = frames.GoAwayFrame(0, last_stream_id=stream, error_code=11, additional_data=data)
        return [(made, f"goaway:{stream}:11:{data.hex()}")]
    if kind == 8:
        where = chance.choice([0, stream])
        return [(frames.WindowUpdateFrame(where, window_increment=number), f"window:{where}:{number}")]
    made = frames.ExtensionFrame(chance.randrange(0xB, 0x100), stream, flag_byte=7, body=data)
    # hyperframe writes the length that it read, and it has not read this one.
    made.body_len = len(data)
    return [(made, None)]


@pytest.mark.parametrize("seed", range(12))
def test_frames_that_they_write_we_read_in_pieces_of_any_size(probe, seed):
    chance = random.Random(seed)
    probe.ask("reader", "client")
    written = [(frames.SettingsFrame(0), "settings:")] + [one for _ in range(80) for one in some_frames(chance)]
    data = b"".join(frame.serialize() for frame, _ in written)
    read = []
    while data:
        count = chance.choice([1, 8, 9, 10, 100, 5_000])
        read += probe.read(data[:count])
        data = data[count:]
    assert read == [said for _, said in written if said is not None]


class Caller:
    """An h2 client of our server, that remembers what it said."""

    def __init__(self, probe: WireProbe, chance: random.Random):
        self.probe, self.chance = probe, chance
        probe.ask("server")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.sent: dict[int, bytes] = {}
        self.got: dict[int, bytes] = {}
        self.ended: dict[int, dict[str, str]] = {}
        self.reset: set[int] = set()
        self.pings = 0

    def exchange(self) -> None:
        """In pieces; h2 raises on whatever breaks the protocol."""
        data = self.h2.data_to_send()
        while data:
            count = self.chance.choice([1, 9, 50, 100_000])
            for event in self.h2.receive_data(self.probe.receive(data[:count])):
                self.saw(event)
            data = data[count:] + self.h2.data_to_send()

    def saw(self, event) -> None:
        if isinstance(event, h2.events.DataReceived):
            self.got[event.stream_id] = self.got.get(event.stream_id, b"") + event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            # The first headers are also the last when there was no message.
            if "grpc-status" in dict(event.headers):
                self.ended[event.stream_id] = {
                    name: value for name, value in event.headers if name in ("grpc-status", "echoed")
                }
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
        elif isinstance(event, (h2.events.ConnectionTerminated, h2.events.StreamReset)):
            raise AssertionError(event)

    def open(self) -> None:
        stream = self.h2.get_next_available_stream_id()
        extra = [
            ("x-" + "y" * self.chance.randrange(30), "z" * self.chance.randrange(500))
            for _ in range(self.chance.randrange(4))
        ]
        head = [(":method", "POST"), (":scheme", "http"), (":path", "/test.Echo/Echo"), (":authority", "here")]
        self.h2.send_headers(stream, [*head, ("te", "trailers"), ("content-type", "application/grpc"), *extra])
        self.sent[stream] = b""

    def message(self) -> None:
        stream = self.chance.choice(sorted(self.sent))
        if stream in self.ended or stream in self.reset:
            return
        payload = self.chance.randbytes(self.chance.choice([0, 1, 300, 20_000]))
        data = b"\0" + len(payload).to_bytes(4, "big") + payload
        self.sent[stream] += data
        while data:
            count = min(self.chance.choice([1, 4, 7, 16_000]) if len(data) < 400 else 16_000, len(data))
            self.h2.send_data(stream, data[:count], pad_length=self.chance.choice([None, 0, 9]))
            data = data[count:]
            self.exchange()

    def change(self) -> None:
        self.h2.update_settings(
            {
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: self.chance.choice([1_000, 10_000, 65_535, 1 << 20]),
                h2.settings.SettingCodes.MAX_FRAME_SIZE: self.chance.choice([16_384, 100_000]),
                h2.settings.SettingCodes.HEADER_TABLE_SIZE: self.chance.choice([0, 100, 4_096]),
            }
        )

    def end(self) -> None:
        for stream in sorted(self.sent):
            if stream not in self.ended and stream not in self.reset:
                self.h2.end_stream(stream)
                self.exchange()


@pytest.mark.parametrize("seed", range(12))
def test_h2_understands_our_server(probe, seed):
    chance = random.Random(seed)
    caller = Caller(probe, chance)
    caller.open()
    caller.exchange()
    pings = 0
    for _ in range(40):
        step = chance.choice(["open", "message", "message", "message", "change", "ping", "cancel"])
        if step == "ping":
            caller.h2.ping(chance.randbytes(8))
            pings += 1
        elif step == "cancel":
            stream = chance.choice(sorted(caller.sent))
            if stream not in caller.reset and len(caller.reset) < 3:
                caller.h2.reset_stream(stream, 8)
                caller.reset.add(stream)
        else:
            getattr(caller, step)()
        caller.exchange()
    caller.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
    caller.h2.increment_flow_control_window(1 << 24)
    caller.exchange()
    caller.end()
    whole = [stream for stream in caller.sent if stream not in caller.reset]
    assert {stream: caller.got.get(stream, b"") for stream in whole} == {stream: caller.sent[stream] for stream in whole}
    assert {stream: caller.ended[stream] for stream in whole} == {
        stream: {"grpc-status": "0", "echoed": "yes"} for stream in whole
    }
    assert caller.pings == pings
