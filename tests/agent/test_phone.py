"""The phone: which adb calls an action becomes, through a device that writes them down."""

from typing import Any

import pytest
from PIL import Image

from viewfinder.agent.environment import Environment, Target
from viewfinder.agent.phone import PhoneEnvironment
from viewfinder.errors import ViewfinderError
from viewfinder.outputs.actions import Action


class Recording:
    """Stands for adbutils' device."""

    package = "org.mail.app"

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def screenshot(self) -> Image.Image:
        return Image.new("RGBA", (1080, 2340), "white")

    def app_current(self) -> Any:
        return type("App", (), {"package": self.package})()

    def list_packages(self) -> list[str]:
        return ["org.mail.app", "com.maps"]

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.calls.append((name, *arguments))


@pytest.mark.parametrize(
    ("action", "call"),
    [
        (Action("mobile", "click", coordinate=(539.6, 100.2)), ("click", 540, 100)),
        (Action("mobile", "long_press", coordinate=(5, 6), time=2), ("swipe", 5, 6, 5, 6, 2)),
        (Action("mobile", "swipe", coordinate=(5, 900), coordinate2=(5, 100)), ("swipe", 5, 900, 5, 100, 0.5)),
        (Action("mobile", "type", text="hello"), ("send_keys", "hello")),
        (Action("mobile", "system_button", button="Back"), ("keyevent", "KEYCODE_BACK")),
        (Action("mobile", "key", text="volume_up"), ("keyevent", "KEYCODE_VOLUME_UP")),
        (Action("mobile", "open", text="Maps"), ("app_start", "com.maps")),
    ],
)
def test_actions_become_adb_calls(action: Action, call: tuple[Any, ...]) -> None:
    device = Recording()
    phone = PhoneEnvironment(device=device, settle=0)
    assert isinstance(phone, Environment)
    assert phone.observe().size == (1080, 2340)
    assert phone.observe().where == "org.mail.app"
    assert phone.act(action).done
    assert device.calls == [call]


def test_what_a_phone_cannot_do_is_said() -> None:
    device = Recording()
    phone = PhoneEnvironment(device=device, settle=0)
    assert "ASCII" in phone.act(Action("mobile", "type", text="Grüße")).note
    assert "no app 'Bank'" in phone.act(Action("mobile", "open", text="Bank")).note
    expected = Target(where="org.other", identity="org.other")
    assert not phone.act(Action("mobile", "click", coordinate=(1, 1)), expected).done
    with pytest.raises(ViewfinderError, match="no key fly"):
        phone.act(Action("mobile", "key", text="fly"))
    assert device.calls == []
