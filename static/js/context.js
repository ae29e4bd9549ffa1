// Chatwoot's context of the open conversation, as the fields of our question to the server.

const CLAIM = "middag_organization_id";
const LONGEST = 2000;

// A website visitor writes attributes of any shape, also `{"toString": 1}`, which throws when it is
// turned into a text. The server reads only texts and numbers, and so does the page.
const isPlain = (value) => typeof value === "string" || typeof value === "number";
const plain = (value) => (isPlain(value) ? value : "");

export function readContext(context) {
  const { conversation, theme } = context;
  if (plain(theme)) document.documentElement.dataset.theme = theme;
  const about = conversation.meta || {};
  const contact = context.contact?.id ? context.contact : about.sender || {};
  const agent = context.currentAgent || context.current_agent || {}; // the mobile app's name
  return {
    conversation: plain(conversation.id),
    contact: plain(contact.id),
    account: plain(conversation.account_id),
    agent_id: plain(agent.id),
    agent_email: plain(agent.email),
    customer: describeCustomer(contact, conversation.custom_attributes, about.hmac_verified),
  };
}

// All values that decide who the customer is, in one text. While it equals the server's text of a
// moment ago (`describe_customer`), the server need not ask Chatwoot. When it changes, the panel is
// opened anew. A visitor may write a text of any length; a text that was cut equals no other.
function describeCustomer(contact, attributes, isSigned) {
  const claims = [attributes, contact.custom_attributes].map((owned) => owned?.[CLAIM]);
  const own = [contact.id, contact.email, contact.phone_number, contact.identifier];
  const parts = [...own, ...claims, isSigned ? 1 : ""];
  return parts.map(plain).join("\t").slice(0, LONGEST);
}
