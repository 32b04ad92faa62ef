"""What an error of an object store means, in words: what happened, why, what to do. Pure."""

import re

from reactor.model.errors import ReactorError

_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_POISON = re.compile(r'(?:Path|path) "(.{1,300}?)"(?: contained|:)', re.DOTALL)
_WORDS = {
    "NoSuchBucket": "There is no such bucket. Make it, or correct the URL of the Bucket.",
    "AccessDenied": "The server denies it. The key needs the rights to list the bucket and to read its objects.",
    "InvalidAccessKeyId": "The server does not know this access key. Correct the setting s3.access_key.",
    "SignatureDoesNotMatch": "The secret key does not fit the access key. Correct the setting s3.secret_key.",
    "SlowDown": "The server asks for fewer requests. Give the Bucket a longer `every`.",
}


class OutOfReach(ReactorError):
    """The bucket cannot be read now. It is tried again."""


class Unspeakable(OutOfReach):
    """One key cannot be told by obstore, and with it no page that holds it."""


def told(root: str, error: Exception) -> OutOfReach:
    """`error` in our words. What a server answers may be long: of it, the code or the first line is told."""
    text = str(error).partition("\n\nDebug source:")[0]
    if type(error).__name__ == "InvalidPathError":
        found = _POISON.search(text)
        key = repr(found[1]) if found else "a key"
        return Unspeakable(
            f"{root} cannot be listed: {key} in it has an empty segment, '.', '..' or a character that no path may "
            "hold. Rename or delete that one object; until then none of the others can be listed."
        )
    code = _CODE.search(text)
    if code is not None:
        advice = _WORDS.get(code[1], "It is tried again until it answers.")
        return OutOfReach(f"{root} cannot be read ({code[1]}). {advice}")
    line = " ".join(text.split())[:300]
    return OutOfReach(f"{root} cannot be read: {line or type(error).__name__}. It is tried again until it answers.")
