"""What an error of the client means, in words: what happened, why, what to do. Law: texts; it decides nothing."""

import ssl

from aiokafka import errors as kafka

from reactor.model.errors import nearest

_NOBODY = (
    "No broker answers there. Check that one runs, that kafka.servers names it, and that kafka.security_protocol is "
    "that of its listener. "
    "Reading goes on by itself once it answers."
)
_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (
        ssl.SSLCertVerificationError,
        (
            "The broker's certificate is not to be trusted. Set kafka.ssl_cafile to the authority that signed it, and "
            "name the broker in "
            "kafka.servers as its certificate does."
        ),
    ),
    (
        ssl.SSLError,
        "The listener does not speak TLS as expected. Check that kafka.security_protocol is that of this port.",
    ),
    (
        kafka.AuthenticationFailedError,
        "The brokers refused the credentials. Check kafka.sasl_mechanism, sasl_username and sasl_password.",
    ),
    (
        kafka.SaslAuthenticationFailed,
        "The brokers refused the credentials. Check kafka.sasl_mechanism, sasl_username and sasl_password.",
    ),
    (
        kafka.UnsupportedSaslMechanismError,
        "The brokers do not offer this SASL mechanism. Set kafka.sasl_mechanism to one that their listener enables.",
    ),
    (
        kafka.TopicAuthorizationFailedError,
        "This user may not read the topic. Grant it READ and DESCRIBE on the topic, for example with kafka-acls.",
    ),
    (
        kafka.GroupAuthorizationFailedError,
        (
            "This user may not use the consumer group. Grant it READ on the group, or set kafka.group to one that it "
            "may use."
        ),
    ),
    (
        kafka.InvalidSessionTimeoutError,
        (
            "The brokers refuse a session of 10 s. Let group.min.session.timeout.ms be at most 10000 and group.max at "
            "least that."
        ),
    ),
    (
        kafka.InconsistentGroupProtocolError,
        "Another kind of member holds the consumer group. Set kafka.group to a name that only Reactor uses.",
    ),
    (kafka.KafkaConnectionError, _NOBODY),
    (OSError, _NOBODY),
)


def connecting(servers: str, error: BaseException) -> str:
    """Why there is no connection."""
    seen = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, TimeoutError):
        seen = "no answer in time"
    for kind, why in _WHY:
        if isinstance(error, kind):
            return f"Kafka at {servers}: {seen}. {why}"
    return f"Kafka at {servers}: {seen}. It is tried again by itself."


def silent(servers: str, lanes: list[str], seconds: float) -> str:
    return (
        f"Kafka at {servers} has not answered for {', '.join(lanes)} for {seconds:.0f} s: the broker is down, "
        "restarting, or not reachable. "
        "Reading goes on by itself, from the same place, once it answers."
    )


def no_topic(topic: str, servers: str, known: set[str]) -> str:
    return (
        f"The topic {topic!r} does not exist at {servers}, or this user may not see it.{nearest(topic, known)} "
        "Create it, or correct its name "
        "in the sensor. It is read as soon as it is there."
    )


def gone(topic: str, servers: str) -> str:
    return (
        f"The topic {topic!r} no longer exists at {servers}: somebody deleted it. What was read from it is in the "
        "ledger. Create it again, or "
        "remove its sensor."
    )


def fell_behind(lane: str, stands: int, first: int) -> str:
    return (
        f"{lane}: the records [{stands}, {first}), {first - stands} in all, were deleted by the topic's retention "
        "before they were read: the ledger "
        f"stands at {stands} and the first that is left is {first}. Nothing of this partition is read, so that the "
        "hole is not overlooked. "
        'To go on from there, with the hole written into the ledger, set kafka.out_of_range = "skip" and restart.'
    )


def ran_ahead(lane: str, stands: int, end: int) -> str:
    return (
        f"{lane}: the ledger stands at {stands}, but the partition ends at {end}: the topic was deleted and made "
        "again, or its brokers lost "
        "records that were read. Nothing of this partition is read, because its offsets no longer name the records "
        "that the ledger knows. Give "
        "the new topic another name, or restore the old one, and restart."
    )


def corrupt(lane: str, offset: int, error: BaseException) -> str:
    seen = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (
        f"{lane}: the records from offset {offset} on cannot be read ({seen}): they are damaged, or compressed in a "
        "way that this client does "
        "not know. They are not skipped; it is tried again by itself. Check the brokers' disks, or the producer's "
        "compression."
    )


def moved(group: str, lanes: list[str]) -> str:
    """`lanes`: each with where it stands in the ledger and in the group."""
    named = "; ".join(lanes[:3]) + (f" and {len(lanes) - 3} more" if len(lanes) > 3 else "")
    return (
        f"The offsets of the consumer group {group!r} are not where the ledger stands: {named}. A service that was killed before it could tell "
        "the group leaves them so, and so does somebody who resets them. The ledger counts: reading goes on where it stands, nothing is read "
        "twice or left out, and the group is told with the next record. To have an effect again, use `reactor runs again`."
    )
