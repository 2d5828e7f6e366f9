"""Server-sent events that go on where they broke off, as a browser's EventSource does it."""

from rest import query
from shapes import apply, node


def read(stream):
    """The next event that has data: its id and its data."""
    event = {}
    while "data" not in event:
        event = {}
        while line := stream.readline().decode().rstrip("\n"):
            name, _, text = line.partition(":")
            event[name] = text.strip()
    return event.get("id"), event["data"]


def test_a_watch_goes_on_after_the_last_event(rest, admin, graph):
    path = f"/v1/{graph}:watch" + query(afterRevision=1)
    apply(admin, graph, node("a"))
    with rest.open("GET", path, accept="text/event-stream") as stream:
        (first, data), (caught_up, _) = read(stream), read(stream)
    assert (first, caught_up) == ("2", "2") and '"revision":"2"' in data
    apply(admin, graph, node("b"))
    # The same address, as an EventSource has no other; what it has counts.
    with rest.open("GET", path, accept="text/event-stream", last_event_id=first) as stream:
        second, data = read(stream)
    assert second == "3" and '"key":"b"' in data and '"key":"a"' not in data


def test_an_id_that_is_none_is_refused(rest, graph):
    answer = rest("GET", f"/v1/{graph}:watch", accept="text/event-stream", last_event_id="yesterday")
    assert answer.status == 400 and "last-event-id" in answer.json["message"]
