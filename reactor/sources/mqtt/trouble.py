"""What an error of the client means, in words: what happened, why, what to do. Law: texts; it decides nothing."""

from aiomqtt import MqttCodeError, MqttError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from reactor.model.errors import ReactorError
from reactor.sources.base import Condition
from reactor.sources.mqtt.settings import MqttSettings

_GOES_ON = "It is tried again by itself."
_NOBODY = "Check that a broker runs there and that mqtt.server names it. Reading goes on by itself once it answers."
_REFUSED = {
    132: "It does not speak MQTT 5, which is needed here. Enable it, or use a broker that does (Mosquitto 1.6 or newer).",
    133: "It does not take our client identifier. Set mqtt.client_id to a shorter name, of letters and digits.",
    134: "The user name or the password is wrong. Check mqtt.user and mqtt.password (or mqtt.password_file).",
    135: "It does not let this client in. Check mqtt.user and mqtt.password (or mqtt.password_file), and the broker's list of users.",
    138: "It has banned this client. Ask who runs it.",
}
_TAKEN_OVER = (
    "Another client connected under our client identifier, and the broker serves one of them only. Stop the other "
    "service, or give each its own mqtt.client_id."
)
_OFTEN = "Most often the reason is this, which many brokers do not tell: "
FLAPS = 3
"""Connections in a row that ended soon: from here on it is no accident."""


class NotGranted(ReactorError):
    """The broker lets us in and does not give us the topic."""


def not_granted(settings: MqttSettings, topic_filter: str, answer: str) -> str:
    return (
        f"MQTT at {settings.server}: the subscription to {topic_filter!r} was refused ({answer}). Let the user "
        f"{settings.user or '(none)'} read it in the broker's access list. {_GOES_ON}"
    )


def only_qos_0(settings: MqttSettings, topic_filter: str) -> str:
    return (
        f"MQTT at {settings.server}: the broker grants {topic_filter!r} at QoS 0 only, at which it repeats nothing, and what comes while "
        f"the service is away is lost. Let it grant QoS 1 (its setting for the maximum QoS). {_GOES_ON}"
    )


def session_lost(server: str) -> str:
    return (
        f"MQTT at {server}: the broker had not kept our session, so what was published while the service was not connected never came, but "
        "for what is retained. Let the broker keep sessions over its own restarts (Mosquitto: persistence true), and raise "
        "mqtt.session_expiry if the service was away for longer."
    )


def said(settings: MqttSettings, error: Exception, flaps: int = 0) -> tuple[Condition, str]:
    """What to show while there is no connection. `flaps`: how many ended in a row soon after they began."""
    where = f"MQTT at {settings.server}: "
    if isinstance(error, MqttError):
        code = _code(error)
        if isinstance(error, MqttConnectError):
            return (
                Condition.BROKEN,
                f"{where}the broker refused the connection ({error}). {_REFUSED.get(code, _GOES_ON)}",
            )
        if code == 142:
            return Condition.BROKEN, where + _TAKEN_OVER
        if flaps >= FLAPS and isinstance(error.__cause__, MqttCodeError):
            return (
                Condition.BROKEN,
                f"{where}{_chain(error)}, {flaps} times in a row soon after it began. {_OFTEN}{_TAKEN_OVER}",
            )
        return _unreachable(where, _chain(error))
    if isinstance(error, ReactorError):
        return Condition.BROKEN, str(error)
    return _unreachable(where, f"{type(error).__name__}: {error}")


def _unreachable(where: str, text: str) -> tuple[Condition, str]:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        what = "Set mqtt.tls_cafile to the authority that signed it, and name the broker in mqtt.server as its certificate does."
        return Condition.BROKEN, f"{where}the broker's certificate is not to be trusted ({text}). {what}"
    if "SSL" in text:
        return (
            Condition.BROKEN,
            f"{where}{text}. Check that mqtt.tls is that of this port, and what certificates the broker asks for.",
        )
    return Condition.CONNECTING, f"{where}{text}. {_NOBODY}"


def _code(error: MqttError) -> int:
    for one in (error, error.__cause__):
        if isinstance(one, MqttCodeError):
            return one.rc.value if isinstance(one.rc, ReasonCode) else one.rc or 0
    return 0


def _chain(error: MqttError) -> str:
    return f"{error} ({error.__cause__})" if error.__cause__ is not None else str(error)
