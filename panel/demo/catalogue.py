"""COMPANIES: the organizations of the scenarios, each with the recipe of its rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from panel.demo.acme import make_acme
from panel.demo.companies import Company, Maker, Recipe, calm, small
from panel.demo.scenarios import REGULARS, Person
from panel.demo.world import Json

DAY = 86400  # seconds
_ENTITIES = {47: ("middag_global", "USD")}


def companies(today: date) -> list[Company]:
    """Return every organization of the demo as it stands on this day."""
    rows = []
    for number, recipe in COMPANIES.items():
        entity, currency = _ENTITIES.get(number, ("middag_br", "BRL"))
        rows.append(recipe(Maker(today, number, entity, currency)))
    return rows


def _empty(make: Maker) -> Company:
    return Company(
        make.organization("Nova Escola Ltda", "nova.example", verification_status="pending")
    )


def _many(make: Maker) -> Company:
    cycle = ["pending", "processing", "completed", "on-hold", "completed"]
    orders = [make.order(at, cycle[at % 5], f"{at * 37}.90", -at) for at in range(1, 61)]
    base = small(make, "Distribuidora Central Ltda", "distribuidora.example")
    people = [*base.collaborators, make.collaborator(3, "caio@distribuidora.example", "admin")]
    return Company(base.organization, people, orders, base.quotes, base.licenses, base.entitlements)


def _prado(make: Maker) -> Company:
    base = small(make, "Prado Consultoria Ltda", "prado.example", city="Goiânia", state="GO")
    people = [make.collaborator(1, "daniela@prado.example", "owner")]
    return Company(
        base.organization, people, base.orders, base.quotes, base.licenses, base.entitlements
    )


def _expiring(make: Maker) -> Company:
    licenses = [
        make.license(1, "Plugin Relatórios", 3),
        make.license(2, "Plugin Certificados", 12),
        make.license(3, "Plugin Presença", 29),
        make.license(4, "Plugin Notas", -5, "expired"),
        make.license(5, "Plugin Fórum", -20),
        make.license(6, "Plugin Antigo", -200, "expired"),
        make.license(7, "Tema Campus (vitalícia)", None),
        make.license(8, "Agency", 180, activations_limit=-1, activations_count=41),
        make.license(9, "Plugin Suspenso", 90, "disabled"),
    ]
    return Company(
        make.organization("Horizonte Ensino Ltda", "horizonte.example", plan="Flex"),
        [make.collaborator(1, "fernanda@horizonte.example", "owner")],
        [make.order(1, "completed", "2490.00", -365)],
        [make.quote(1, "viewed", "2690.00", 10)],
        licenses,
        make.entitlements(licenses),
    )


def _northwind(make: Maker) -> Company:
    licenses = [make.license(1, "Reports plugin", 150), make.license(2, "Certificates plugin", 27)]
    organization = make.organization(
        "Northwind Learning LLC", "northwind.example", plan="Enterprise",
        legal_name="Northwind Learning LLC", cnpj=None, tax_id="36-4827159",
        phone="+1 512 555-0107", address="401 Congress Ave", city="Austin", state="TX",
        country="US", zipcode="78701", requires_invoice_for_payment=False,
    )  # fmt: skip
    return Company(
        organization,
        [make.collaborator(1, "grace@northwind.example", "owner")],
        [
            make.order(1, "pending", "1200.00", -1),
            make.order(2, "processing", "349.50", -3),
            make.order(3, "processing", "2750.00", -5, currency="BRL", payment_method="pix"),
            make.order(4, "completed", "990.00", -60),
        ],
        [
            make.quote(1, "sent", "9800.00", 21, company="middag_global"),
            make.quote(2, "viewed", "15400.00", 9, company="middag_br", currency="BRL"),
        ],
        licenses,
        make.entitlements(licenses),
    )


def _contradictions(make: Maker) -> Company:
    """The company has both sides of each contradiction between the plugin's documentation pages."""
    local = f"{make.day(-3)}T09:30:00"
    organization = {
        "id": make.number, "name": "Paradoxo Educação", "tax_id": "12.ABC.345/01DE-35",
        "status": "verified", "verification_status": "Under Review", "company": "middag_br",
        "email": "contato@paradoxo.example", "phone": None, "country": "BR", "created_at": local,
    }  # fmt: skip
    orders = [
        make.order(1, "wc-processing", "780.00", -3, date_created=local),
        make.order(2, "On Hold", "120.00", -4, date_created=None),
        make.order(3, "awaiting-shipment", "95.50", -6),
        make.order(4, "pending", 125000, -2),
        make.order(5, "wc-completed", "60.00", -50),
        make.order(6, "Pending", "410.00", -1, date_created=f"{make.day(-1)} 08:15:00"),
    ]
    del orders[2]["date_created"], orders[2]["items_count"], orders[2]["payment_method"]
    quotes = [
        make.quote(1, "Sent", "5400.00", 14),
        make.quote(2, "Refunded", "300.00", -9),
        make.quote(3, "viewed", "1990.00", 5, valid_until=None, created_at=local),
        make.quote(4, "under_negotiation", "750.00", 8),
    ]
    del quotes[3]["organization_id"], quotes[3]["valid_until"], quotes[3]["line_items"]
    licenses = [
        make.license(1, "Plugin Relatórios", 90, "Active", expires_at=f"{make.day(90)}T23:59:59"),
        make.license(2, "Agency", None, activations_limit=0, created_at=None),
        make.license(3, "Plugin Notas", 14, "wc-active", expires_at=make.day(14)),
        make.license(4, "Plugin Presença", 40, "paused", activations_limit=None),
    ]
    entitlements = make.entitlements(licenses)
    del licenses[3]["activated_domains"], licenses[3]["entitlement_code"]
    people = [
        make.collaborator(1, "Hugo@Paradoxo.example", "owner"),
        make.collaborator(2, "equipe@paradoxo.example", "supervisor"),
    ]
    return Company(organization, people, orders, quotes, licenses, entitlements, bare=True)


