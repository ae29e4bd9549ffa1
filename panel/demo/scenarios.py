"""SCENARIOS: the customers who write to us, their organizations, and the faults of the world.

A row is one conversation of the demo page and one fixture of the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

WEB, WHATSAPP, EMAIL = 1, 2, 3


@dataclass(frozen=True)
class Person:
    """The customer behind a conversation."""

    name: str
    email: str | None
    phone: str | None = None
    city: str = "Brasília"
    country: str = "BR"


@dataclass(frozen=True)
class Scenario:
    """A row of the demo: `conversation` and `contact` are Chatwoot ids, `organizations` the claimed
    ones.

    `claim` says whose custom attributes hold the claim: the contact's or the conversation's;
    `identifier` is no evidence, whoever wrote it. `fault` is a row of FAULTS for the organization,
    in `sections` or (without names) in all of them; `chatwoot_down`: Chatwoot does not answer for
    this conversation.
    """

    name: str
    label: str
    conversation: int
    contact: int
    organizations: tuple[int, ...]
    person: Person
    says: str
    inbox: int = WEB
    claim: str = "contact"
    identifier: str | None = None
    fault: str | None = None
    sections: tuple[str, ...] = ()
    chatwoot_down: bool = False


_LISTS = ("orders", "quotes", "licenses", "collaborators", "entitlements")
_ROWS = (
    Scenario(
        "healthy", "Not verified (website)", 101, 301, (42,),
        Person("Ana Souza", "ana@acme.example", "+5561999990001"),
        "Oi! O pedido de renovação já foi processado?",
    ),
    Scenario(
        "empty", "Everything empty", 102, 302, (43,),
        Person("Beatriz Nunes", "beatriz@nova.example", "+5562998120002", "Goiânia"),
        "Acabei de criar a conta, por onde começo?",
    ),
    Scenario(
        "many", "60 orders on 3 pages", 103, 303, (44,),
        Person("Caio Ferreira", "caio@distribuidora.example", "+5511987650003", "São Paulo"),
        "Preciso da lista de todos os pedidos deste ano.", WHATSAPP,
    ),
    Scenario(
        "two", "Two organizations", 104, 304, (42, 45),
        Person("Daniela Prado", "daniela@prado.example", "+5561999990004"),
        "É sobre a fatura da outra empresa.", EMAIL,
    ),
    Scenario(
        "unlinked", "Not linked", 105, 305, (),
        Person("Eduardo Mota", "eduardo.mota@correio.example", "+5531988880005", "Belo Horizonte"),
        "Boa tarde, vocês atendem escolas?",
    ),
    Scenario(
        "expiring", "Licenses expiring, expired", 106, 306, (46,),
        Person("Fernanda Lima", "fernanda@horizonte.example", "+5541977770006", "Curitiba"),
        "Recebi um aviso de vencimento da licença.", WHATSAPP,
        identifier="middag:organization:46",  # as earlier versions of ours wrote it
    ),
    Scenario(
        "currencies", "BRL and USD", 107, 307, (47,),
        Person("Grace Miller", "grace@northwind.example", "+15125550107", "Austin", "US"),
        "Could you resend the invoice in dollars?", claim="conversation",
    ),
    Scenario(
        "contradictions", "Every contradiction of the docs", 108, 308, (48,),
        Person("Hugo Teixeira", "hugo@paradoxo.example", None, "Recife"),
        "O status do meu pedido está estranho.",
    ),
    Scenario(
        "php", "Values as PHP writes them", 121, 321, (49,),
        Person("Sean O'Brien", "sean@obrien.example", "+5521999990021", "Rio de Janeiro"),
        "O valor do meu pedido está certo?",
    ),
    Scenario(
        "slow", "Back office slow (3 s)", 109, 309, (51,),
        Person("Isabela Rocha", "contato@lenta.example", "+5571966660009", "Salvador"),
        "O painel demora para abrir, é normal?", fault="slow",
    ),
    Scenario(
        "hanging", "Back office hanging", 110, 310, (52,),
        Person("João Batista", "contato@parada.example", "+5585955550010", "Fortaleza"),
        "Alguém aí?", WHATSAPP, fault="hang",
    ),
    Scenario(
        "error500", "Back office: 500", 111, 311, (53,),
        Person("Karen Duarte", "contato@quinhentos.example", "+5551944440011", "Porto Alegre"),
        "Deu erro ao baixar o plugin.", fault="500",
    ),
    Scenario(
        "error429", "Back office: 429", 112, 312, (54,),
        Person("Luiz Carvalho", "contato@limite.example", "+5527933330012", "Vitória"),
        "Minha assinatura foi cobrada duas vezes?", fault="429",
    ),
    Scenario(
        "wordpress", "Back office: 401 of WordPress", 113, 313, (55,),
        Person("Marina Alves", "contato@palavra.example", "+5548922220013", "Florianópolis"),
        "Quero trocar o e-mail do responsável.", fault="wordpress401",
    ),
    Scenario(
        "html", "Back office: HTML with 200", 114, 314, (56,),
        Person("Nelson Braga", "contato@pagina.example", "+5565911110014", "Cuiabá"),
        "O site de vocês está em manutenção?", fault="html",
    ),
    Scenario(
        "badjson", "Back office: broken JSON", 115, 315, (57,),
        Person("Olívia Ramos", "contato@quebrada.example", "+5567900000015", "Campo Grande"),
        "A nota fiscal veio cortada.", fault="badjson",
    ),
    Scenario(
        "foreign", "Another organization's rows", 116, 316, (58,),
        Person("Paulo Vieira", "contato@alheia.example", "+5592981110016", "Manaus"),
        "Aparecem pedidos que não são meus!", fault="foreign", sections=_LISTS,
    ),
    Scenario(
        "unknown", "Unknown organization (404)", 117, 317, (59,),
        Person("Queila Santos", "contato@sumida.example", "+5591982220017", "Belém"),
        "Nossa empresa mudou de CNPJ.", fault="404",
    ),
    Scenario(
        "forbidden", "Not allowed (403)", 118, 318, (60,),
        Person("Rafael Torres", "contato@fechada.example", "+5581983330018", "Recife"),
        "Podem me passar os dados da conta?", fault="403",
    ),
    Scenario(
        "chatwoot-down", "Chatwoot does not answer", 119, 319, (61,),
        Person("Sofia Mendes", "contato@silencio.example", "+5584984440019", "Natal"),
        "Obrigada pela ajuda de ontem!", chatwoot_down=True,
    ),
    Scenario(
        "proven", "Proven by WhatsApp", 120, 320, (62,),
        Person("Gabriela Reis", "gabriela@segura.example", "+5511987654320", "São Paulo"),
        "Pode me passar a segunda via do pedido?", WHATSAPP,
    ),
)  # fmt: skip

SCENARIOS: dict[str, Scenario] = {row.name: row for row in _ROWS}


def _regular(at: int, name: str, email: str, says: str) -> Scenario:
    """Make a customer whom passes have brought in line, and whose phone proves the writer."""
    person = Person(name, email, f"+55119876543{at:02d}")
    return Scenario(
        f"regular-{at}", "All is well", 130 + at, 330 + at, (70 + at,), person, says, WHATSAPP
    )


# Most customers of `make demo`, as in life, have no trouble.
REGULARS: dict[str, Scenario] = {
    row.name: row
    for row in (
        _regular(1, "Helena Castro", "helena@saobento.example", "Recebi a nota, obrigada!"),
        _regular(2, "Igor Martins", "igor@aguaverde.example", "Minha renovação está em dia?"),
        _regular(3, "Júlia Campos", "julia@acme-escolas.example", "Podem reenviar a proposta?"),
        _regular(4, "Kleber Moura", "kleber@tecnatal.example", "Quantos sites ainda posso ativar?"),
        _regular(5, "Lívia Freitas", "livia@tecrecife.example", "O pagamento caiu hoje cedo?"),
        _regular(6, "Mateus Pinto", "mateus@tecbelem.example", "Qual é a minha chave de licença?"),
        _regular(7, "Nádia Lopes", "nadia@tecmanaus.example", "Até quando vale a licença?"),
        _regular(8, "Otávio Dantas", "otavio@teccuiaba.example", "Troquei de domínio, e agora?"),
        _regular(9, "Patrícia Melo", "patricia@tecvitoria.example", "E a segunda via do boleto?"),
        _regular(10, "Renato Farias", "renato@tecmaceio.example", "Dá para mudar de plano?"),
        _regular(11, "Simone Azevedo", "simone@tecaracaju.example", "Quem mais tem acesso?"),
        _regular(12, "Tiago Barros", "tiago@tecpalmas.example", "Tudo certo por aqui, valeu!"),
    )
}
