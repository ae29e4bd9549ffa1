"""The built-in back office has the manners, and the traps, of the real one."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from panel.demo.worlds import SECRET, demo_worlds, serve
from tests.demo.both_worlds import API, TODAY, Worlds, worlds

__all__ = ["worlds"]  # a fixture


def test_a_wrong_bearer_gets_wordpress_own_error_shape(worlds: Worlds) -> None:
    answer = worlds.read("/orders", Authorization="Bearer wrong")
    assert answer.status_code == 401
    assert answer.json()["data"] == {"status": 401}


def test_every_secret_of_the_list_is_accepted(worlds: Worlds) -> None:
    worlds.office.secrets.append("the-new-secret")
    assert worlds.read("/orders", Authorization="Bearer the-new-secret").status_code == 200
    assert worlds.read("/orders").status_code == 200


@pytest.mark.parametrize(
    ("path", "organization", "status", "code"),
    [
        ("/orders", None, 400, "VALIDATION_ERROR"),
        ("/orders", 999, 404, "NOT_FOUND"),
        ("/organizations/999", 999, 404, "NOT_FOUND"),
        ("/organizations/43", 42, 403, "AUTHORIZATION_ERROR"),
    ],
)
def test_the_organization_header_is_checked(
    worlds: Worlds, path: str, organization: int | None, status: int, code: str
) -> None:
    answer = worlds.read(path, organization)
    assert answer.status_code == status
    assert answer.json()["errors"]["code"] == code


def test_an_unknown_route_is_wordpress_own_404(worlds: Worlds) -> None:
    assert worlds.read("/nothing").json()["code"] == "rest_no_route"


def test_a_link_into_the_back_office_leads_to_a_page(worlds: Worlds) -> None:
    answer = requests.get(f"{worlds.office_url}/wp-admin/post.php?post=4217", timeout=10)
    assert answer.ok
    assert "not built into this demo" in answer.text


def test_a_list_comes_in_pages_of_twenty(worlds: Worlds) -> None:
    pages = [worlds.read(f"/orders?org=44&page={page}", 44).json() for page in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [20, 20, 20, 0]
    assert pages[0]["meta"] == {"page": 1, "per_page": 20, "total": 60, "pages": 3}
    assert len({row["id"] for page in pages for row in page["data"]}) == 60


def test_the_envelope_of_the_contradictions_holds_data_alone(worlds: Worlds) -> None:
    assert set(worlds.read("/orders", 48).json()) == {"data"}
    assert set(worlds.read("/orders", 42).json()) == {
        "success", "data", "meta", "message", "errors",
    }  # fmt: skip


def test_put_replaces_the_row_with_its_id_and_remove_takes_it_away(worlds: Worlds) -> None:
    worlds.office.put("orders", 43, {"id": 1, "status": "pending"})
    worlds.office.put("orders", 43, {"id": 1, "status": "completed"})
    assert worlds.read("/orders", 43).json()["data"] == [{"id": 1, "status": "completed"}]
    worlds.office.remove("orders", 43, 1)
    assert worlds.read("/orders", 43).json()["data"] == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("500", 500), ("502", 502), ("429", 429), ("wordpress401", 401), ("html", 200),
        ("badjson", 200), ("wrongshape", 200), ("foreign", 200), ("404", 404), ("403", 403),
        ("rest_no_route", 404), ("huge", 200), ("redirect", 302),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/organizations/42", "/orders"])
def test_a_fault_answers_as_its_name_says(
    worlds: Worlds, fault: str, status: int, path: str
) -> None:
    worlds.office.fault(fault)
    assert worlds.read(path).status_code == status
    worlds.office.heal()
    assert worlds.read(path).status_code == 200
    assert worlds.read(path).json()["success"] is True


@pytest.mark.parametrize("fault", ["reset", "truncated"])
def test_a_broken_connection_is_no_answer(worlds: Worlds, fault: str) -> None:
    worlds.office.fault(fault)
    with pytest.raises(requests.RequestException):
        worlds.read("/orders").json()


def test_429_says_when_to_come_back(worlds: Worlds) -> None:
    worlds.office.fault("429")
    worlds.office.retry_after = 7
    assert worlds.read("/orders").headers["Retry-After"] == "7"


def test_foreign_rows_name_another_organization(worlds: Worlds) -> None:
    worlds.office.fault("foreign")
    owners = {row.get("organization_id", 42) for row in worlds.read("/quotes").json()["data"]}
    assert owners == {42, 1042}


def test_a_fault_keeps_to_its_organization_and_section(worlds: Worlds) -> None:
    worlds.office.fault("500", 42, "orders")
    assert worlds.read("/orders").status_code == 500
    assert worlds.read("/quotes").status_code == 200
    assert worlds.read("/orders", 44).status_code == 200
    worlds.office.heal(44)
    assert worlds.read("/orders").status_code == 500
    worlds.office.heal(42)
    assert worlds.read("/orders").status_code == 200


def test_who_hangs_goes_home_when_the_server_stops() -> None:
    office, _ = demo_worlds(TODAY)
    server = serve(office.app)
    headers = {"Authorization": f"Bearer {SECRET}", "X-Middag-Organization": "52"}
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(
            requests.get, server.url + API + "/orders", headers=headers, timeout=20
        )
        while not office.count("/orders"):
            time.sleep(0.01)
        server.stop()
        assert hanging.result(timeout=5).status_code == 504


def test_calls_are_written_down_with_query_and_headers(worlds: Worlds) -> None:
    worlds.read("/orders?org=42&page=1")
    (call,) = worlds.office.calls
    assert (call.method, call.path) == ("GET", API + "/orders")
    assert call.query == {"org": "42", "page": "1"}
    assert call.headers["x-middag-organization"] == "42"
    assert worlds.office.count("/orders") == worlds.office.count(API) == 1
    assert worlds.office.count("/quotes") == 0
