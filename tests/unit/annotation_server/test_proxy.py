"""The site below a path prefix and behind proxies."""

import re

import pytest

from annotation_server.app import create_app
from db.accounts import find_account
from db.invitations import invite
from db.record import Record
from db.settings import Settings

PASSWORD = "correct horse battery"
PREFIX = "/over/read"


@pytest.fixture
def mounted(site):
    def mounted(**changes):
        settings = Settings(home=site.record.settings.home, secret_key="k" * 40, **changes)
        return create_app(Record(settings, site.record.database, site.record.store))

    return mounted


def environment(path):
    """What a server passes on that knows nothing of prefixes."""
    return {"SCRIPT_NAME": "", "PATH_INFO": path}


def get(client, path):
    return client.get("/", environ_overrides=environment(path))


def targets(page):
    """Every address of this site that a page names."""
    return set(re.findall(r'(?:href|src|action|hx-get|data-api|data-login|data-home)="(/[^"]*)"', page))


def test_all_pages_stay_below_the_prefix(site, mounted):
    """A walk of every page that a coordinator and a reader can reach: no link, form, script or redirect leads out."""
    app = mounted(url_prefix=PREFIX)
    with site.record.database.write() as session:
        link = f"{PREFIX}/invitation/{invite(session, find_account(session, 'engineer'))}"
    for who in ("coordinator", "engineer", "reader"):
        client = app.test_client()
        page = get(client, f"{PREFIX}/login")
        form = {"identity": who, "password": PASSWORD, "next": "", "csrf_token": csrf(page.text)}
        answer = client.post("/", data=form, environ_overrides=environment(f"{PREFIX}/login"))
        assert answer.location == f"{PREFIX}/"
        assert f"Path={PREFIX}" in answer.headers["Set-Cookie"]
        walk(client, [f"{PREFIX}/", link])


def walk(client, start):
    waiting, seen = list(start), set()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        assert address.startswith(f"{PREFIX}/"), address
        answer = get(client, address.partition("?")[0])
        if answer.status_code in {301, 302, 308}:
            waiting.append(answer.location)
        elif answer.content_type.startswith("text/html") and answer.status_code == 200:
            waiting += targets(answer.text)
        else:  # an address of data or of a form, but one of ours
            assert answer.status_code in {200, 405, 403} or "/api/" in address, f"{address} {answer.status}"
    assert len(seen) > 4


def csrf(page):
    return re.findall(r'csrf-token" content="([^"]+)', page)[0]


def test_a_signed_out_visitor_comes_back_to_the_page_below_the_prefix(mounted):
    client = mounted(url_prefix=PREFIX).test_client()
    answer = get(client, f"{PREFIX}/campaigns")
    assert answer.location == f"{PREFIX}/login?next={PREFIX}/campaigns"


def test_a_proxy_may_take_the_prefix_off(mounted):
    client = mounted(url_prefix=PREFIX).test_client()
    assert f'action="{PREFIX}/login"' in get(client, "/login").text


def test_addresses_of_data_are_below_the_prefix(site, mounted):
    from annotation_server.sessions import open_session

    client = mounted(url_prefix=PREFIX).test_client()
    with site.record.database.read() as rows, client.session_transaction() as session:
        open_session(session, find_account(rows, "reader").fs_uniquifier)
    headers = {"X-CSRFToken": csrf(get(client, f"{PREFIX}/").text)}
    answer = client.post("/", headers=headers, environ_overrides=environment(f"{PREFIX}/api/stages/pilot/I/next"))
    assert answer.json["comparison"]["film_url"].startswith(f"{PREFIX}/media/")


@pytest.mark.parametrize("prefix", ["overread", "/overread/", "/a b", "//evil.example"])
def test_a_prefix_that_is_none_is_refused(prefix):
    with pytest.raises(ValueError, match="url_prefix"):
        Settings(url_prefix=prefix)


def test_forwarded_headers_count_only_for_as_many_proxies_as_were_named(mounted):
    """Else anybody could choose the address under which attempts are counted."""
    forwarded = {"X-Forwarded-For": "10.0.0.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "x.example"}
    for proxies, host in [(0, "http://localhost"), (1, "https://x.example")]:
        client = mounted(proxies=proxies).test_client()
        page = client.get("/login", headers=forwarded).text
        data = {"identity": "admin", "password": PASSWORD, "csrf_token": csrf(page)}
        origin = {"Referer": f"{host}/login"}
        client.post("/login", data=data, headers=forwarded | origin)
        page = client.get("/accounts", headers=forwarded).text
        data = {"csrf_token": csrf(page), "code": "reader"}
        answer = client.post("/accounts/link", data=data, headers=forwarded | {"Referer": f"{host}/accounts"})
        assert f'value="{host}/invitation/' in answer.text
