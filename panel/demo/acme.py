"""Acme, the organization of most scenarios: it has something in every state."""

from panel.demo.companies import Company, Maker
from panel.demo.world import Json

_RENEWAL: Json = {
    "entitlement_ids": [4203],
    "notes": "Renovação anual do Tema Campus, com instalação.\nCondições válidas até a data acima.",
    "line_items": [
        {"product_name": "Tema Campus", "quantity": 3, "unit_price": "1500.00"},
        {"product_name": "Instalação", "quantity": 1, "unit_price": "300.00"},
    ],
}


def make_acme(make: Maker) -> Company:
    licenses = _list_licenses(make)
    return Company(
        make.organization("Acme Ltda", "acme.example", plan="Business"),
        _list_people(make),
        _list_orders(make),
        _list_quotes(make),
        licenses,
        make.entitlements(licenses),
    )


def _list_orders(make: Maker) -> list[Json]:
    open_orders = [
        make.order(1, "pending", "1250.00", -1),
        make.order(2, "processing", "3480.50", -4),
        make.order(3, "on-hold", "299.90", -9),
    ]
    past = [
        make.order(
            at, "completed", f"{at * 110}.00", at * -11, entitlements=make.grants(1 + at % 4)
        )
        for at in range(4, 15)
    ]
    past += [make.order(15, "cancelled", "80.00", -20), make.order(16, "refunded", "45.00", -35)]
    past += [make.order(17, "failed", "1250.00", -2)]
    return open_orders + past


def _list_quotes(make: Maker) -> list[Json]:
    return [
        make.quote(
            1, "sent", "5400.00", 15, notes="Renovação por 24 meses.", entitlement_ids=[4201]
        ),
        make.quote(2, "viewed", "4800.00", 6, **_RENEWAL),
        make.quote(3, "sent", "1200.00", -2),
        make.quote(4, "draft", "4500.00", 30),
        make.quote(5, "accepted", "4200.00", 12),
        make.quote(6, "paid", "3900.00", -5, order_id=4204, entitlement_ids=[4201]),
        make.quote(7, "fulfilled", "3600.00", -40),
        make.quote(8, "rejected", "3300.00", -8, rejection_reason="Fora do orçamento deste ano."),
        make.quote(9, "expired", "3000.00", -20),
        make.quote(10, "cancelled", "2700.00", -3),
    ]


def _list_licenses(make: Maker) -> list[Json]:
    return [
        make.license(1, "Plugin Relatórios", 320),
        make.license(
            2,
            "Plugin Certificados",
            95,
            activations_count=3,
            activated_domains=["ead.acme.example", "site2.example", "www.acme.example"],
        ),
        make.license(3, "Tema Campus", 12),
        make.license(4, "Plugin Legado", 200, "disabled"),
    ]


def _list_people(make: Maker) -> list[Json]:
    return [
        make.collaborator(1, "ana@acme.example", "owner"),
        make.collaborator(2, "bruno@acme.example", "admin"),
        make.collaborator(3, "carla@acme.example"),
        make.collaborator(4, "daniela@prado.example", "guest"),
        make.collaborator(5, "novo@acme.example", "pending"),
    ]
