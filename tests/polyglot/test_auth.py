"""Who may do what: keys, tokens, tickets, roles and scopes, as a client meets them."""

import base64
import json
import time

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from shapes import new_id, refused
from weft.graph.v1 import graph_pb2, graph_service_pb2
from weft.identity.v1 import identity_pb2, identity_service_pb2

PROJECT = "projects/polyglot"


def make_key(admin, role, scopes=(), parent=PROJECT):
    return admin.identity.CreateApiKey(
        identity_service_pb2.CreateApiKeyRequest(
            parent=parent,
            api_key=identity_pb2.ApiKey(display_name="made by a test", role=role, scopes=scopes),
            request_id=new_id(),
        )
    )


def list_graphs(client, parent=PROJECT):
    return client.graphs.ListGraphs(graph_service_pb2.ListGraphsRequest(parent=parent))


def create_graph(client, parent=PROJECT):
    return client.graphs.CreateGraph(
        graph_service_pb2.CreateGraphRequest(parent=parent, graph=graph_pb2.Graph(), request_id=new_id())
    )


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_nobody_is_asked_for_a_credential(connect):
    with refused(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_REQUIRED"):
        list_graphs(connect(None))


def test_a_wrong_key_is_refused(connect, mesh):
    wrong = mesh.key[:-1] + ("a" if mesh.key[-1] != "a" else "b")
    for credential in [wrong, "weft_", "x", "weft_" + "z" * 200]:
        with refused(grpc.StatusCode.UNAUTHENTICATED):
            list_graphs(connect(credential))


def test_the_administrator_is_told_who_it_is(admin):
    me = admin.identity.WhoAmI(identity_service_pb2.WhoAmIRequest())
    assert me.name.startswith("projects/mesh/apiKeys/")
    assert [(grant.project, grant.role) for grant in me.grants] == [("projects/mesh", identity_pb2.ROLE_ADMIN)]


def test_a_token_is_a_jwt_that_anybody_can_check(admin, connect, mesh):
    token = connect(None).identity.IssueToken(identity_service_pb2.IssueTokenRequest(api_key=mesh.key))
    header, payload, signature = token.token.split(".")
    assert json.loads(decode(header))["alg"] == "EdDSA"
    keys = connect(None).identity.GetJsonWebKeySet(identity_service_pb2.GetJsonWebKeySetRequest()).keys
    key = next(key for key in keys if key.kid == json.loads(decode(header))["kid"])
    public = Ed25519PublicKey.from_public_bytes(decode(key.x))
    public.verify(decode(signature), f"{header}.{payload}".encode())
    assert json.loads(decode(payload))["exp"] == pytest.approx(token.expire_time.seconds, abs=2)

    list_graphs(connect(token.token))
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    flipped = bytes([decode(signature)[0] ^ 1]) + decode(signature)[1:]
    for forged in [
        f"{none}.{payload}.",
        f"{header}.{payload}.{base64.urlsafe_b64encode(flipped).rstrip(b'=').decode()}",
        f"{header}.{payload}",
    ]:
        with refused(grpc.StatusCode.UNAUTHENTICATED):
            list_graphs(connect(forged))


def test_a_viewer_looks_and_does_not_touch(admin, connect, graph):
    viewer = connect(make_key(admin, identity_pb2.ROLE_VIEWER).secret)
    assert any(found.name == graph for found in list_graphs(viewer).graphs)
    with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED"):
        create_graph(viewer)
    with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED"):
        list_graphs(viewer, parent="projects/another")
    with refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED"):
        make_key(viewer, identity_pb2.ROLE_VIEWER)


def test_scopes_narrow_a_role(admin, connect):
    reader = connect(make_key(admin, identity_pb2.ROLE_OPERATOR, scopes=["graph.read"]).secret)
    list_graphs(reader)
    with refused(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_REQUIRED"):
        create_graph(reader)


def test_nobody_gives_more_than_they_have(admin, connect):
    project_admin = connect(make_key(admin, identity_pb2.ROLE_ADMIN).secret)
    make_key(project_admin, identity_pb2.ROLE_OPERATOR)
    with refused(grpc.StatusCode.PERMISSION_DENIED):
        make_key(project_admin, identity_pb2.ROLE_VIEWER, parent="projects/mesh")


def test_a_revoked_key_is_refused_within_seconds(admin, connect):
    key = make_key(admin, identity_pb2.ROLE_VIEWER)
    holder = connect(key.secret)
    list_graphs(holder)
    revoked = admin.identity.RevokeApiKey(identity_service_pb2.RevokeApiKeyRequest(name=key.name))
    assert revoked.HasField("revoke_time") and not revoked.secret
    deadline = time.monotonic() + 10
    while True:
        try:
            list_graphs(holder)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED
            break
        assert time.monotonic() < deadline, "a revoked key is still good after 10 seconds"


def test_a_secret_is_shown_once(admin):
    key = make_key(admin, identity_pb2.ROLE_VIEWER)
    assert key.secret.startswith("weft_")
    again = admin.identity.GetApiKey(identity_service_pb2.GetApiKeyRequest(name=key.name))
    assert again.uid == key.uid and not again.secret


def test_a_ticket_is_good_once(admin, connect):
    ticket = admin.identity.CreateTicket(identity_service_pb2.CreateTicketRequest(request_id=new_id()))
    issue = connect(None).identity.IssueToken
    token = issue(identity_service_pb2.IssueTokenRequest(ticket=ticket.ticket, request_id=new_id()))
    list_graphs(connect(token.token))
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        issue(identity_service_pb2.IssueTokenRequest(ticket=ticket.ticket, request_id=new_id()))
