"""What an agent may do: allow lists, what a person must confirm, what is refused. Safe unless a file says otherwise.

`Policy.judge` sees an action and what it would hit, never the model's reasons: text on the screen cannot widen
it. The browser's guard holds the same lists on the network, so that what a page does by itself is held too.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from viewfinder.agent.environment import Target
from viewfinder.agent.secrets import Secret, Vault
from viewfinder.errors import ViewfinderError
from viewfinder.media.addresses import is_private
from viewfinder.outputs.actions import Action

Kind = str
"""One of `KINDS`: a reason to be careful with an action."""

KINDS = ("submit", "pay", "delete", "send", "secret", "hidden", "unknown", "upload", "system")
Verdict = Literal["allow", "confirm", "refuse"]
Reach = Literal["no", "public", "any"]
"""What may be connected to: nothing, public addresses, any address."""

WORDS: dict[Kind, tuple[str, ...]] = {
    "pay": (
        *("pay", "buy", "purchase", "order", "checkout", "check out", "subscribe", "donate", "bid", "transfer"),
        *("kaufen", "bezahlen", "bestellen", "überweisen", "payer", "acheter", "commander", "pagar", "comprar"),
        *("支付", "购买", "付款", "下单", "転送", "購入", "注文"),
    ),
    "delete": (
        *("delete", "remove", "erase", "discard", "empty trash", "uninstall", "format", "deactivate", "unsubscribe"),
        *("löschen", "entfernen", "supprimer", "effacer", "eliminar", "borrar", "删除", "移除", "削除"),
    ),
    "send": (
        *("send", "post", "publish", "share", "reply", "forward", "tweet", "comment", "invite", "call"),
        *("senden", "veröffentlichen", "teilen", "envoyer", "publier", "enviar", "publicar", "发送", "发布", "送信"),
    ),
    "submit": ("submit", "sign up", "register", "agree", "accept", "authorize", "grant", "confirm", "提交", "absenden"),
}
"""Words on a button that tell what pressing it means."""

_LINE_END = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
_PRESSES = frozenset({"left_click", "double_click", "click", "long_press", "right_click", "middle_click"})
_POINTS = _PRESSES | {"left_click_drag", "swipe", "mouse_move"}


@dataclass(frozen=True)
class Decision:
    """What the policy says of one action. `kinds` are the reasons to be careful, `reason` is a sentence."""

    verdict: Verdict
    kinds: tuple[Kind, ...] = ()
    reason: str = ""


class Policy(BaseModel):
    """The rules of one run.

    Attributes:
        domains: hosts (with their subdomains) whose pages may be opened; `*` is any public host.
        resources: further hosts from which a page may load its parts (pictures, styles, scripts); `*` is any public
            host. What a page asks for can tell a stranger what the page knows, so none is the default.
        apps: programs that may be used on a desktop or phone, by window class or package; `*` is any.
        confirm: kinds of action that a person must confirm.
        refuse: kinds of action that are never done.
        writes: requests of a page that change something (POST, PUT, ...): only with a confirmed action, or any.
        downloads: whether files may be downloaded.
        secrets: names that a model may type, and where.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    domains: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    confirm: frozenset[Kind] = frozenset({"submit", "pay", "delete", "send", "secret", "hidden", "unknown", "system"})
    refuse: frozenset[Kind] = frozenset({"upload"})
    writes: Literal["confirm", "any"] = "confirm"
    downloads: bool = False
    secrets: dict[str, Secret] = {}

    @field_validator("confirm", "refuse")
    @classmethod
    def _known(cls, kinds: frozenset[Kind]) -> frozenset[Kind]:
        if unknown := kinds - set(KINDS):
            raise ValueError(f"{', '.join(sorted(unknown))} is no kind of action; the kinds are {', '.join(KINDS)}")
        return kinds

    @classmethod
    def load(cls, path: str | Path) -> "Policy":
        """Read a TOML file.

        Raises:
            ViewfinderError: no such file, not TOML, or an unknown key.
        """
        try:
            return cls.model_validate(tomllib.loads(Path(path).read_text()))
        except OSError as error:
            raise ViewfinderError(f"the policy {path} cannot be read ({error.strerror}); check the path") from None
        except tomllib.TOMLDecodeError as error:
            raise ViewfinderError(f"the policy {path} is no TOML ({error}); correct it") from None
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join(map(str, problem["loc"]))
            raise ViewfinderError(
                f"the policy {path} has {key}: {problem['msg']}, so no run was started; its keys are "
                f"{', '.join(cls.model_fields)}"
            ) from None

    def allows_url(self, url: str) -> bool:
        """Whether a page of this URL may be opened: http or https, and a host of the list."""
        return url in ("about:blank", "about:srcdoc") or self.reach(url) != "no"

    def reach(self, url: str, *, part: bool = False) -> Reach:
        """Which addresses a URL's host may have: any for a host that is named, public ones for `*`.

        Args:
            part: of a page (`resources` count, too), not a page.
        """
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".").lower()
            parts.port  # noqa: B018  raises when it is no number
        except ValueError:
            return "no"
        if parts.scheme not in ("http", "https") or not host:
            return "no"
        listed = self.domains + (self.resources if part else ())
        if any(_covers(domain, host) for domain in listed if domain != "*"):
            return "any"
        return "public" if "*" in listed and not is_private(host) else "no"

    def allows_app(self, name: str) -> bool:
        """Whether a program may be used."""
        return "*" in self.apps or name.lower() in {app.lower() for app in self.apps}

    def judge(self, action: Action, target: Target, vault: Vault | None = None) -> Decision:
        """Allow, ask for confirmation, or refuse, with the reason.

        Args:
            target: what is at the action's place, or at the focus for keys and text.
        """
        for refusal in (self._leaves(action, target), self._secret_refusal(action, target, vault or Vault())):
            if refusal:
                return Decision("refuse", reason=refusal)
        kinds = tuple(dict.fromkeys(self._kinds(action, target, vault or Vault())))
        rules: tuple[tuple[Verdict, frozenset[Kind]], ...] = (("refuse", self.refuse), ("confirm", self.confirm))
        for verdict, listed in rules:
            if found := [kind for kind in kinds if kind in listed]:
                return Decision(verdict, kinds, _sentence(verdict, found, action, target))
        return Decision("allow", kinds)

    def _leaves(self, action: Action, target: Target) -> str:
        """Why the action would lead outside, or act on what nobody has looked at; or ""."""
        if _moves_on(action):
            return "a tab moves to another element, and what follows it would act there unseen; do it in two actions"
        if action.name == "open" and not self.allows_app(action.text or ""):
            return f"the app {action.text!r} is not on the policy's list"
        if "://" in target.where and not self.allows_url(target.where):
            return f"it is on {_short(target.where)}, which is not on the policy's list"
        follows = action.name in _PRESSES or _is_enter(action)
        if follows and target.href and not self.allows_url(target.href):
            return f"it leads to {_short(target.href)}, which is not on the policy's list"
        sends = target.submits and _sets_off(action, target)
        if sends and target.form and not self.allows_url(target.form):
            return f"it sends a form to {_short(target.form)}, which is not on the policy's list"
        return ""

    def _secret_refusal(self, action: Action, target: Target, vault: Vault) -> str:
        for name in vault.mentions(action.text or "") if action.name == "type" else ():
            secret = self.secrets.get(name)
            if secret is None or name not in vault:
                return f"there is no secret {name!r}"
            host = (urlsplit(target.where).hostname or "") if "://" in target.where else None
            if host is not None and not any(_covers(domain, host) for domain in secret.domains):
                return f"the secret {name!r} may not be typed on {host}"
            if host is None and target.where.lower() not in {app.lower() for app in secret.apps}:
                return f"the secret {name!r} may not be typed into {target.where or 'an unknown program'}"
            if target.form and "://" in target.form and host != urlsplit(target.form).hostname:
                return f"the form around the field is sent to another host than {host}"
            if not secret.visible and target.role != "password":
                return f"the field does not hide what is typed, and the secret {name!r} may not be shown"
        return ""

    def _kinds(self, action: Action, target: Target, vault: Vault) -> list[Kind]:
        kinds: list[Kind] = []
        if action.name in ("wait", "terminate", "mouse_move", "scroll", "system_button"):
            return kinds
        presses = _sets_off(action, target)
        if presses and target.submits and target.method not in ("", "get"):
            kinds.append("submit")
        if presses and (target.submits or not target.editable):
            kinds += [kind for kind, words in WORDS.items() if _has_word(target.label, words)]
        if action.name == "type" and (target.role == "password" or vault.mentions(action.text or "")):
            kinds.append("secret")
        if action.name in _POINTS and not target.visible:
            kinds.append("hidden")
        if action.name in _PRESSES and target.role == "file":
            kinds.append("upload")
        if "://" not in target.where and action.name not in ("open", "key") and not self.allows_app(target.where):
            kinds.append("unknown")
        if action.name == "key" and not self.allows_app(target.where) and _is_system(action):
            kinds.append("system")
        return kinds


