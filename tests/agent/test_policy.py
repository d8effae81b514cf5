"""The policy: what it lets through, what a person confirms, what it refuses."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.agent.browser.keys import shortcut
from viewfinder.agent.desktop import keysym
from viewfinder.agent.environment import Target
from viewfinder.agent.policy import Policy
from viewfinder.agent.secrets import Secret, Vault
from viewfinder.errors import ViewfinderError
from viewfinder.media.addresses import is_private
from viewfinder.media.transform import Transform
from viewfinder.messages import ToolCall
from viewfinder.outputs.actions import Action, read_action

POLICY = Policy(domains=("example.org",))
CLICK = Action("computer", "left_click", coordinate=(1, 1))
ENTER = Action("computer", "key", keys=("Enter",))
PAGE = "https://example.org/page"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/", True),
        ("http://shop.example.org:8080/x?y", True),
        ("https://EXAMPLE.org./", True),
        ("about:blank", True),
        ("https://example.org.evil.net/", False),
        ("https://notexample.org/", False),
        ("https://example.org@evil.net/", False),
        ("https://evil.net/#example.org", False),
        ("file:///etc/passwd", False),
        ("data:text/html,hello", False),
        ("javascript:alert(1)", False),
        ("blob:https://example.org/1", False),
        ("chrome://settings", False),
        ("ftp://example.org/", False),
        ("https://[", False),
        ("https://example.org:port/", False),
        ("", False),
    ],
)
def test_urls(url: str, allowed: bool) -> None:
    assert POLICY.allows_url(url) is allowed


def test_any_host_is_any_public_host() -> None:
    anywhere = Policy(domains=("*",))
    assert anywhere.allows_url("https://a.example.com/")
    assert not anywhere.allows_url("http://192.168.0.1/admin")
    assert not anywhere.allows_url("http://localhost:8000/")
    assert Policy(domains=("*", "localhost")).allows_url("http://localhost:8000/")
    private = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "router", "nas.local", "0.0.0.0")
    private += (
        "nas.local.",
        "127.1",
        "0x7f.1",
        "2130706433",
        "10.0.0.1.",
        "metadata.google.internal.",
        "::ffff:10.0.0.1",
    )
    assert all(map(is_private, private))
    assert not any(map(is_private, ("93.184.216.34", "example.org")))


@pytest.mark.parametrize(
    ("action", "target", "verdict", "kinds"),
    [
        (CLICK, Target("link", "News", PAGE, href="https://example.org/news"), "allow", ()),
        (CLICK, Target("link", "News", PAGE, href="https://evil.net/"), "refuse", ()),
        (CLICK, Target("link", "News", PAGE, href="javascript:steal()"), "refuse", ()),
        (CLICK, Target("button", "Next", "https://evil.net/"), "refuse", ()),
        (CLICK, Target("button", "OK", PAGE, form=PAGE, method="post", submits=True), "confirm", ("submit",)),
        (CLICK, Target("button", "Search", PAGE, form=PAGE, method="get", submits=True), "allow", ()),
        (CLICK, Target("button", "Go", PAGE, form="https://evil.net/", submits=True), "refuse", ()),
        (
            ENTER,
            Target("field", "Name", PAGE, form=PAGE, method="post", submits=True, editable=True),
            "confirm",
            ("submit",),
        ),
        (CLICK, Target("field", "Name", PAGE, form=PAGE, method="post", submits=True, editable=True), "allow", ()),
        (CLICK, Target("button", "Buy now", PAGE), "confirm", ("pay",)),
        (CLICK, Target("button", "Konto löschen", PAGE), "confirm", ("delete",)),
        (CLICK, Target("button", "发送", PAGE), "confirm", ("send",)),
        (CLICK, Target("field", "Send to", PAGE, editable=True), "allow", ()),
        (CLICK, Target("button", "Border color", PAGE), "allow", ()),
        (CLICK, Target("button", "Play", PAGE, visible=False), "confirm", ("hidden",)),
        (CLICK, Target("file", "Choose file", PAGE), "refuse", ("upload",)),
        (Action("computer", "type", text="abc"), Target("password", "", PAGE, editable=True), "confirm", ("secret",)),
        (Action("computer", "type", text="abc"), Target("field", "", PAGE, editable=True), "allow", ()),
        (CLICK, Target("", "", "xterm"), "confirm", ("unknown",)),
        (Action("computer", "key", keys=("super", "l")), Target(where="xterm"), "confirm", ("system",)),
        (Action("mobile", "open", text="Bank"), Target(where="launcher"), "refuse", ()),
        (Action("computer", "wait", time=1), Target("", "", "xterm"), "allow", ()),
    ],
)
def test_judgements(action: Action, target: Target, verdict: str, kinds: tuple[str, ...]) -> None:
    decision = POLICY.judge(action, target)
    assert (decision.verdict, decision.kinds) == (verdict, kinds), decision.reason
    assert bool(decision.reason) == (verdict != "allow")


ENTERS = ["Enter", "enter", "Return", "RETURN", "KP_Enter", "NumpadEnter", "\n", "\r", " Enter ", "Linefeed"]
SPACES = ["space", "Space", " ", "  ", "\u00a0", "SPACE", "spacebar", "Space Bar", "KP_Space"]
CONTROLS = ["ctrl", "Control", "CTRL", "Control_L", "ControlLeft"]
PLACES = [
    Target("button", "Pay now", PAGE, form=PAGE, method="post", submits=True),
    Target("field", "Name", PAGE, form=PAGE, method="post", submits=True, editable=True),
    Target("link", "More", PAGE, href="https://evil.net/"),
    Target("button", "Delete", "xterm"),
    Target("", "", "xterm"),
]


@given(st.sampled_from([("enter", ENTERS), ("space", SPACES)]), st.data())
def test_one_meaning_of_keys_is_one_judgement_and_one_press(kind: tuple[str, list[str]], data: st.DataObject) -> None:
    name, spellings = kind
    key = data.draw(st.sampled_from(spellings))
    control = data.draw(st.none() | st.sampled_from(CONTROLS))
    target = data.draw(st.sampled_from(PLACES))
    plain = Action("computer", "key", keys=("ctrl", name) if control else (name,))
    forms = [[key], key] if control is None else [[control, key], f"{control}+{key}", [f"{control}+{key}"]]
    call = ToolCall(name="computer_use", arguments={"action": "key", "keys": data.draw(st.sampled_from(forms))})
    action = read_action(call, Transform.identity((100, 100)))
    for policy in (POLICY, Policy(domains=("*",), apps=("xterm",))):
        assert policy.judge(action, target) == policy.judge(plain, target)
    assert POLICY.judge(action, PLACES[0]).verdict == "confirm"
    assert action.keys == plain.keys
    assert shortcut(action.keys) == ("Control+" if control else "") + name.capitalize()
    assert keysym(action.keys[-1]) == {"enter": "Return", "space": "space"}[name]


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (Action("computer", "type", text="a\nb"), "confirm"),
        (Action("computer", "type", text="a\rb"), "confirm"),
        (Action("computer", "type", text=" "), "confirm"),
        (Action("computer", "type", text="ab"), "allow"),
        (Action("computer", "type", text="a\t\n"), "refuse"),
        (Action("computer", "key", keys=("tab", "enter")), "refuse"),
        (Action("computer", "key", keys=("tab",)), "allow"),
    ],
)
def test_text_that_presses_keys(action: Action, verdict: str) -> None:
    button = Target("button", "Pay now", PAGE, form=PAGE, method="post", submits=True)
    assert POLICY.judge(action, button).verdict == verdict


FIELD = Target("password", "Password", PAGE, form=PAGE, editable=True)


@pytest.mark.parametrize(
    ("text", "target", "verdict"),
    [
        ("{{word}}", FIELD, "confirm"),
        ("correct horse", FIELD, "confirm"),
        ("{{other}}", FIELD, "refuse"),
        ("{{word}}", Target("password", "", "https://evil.net/", editable=True), "refuse"),
        ("{{word}}", Target("field", "", PAGE, editable=True), "refuse"),
        ("correct horse", Target("field", "", PAGE, editable=True), "refuse"),
        ("{{word}}", Target("password", "", PAGE, form="https://evil.net/", editable=True), "refuse"),
        ("{{word}}", Target("", "", "xterm"), "refuse"),
        ("{{account}}", Target("field", "", PAGE, editable=True), "confirm"),
    ],
)
def test_secrets(text: str, target: Target, verdict: str) -> None:
    secrets = {
        "word": Secret(env="A", domains=("example.org",)),
        "account": Secret(env="B", domains=("example.org",), visible=True),
    }
    policy = Policy(domains=("*",), secrets=secrets)
    vault = Vault({"word": "correct horse", "account": "123456"})
    assert policy.judge(Action("computer", "type", text=text), target, vault).verdict == verdict


def test_a_policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('domains = ["a.example"]\nconfirm = ["pay"]\n[secrets.pin]\nenv = "PIN"\ndomains = ["a.example"]\n')
    policy = Policy.load(file)
    assert policy.confirm == {"pay"}
    with pytest.raises(ViewfinderError, match="environment variable PIN, which is not set"):
        Vault.of(policy.secrets)
    monkeypatch.setenv("PIN", "123")
    with pytest.raises(ViewfinderError, match="3 characters"):
        Vault.of(policy.secrets)
    (tmp_path / "pin").write_text("12345\n")
    vault = Vault.of({"pin": Secret(file=tmp_path / "pin")})
    assert vault.reveal("{{ pin }}!") == "12345!"
    assert vault.revealed_values == ("12345",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("domain = []", "has domain: Extra inputs"),
        ("domains = ", "is no TOML"),
        ('confirm = ["by"]', "by is no kind of action"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_policy_file_starts_nothing(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "policy.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ViewfinderError, match=message):
        Policy.load(file)
