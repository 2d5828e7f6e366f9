"""A live layout: a keyframe at once, positions that are finite, drags that everybody sees."""

import json
import math
import pathlib
import queue
import struct

import grpc
import pytest
from shapes import apply, edge, node, refused
from weft.compute.v1 import constraint_pb2, layout_pb2, layout_service_pb2

HEADER = struct.Struct("<4sBBBBIIQQ3f3fq")


def steps(data, count):
    """A column of blocks, as docs/position-frames.md writes them: its numbers, and what comes after it."""
    column = []
    while len(column) < count:
        length, form, data = min(128, count - len(column)), data[0], data[1:]
        bits, at = int.from_bytes(data[: length * 4], "little"), 0
        for _ in range(length):
            if form < 32:
                assert form <= 16
                number, at = bits >> at & (1 << form) - 1, at + form
            else:
                ones, low = 0, form - 32
                while ones < 16 and bits >> at & 1:
                    ones, at = ones + 1, at + 1
                if ones == 16:
                    number, at = bits >> at & 0xFFFF, at + 16
                else:
                    number, at = ones << low | bits >> at + 1 & (1 << low) - 1, at + 1 + low
            column.append(-(number + 1) // 2 if number & 1 else number // 2)
        data = data[(at + 7) // 8 :]
    return column, data


class Frame:
    """A position frame, as docs/position-frames.md writes it; `before` is the frame before it in its stream."""

    def __init__(self, data, before=None):
        fields = HEADER.unpack_from(data)
        magic, version, self.encoding, self.flags, _, self.count = fields[:6]
        assert (magic, version) == (b"WFPF", 1) and HEADER.size == 64
        self.sequence, self.tick = fields[7:9]
        body = data[64:]
        self.ids = None
        if self.flags & 2:
            self.ids = list(struct.unpack_from(f"<{self.count}I", body))
            body = body[4 * self.count :]
        dimensions = 3 if self.flags & 4 else 2
        if self.encoding == layout_pb2.FRAME_ENCODING_COLUMNS_F32:
            assert len(body) == 4 * self.count * dimensions
            values = struct.unpack(f"<{self.count * dimensions}f", body)
            assert all(math.isfinite(value) for value in values)
            self.columns = [values[axis * self.count :][: self.count] for axis in range(dimensions)]
        elif self.encoding == layout_pb2.FRAME_ENCODING_COLUMNS_Q16:
            column = (2 * self.count + 3) // 4 * 4
            assert len(body) == column * dimensions
        elif self.encoding == layout_pb2.FRAME_ENCODING_DELTA:
            if self.flags & 16:
                assert struct.unpack_from("<Q", body)[0] == before.sequence
                self.grid, origin, body = before.grid, before.steps, body[8:]
            else:
                self.grid, body = struct.unpack_from("<4f", body), body[16:]
                origin = [[0] * self.count] * dimensions
            self.steps = []
            for axis in range(dimensions):
                column, body = steps(body, self.count)
                wrapped = ((was + by + 32768) % 65536 - 32768 for was, by in zip(origin[axis], column, strict=True))
                self.steps.append(list(wrapped))
            assert not body
            self.columns = [
                [self.grid[1 + axis] + self.grid[0] * step for step in column] for axis, column in enumerate(self.steps)
            ]
        else:
            assert len(body) == 34 * self.count


@pytest.fixture
def ring(admin, graph):
    """Twelve nodes in a ring."""
    keys = [f"n{index}" for index in range(12)]
    apply(admin, graph, *map(node, keys), *[edge(keys[i], keys[(i + 1) % 12]) for i in range(12)])
    return graph


@pytest.fixture
def layout(admin, ring):
    made = admin.layouts.CreateLayout(
        layout_service_pb2.CreateLayoutRequest(parent=ring, layout=layout_pb2.Layout(seed=7)), timeout=20
    )
    yield made.name
    admin.layouts.DeleteLayout(layout_service_pb2.DeleteLayoutRequest(name=made.name))


def watch(admin, layout, *encodings):
    options = layout_pb2.FrameOptions(encodings=encodings, max_frames_per_second=60)
    request = layout_service_pb2.WatchPositionsRequest(name=layout, options=options)
    return admin.layouts.WatchPositions(request, timeout=30)


def frames(stream):
    frame = None
    for answer in stream:
        if answer.event.WhichOneof("event") == "frame":
            frame = Frame(answer.event.frame, frame)
            yield frame


def test_frames_of_differences_show_what_the_services_own_reader_sees():
    path = pathlib.Path(__file__).parents[1] / "vectors" / "position-frames.json"
    frame = None
    for vector in json.loads(path.read_text()):
        frame = Frame(bytes.fromhex(vector["frame"]), frame)
        for shown, expected in zip(frame.columns, vector["positions"], strict=True):
            assert shown == pytest.approx(expected, abs=1e-3)


def test_a_viewer_of_differences_follows_the_layout_to_its_rest(admin, layout):
    stream = watch(admin, layout, layout_pb2.FRAME_ENCODING_DELTA)
    frame, built, tick = None, 0, None
    for answer in stream:
        event = answer.event
        if event.WhichOneof("event") == "frame":
            assert not event.replaceable
            frame = Frame(event.frame, frame)
            built += bool(frame.flags & 16)
        if event.layout.state == layout_pb2.LAYOUT_STATE_SETTLED:
            tick = event.layout.tick
        if frame and frame.tick == tick:
            break
    stream.cancel()
    assert built > 0
    exact = next(frame for frame in frames(watch(admin, layout)) if frame.tick == tick)
    extent = max(max(column) - min(column) for column in exact.columns)
    for shown, expected in zip(frame.columns, exact.columns, strict=True):
        assert shown == pytest.approx(expected, abs=extent / 3840 / 4)


@pytest.mark.parametrize(
    "encoding",
    [
        layout_pb2.FRAME_ENCODING_COLUMNS_F32,
        layout_pb2.FRAME_ENCODING_COLUMNS_Q16,
        layout_pb2.FRAME_ENCODING_RECORD34,
        layout_pb2.FRAME_ENCODING_DELTA,
    ],
)
def test_a_viewer_gets_the_state_and_a_keyframe_first(admin, layout, encoding):
    stream = watch(admin, layout, encoding)
    assert next(iter(stream)).event.layout.name == layout
    first = next(frame for frame in frames(stream) if frame.count)
    assert first.encoding == encoding and first.flags & 1 and first.count == 12
    stream.cancel()


def test_it_moves_and_then_rests_and_a_late_joiner_sees_it(admin, layout):
    for answer in watch(admin, layout):
        if answer.event.layout.state == layout_pb2.LAYOUT_STATE_SETTLED:
            break
    late = next(frame for frame in frames(watch(admin, layout)) if frame.count)
    assert late.count == 12 and late.tick > 0
    # A ring is laid out with its nodes apart.
    places = set(zip(*late.columns))
    assert len(places) == 12


def test_a_drag_is_seen_by_everybody(admin, layout):
    other = watch(admin, layout)
    actions = queue.Queue()
    Request = layout_service_pb2.AttachLayoutRequest
    actions.put(Request(open=layout_service_pb2.AttachOpen(name=layout)))
    conversation = admin.layouts.AttachLayout(iter(actions.get, None), timeout=30)
    next(iter(conversation))
    place = layout_pb2.Point(x=123.0, y=-45.0)
    actions.put(Request(drag=layout_pb2.NodePlacement(key="n0", position=place)))
    for frame in frames(other):
        if any(abs(x - 123.0) < 1e-3 and abs(y + 45.0) < 1e-3 for x, y in zip(*frame.columns[:2])):
            break
    else:
        pytest.fail("the other viewer never saw the dragged node")
    actions.put(None)
    other.cancel()


def test_a_pin_stays(admin, layout):
    place = layout_pb2.NodePlacement(key="n3", position=layout_pb2.Point(x=50, y=50))
    pinned = admin.layouts.PinNodes(layout_service_pb2.PinNodesRequest(name=layout, nodes=[place]))
    assert pinned.pinned_count == 1
    stopped = admin.layouts.StopLayout(layout_service_pb2.StopLayoutRequest(name=layout))
    assert stopped.state == layout_pb2.LAYOUT_STATE_STOPPED
    free = admin.layouts.UnpinNodes(layout_service_pb2.UnpinNodesRequest(name=layout))
    assert free.pinned_count == 0


def test_new_nodes_appear_in_the_running_layout(admin, ring, layout):
    stream = watch(admin, layout)
    assert next(frame for frame in frames(stream) if frame.count).count == 12
    apply(admin, ring, node("newcomer"), edge("newcomer", "n0"))
    assert next(frame for frame in frames(stream) if frame.count == 13)
    stream.cancel()


def test_a_constraint_is_kept_to_by_the_nodes_that_it_names(admin, layout):
    keys = constraint_pb2.NodeKeys(keys=["n0", "n4", "n8"])
    row = constraint_pb2.AlignmentRule(nodes=constraint_pb2.NodeSet(keys=keys), direction=layout_pb2.Point(x=1))
    made = admin.layouts.CreateConstraint(
        layout_service_pb2.CreateConstraintRequest(
            parent=layout, constraint_id="row", constraint=constraint_pb2.Constraint(alignment=row)
        )
    )
    assert made.name == f"{layout}/constraints/row" and made.strength == 1
    stream = watch(admin, layout, layout_pb2.FRAME_ENCODING_COLUMNS_F32)
    ids = None
    for frame in frames(stream):
        ids = frame.ids or ids
        heights = [frame.columns[1][ids.index(ordinal)] for ordinal in sorted(ids)[:9:4]]
        if max(heights) - min(heights) < 0.01:
            break
    stream.cancel()
    listed = admin.layouts.ListConstraints(layout_service_pb2.ListConstraintsRequest(parent=layout)).constraints
    assert [(one.name, one.node_count) for one in listed] == [(made.name, 3)]
    with refused(grpc.StatusCode.ABORTED) as refusal:
        admin.layouts.DeleteConstraint(layout_service_pb2.DeleteConstraintRequest(name=made.name, etag="x"))
    assert refusal.info.reason == "ETAG_MISMATCH"
    admin.layouts.DeleteConstraint(layout_service_pb2.DeleteConstraintRequest(name=made.name, etag=made.etag))


@pytest.mark.parametrize("radius", [float("nan"), float("inf"), -1.0, 1e300])
def test_constraints_that_are_no_numbers_are_refused(admin, layout, radius):
    constraint = constraint_pb2.Constraint(collision=constraint_pb2.CollisionRule(radius=radius))
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        admin.layouts.CreateConstraint(
            layout_service_pb2.CreateConstraintRequest(parent=layout, constraint=constraint)
        )
    assert any("radius" in field for field in refusal.fields)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e300])
def test_forces_that_are_no_numbers_are_refused(admin, layout, value):
    changed = layout_pb2.Layout(name=layout, parameters=layout_pb2.LayoutParameters(repulsion=value))
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        admin.layouts.UpdateLayout(layout_service_pb2.UpdateLayoutRequest(layout=changed))
    assert any("repulsion" in field for field in refusal.fields)