def _php(make: Maker) -> Company:
    """The company has values and records as PHP writes them: some can be read, some cannot."""
    midnight = datetime.combine(make.today + timedelta(9), time(), UTC)
    organization = make.organization(
        "O&#8217;Brien &amp; Filhos Cursos Ltda", "obrien.example", country="Brasil",
        cnpj=11222000000130 + make.number, verification_status=1, legal_name=None, plan=False,
    )  # fmt: skip
    orders = [
        make.order(1, "pending", 100, -1, number="1449"),
        make.order(2, "on-hold", "1.250,00", -2, date_created=int(midnight.timestamp()) - 11 * DAY),
        make.order(3, "processing", "3480.50", -3, date_created=make.day(-3) + " 12:00:00"),
        make.order(4, "Aguardando análise", "80.50", -4, currency=None),
        {**make.order(5, "", "", -5), "status": {"slug": "pending", "label": "Pendente"}},
        make.order(6, "Concluído", "60.00", -50),
        {"status": "pending", "total": "12.00"},
    ]
    quotes = [
        make.quote(1, "sent", "5400.00", 14, line_items={"731": {"product_name": "Tema Campus"}}),
        make.quote(2, "viewed", "750.00", 8, valid_until="20 de dezembro"),
        make.quote(3, "Enviada", "1990.00", 5),
    ]
    licenses = [
        make.license(1, "Plugin Relat&oacute;rios", 9, "Ativa", expires_at=midnight.isoformat()),
        make.license(2, "Plugin Notas", 60, expires_at="01/02/2027", activations_limit=""),
        make.license(3, "Agency", None, expires_at="lifetime", activations_limit=False),
        make.license(4, "Plugin Presença", 40, "em_revisao", activations_count=None),
    ]
    people = [make.collaborator(1, "sean@obrien.example", "owner", name="Sean O&#8217;Brien")]
    return Company(organization, people, orders, quotes, licenses, make.entitlements(licenses))


def _plain(name: str, mail: str) -> Recipe:
    return lambda make: small(make, name, mail)


def _regular(name: str, mail: str, **fields: str) -> Recipe:
    return lambda make: _owned(make, calm(make, name, mail, **fields))


def _place(city: str, state: str, mail: str) -> Recipe:
    return _regular(f"Escola Técnica {city} Ltda", mail, city=city, state=state)


def _owned(make: Maker, company: Company) -> Company:
    """The owner is the person who writes for it by WhatsApp, if there is one."""
    for row in REGULARS.values():
        if make.number in row.organizations:
            return replace(company, collaborators=[_owner(make, row.person)])
    return company


def _owner(make: Maker, person: Person) -> Json:
    """The back office knows the phone as this person's alone, which proves them by WhatsApp."""
    return make.collaborator(1, person.email or "", "owner", name=person.name, phone=person.phone)


def _proven(make: Maker) -> Company:
    company = small(make, "Segura Cursos Ltda", "segura.example", city="São Paulo", state="SP")
    gabriela = Person("Gabriela", "gabriela@segura.example", "+55 11 98765-4320")
    return replace(company, collaborators=[_owner(make, gabriela)])


# Passes have seen these, so that a search has results; in `make demo` most of them write.
NEIGHBOURS: dict[int, Recipe] = {
    71: _regular("Instituto São Bento Ltda", "saobento.example"),
    72: _regular("Colégio Água Verde Ltda", "aguaverde.example"),
    73: _regular("Acme Escolas Ltda", "acme-escolas.example"),
    74: _place("Natal", "RN", "tecnatal.example"),
    75: _place("Recife", "PE", "tecrecife.example"),
    76: _place("Belém", "PA", "tecbelem.example"),
    77: _place("Manaus", "AM", "tecmanaus.example"),
    78: _place("Cuiabá", "MT", "teccuiaba.example"),
    79: _place("Vitória", "ES", "tecvitoria.example"),
    80: _place("Maceió", "AL", "tecmaceio.example"),
    81: _place("Aracaju", "SE", "tecaracaju.example"),
    82: _place("Palmas", "TO", "tecpalmas.example"),
    83: _place("Macapá", "AP", "tecmacapa.example"),
    84: _place("Goiânia", "GO", "tecgoiania.example"),
}

BY_WHATSAPP = 62
SEEN = (*NEIGHBOURS, BY_WHATSAPP, 42, 44, 45, 46, 47)  # by passes, when the demo starts

COMPANIES: dict[int, Recipe] = {
    42: make_acme,
    43: _empty,
    44: _many,
    45: _prado,
    46: _expiring,
    47: _northwind,
    48: _contradictions,
    49: _php,
    51: _plain("Lenta Cursos Ltda", "lenta.example"),
    52: _plain("Parada Ensino Ltda", "parada.example"),
    53: _plain("Quinhentos Ltda", "quinhentos.example"),
    54: _plain("Limite Digital Ltda", "limite.example"),
    55: _plain("Palavra Editora Ltda", "palavra.example"),
    56: _plain("Página Livros Ltda", "pagina.example"),
    57: _plain("Quebrada Sistemas Ltda", "quebrada.example"),
    58: _plain("Alheia Comércio Ltda", "alheia.example"),
    59: _plain("Sumida Serviços Ltda", "sumida.example"),
    60: _plain("Fechada Holding Ltda", "fechada.example"),
    61: _plain("Silêncio Estúdio Ltda", "silencio.example"),
    BY_WHATSAPP: _proven,
    **NEIGHBOURS,
}
