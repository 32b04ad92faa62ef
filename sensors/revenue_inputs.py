"""What daily revenue is made of, and how each part of it arrives."""

from pathlib import Path

from pydantic import BaseModel

from reactor import Asset, Daily, File, Files, Hourly, Kafka, Ready, Row, Table, sensor

PROJECT = Path(__file__).parents[1]

days = Daily(start="2026-01-01", timezone="Europe/Berlin")
hours = Hourly(start="2026-01-01T00", timezone="Europe/Berlin")

orders = Asset("orders", hours, owner="shop@example.com", description="what was sold, hour by hour")
refunds = Asset("refunds", days, owner="payments@example.com", due="04:00")
payments = Asset("payments", days, owner="payments@example.com", due="04:00")
subscriptions = Asset("subscriptions", days, owner="billing@example.com", due="04:00")


class HourClosed(BaseModel):
    """What the shop publishes when an hour is over. A record that does not fit goes to the dead letters."""

    hour: str
    orders: int


@sensor(Kafka("shop.hour-closed"))
def hour_closed(closed: HourClosed) -> Ready:
    return orders.ready(closed.hour, orders=closed.orders)


@sensor(Files("landing/refunds-{day}.csv", ready="named"))
def refunds_landed(file: File) -> Ready:
    return refunds.ready(file.fields["day"], path=file.path)


@sensor(Files("landing/payments-{day}.csv", ready="named"))
def payments_landed(file: File) -> Ready:
    return payments.ready(file.fields["day"], path=file.path)


@sensor(Table("shop.db", "select id, day from closings where id > :cursor order by id", cursor="id", every="1s"))
def subscriptions_closed(row: Row) -> Ready:
    return subscriptions.ready(row["day"])
