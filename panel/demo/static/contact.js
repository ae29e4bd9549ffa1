// The contact's sidebar and the small builders of elements that the page shares.

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function initials(name) {
  const words = (name || '?').split(/\s+/);
  return (words[0][0] + (words.length > 1 ? words.at(-1)[0] : '')).toUpperCase();
}

export function channel(meta) {
  return (meta.channel || '').split('::').at(-1).toLowerCase();
}

export function drawContact(row, definitions) {
  const contact = row.conversation.meta.sender;
  const card = document.querySelector('[data-contact-card]');
  const head = element('div', 'person');
  head.append(element('span', `avatar large ${channel(row.conversation.meta)}`, initials(contact.name)));
  head.append(element('strong', '', contact.name || 'No name'));
  card.replaceChildren(head, facts(contact));
  card.append(attributes('Contact attributes', 'contact_attribute', contact.custom_attributes, definitions));
  card.append(attributes('Conversation attributes', 'conversation_attribute',
    row.conversation.custom_attributes, definitions));
}

function facts(contact) {
  const list = element('dl', 'facts');
  const extra = contact.additional_attributes || {};
  const place = [extra.city, extra.country_code].filter(Boolean).join(', ');
  const rows = { 'E-mail': contact.email, Phone: contact.phone_number, Place: place, Identifier: contact.identifier };
  for (const [name, value] of Object.entries(rows)) fact(list, name, value || 'Not available', !value);
  return list;
}

function attributes(title, model, values, definitions) {
  const named = new Map(definitions.filter((row) => row.attribute_model === model)
    .map((row) => [row.attribute_key, row.attribute_display_name]));
  const block = element('section', 'attributes');
  block.dataset.attributes = model;
  block.append(element('h3', '', title));
  const list = element('dl', 'facts');
  const entries = Object.entries(values || {});
  for (const [key, value] of entries) {
    const shown = value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value);
    fact(list, named.get(key) || key, shown, false).dataset.attribute = key;
  }
  block.append(entries.length ? list : element('p', 'none', 'None'));
  return block;
}

function fact(list, name, value, missing) {
  const told = element('dd', missing ? 'missing' : '', value);
  list.append(element('dt', '', name), told);
  return told;
}
