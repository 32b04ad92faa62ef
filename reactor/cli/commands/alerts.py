"""`reactor alerts`: what was told to whom."""

from rich.markup import escape

from reactor.cli import options, out
from reactor.cli.project import ask, now, settings_of
from reactor.model.events import Json
from reactor.service.views.words import iso
from reactor.store.base import AlertRow, Reader

STEP = 1_000


def command(limit: options.Most = 30, as_json: options.AsJson = False, project: options.InProject = None) -> None:
    """Alerts, oldest first, the newest so many."""

    async def question(reader: Reader) -> list[dict[str, Json]]:
        found: list[AlertRow] = []
        last = 0
        while page := await reader.alerts(last, STEP):
            found, last = (found + page)[-limit:], page[-1].id
        lost = await reader.undelivered(STEP)
        return [
            {
                "id": row.id,
                "at": iso(row.alert.at),
                "kind": str(row.alert.kind),
                "owner": row.alert.owner,
                "subject": row.alert.subject,
                "text": row.alert.text,
                "undelivered": {u.channel: u.reason for u in lost if u.alert == row.id},
            }
            for row in found
        ]

    found = ask(settings_of(project).settings, question)
    rows = [[out.when(a["at"], now()), f"[red]{a['kind']}[/]", escape(a["owner"]), _told(a)] for a in found]
    out.emit(
        found, as_json, lambda: out.table(["when", "kind", "told", "what"], rows, "Nobody had to be told anything.")
    )


def _told(alert: dict[str, Json]) -> str:
    lost = "".join(f"\n[red]not by {channel}: {escape(why)}[/]" for channel, why in alert["undelivered"].items())
    return f"{escape(alert['text'])}{lost}"