def _covers(domain: str, host: str) -> bool:
    domain, host = domain.lower().strip("."), host.lower().rstrip(".")
    return host == domain or host.endswith(f".{domain}")


def _is_enter(action: Action) -> bool:
    typed = action.name == "type" and _LINE_END.search(action.text or "") is not None
    return typed or bool({"enter", "space"} & set(action.keys)) or action.button == "Enter"


def _moves_on(action: Action) -> bool:
    """Whether keys or text go on behind a tab: the target that was judged is then not the one that gets them."""
    if "tab" in action.keys:
        return bool({"enter", "space"} & set(action.keys))
    return action.name == "type" and "\t" in (action.text or "")[:-1]


def _sets_off(action: Action, target: Target) -> bool:
    """Whether a target does what it is for: a button by a press, a space or Enter, a field by Enter alone."""
    if action.name == "type" and " " in (action.text or "") and not target.editable:
        return True
    return _is_enter(action) or (action.name in _PRESSES and not target.editable)


def _is_system(action: Action) -> bool:
    keys = set(action.keys)
    return bool(keys & {"super", "power"}) or {"ctrl", "alt"} <= keys or {"alt", "f4"} <= keys


def _has_word(label: str, words: tuple[str, ...]) -> bool:
    text = label.lower()
    return any(word in text if ord(word[0]) > 0x2E80 else re.search(rf"\b{re.escape(word)}\b", text) for word in words)


def _sentence(verdict: str, kinds: Sequence[str], action: Action, target: Target) -> str:
    does = {
        "submit": "sends a form",
        "pay": "may pay",
        "delete": "may delete",
        "send": "may send",
        "secret": "types a secret",
        "hidden": "hits something that cannot be seen",
        "unknown": f"acts in {target.where or 'an unknown program'}, which is not on the policy's list",
        "upload": "chooses a file to upload",
        "system": "presses keys of the system",
    }
    what = " and ".join(does[kind] for kind in kinds)
    named = f" on {_short(target.label)!r}" if target.label else ""
    must = "a person must confirm it" if verdict == "confirm" else "the policy refuses it"
    return f"{action.name}{named} {what}; {must}"


def _short(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
