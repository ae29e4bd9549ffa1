// Chatwoot's conversation view, as far as a dashboard app can tell: list, tabs, frame, contact.

import { drawBench, startBench, theme } from './bench.js';
import { channel, drawContact, element, initials } from './contact.js';
import { answerWith, destroyFrames, openFrame, sendToAll } from './frame.js';

const $ = (name) => document.querySelector(`[data-${name}]`);
const panes = { messages: document.querySelector('[data-pane=messages]'), app: $('frames') };
const address = new URLSearchParams(location.search);
let state;
let chosen;

const current = () => state.conversations.find((row) => row.conversation.id === chosen);

answerWith(() => {
  const { conversation } = current();
  return { conversation, contact: conversation.meta.sender, currentAgent: state.agent, theme: theme() };
});

async function refresh() {
  show(await (await fetch('/demo/state')).json());
}

function show(fresh) {
  state = fresh;
  drawContact(current(), state.definitions);
  drawBench(state, current());
}

function drawList() {
  $('me').textContent = initials(state.agent.name);
  $('list').replaceChildren(...state.conversations.map((row) => {
    const { id, meta, messages } = row.conversation;
    const item = element('li');
    const button = element('button', 'entry');
    button.type = 'button';
    Object.assign(button.dataset, { conversation: id, scenario: row.scenario });
    const text = element('span', 'text');
    const top = element('span', 'top');
    top.append(element('span', 'inbox', row.inbox.name), element('time', '', clock(row.conversation.last_activity_at)));
    text.append(top, element('strong', '', meta.sender.name), element('span', 'last', messages.at(-1)?.content || ''));
    text.append(element('span', 'chip', row.label));
    button.append(element('span', `avatar ${channel(meta)}`, initials(meta.sender.name)), text);
    button.addEventListener('click', () => choose(id));
    item.append(button);
    return item;
  }));
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

function choose(id) {
  if (id === chosen) return;
  chosen = id;
  destroyFrames();
  document.querySelectorAll('[data-conversation]').forEach((entry) => {
    entry.setAttribute('aria-current', String(entry.dataset.conversation === String(id)));
  });
  drawConversation(current());
  drawContact(current(), state.definitions);
  drawBench(state, current());
  select('messages'); // as Chatwoot does at each switch
  refresh();
}

function drawConversation(row) {
  const { meta, messages, id } = row.conversation;
  $('avatar').textContent = initials(meta.sender.name);
  $('avatar').className = `avatar ${channel(meta)}`;
  $('name').textContent = meta.sender.name;
  $('inbox').textContent = `#${id} in ${row.inbox.name}`;
  $('messages').replaceChildren(...messages.map((message) => {
    const side = message.message_type === 0 ? 'incoming' : 'outgoing';
    const bubble = element('li', `message ${side}${message.private ? ' private' : ''}`);
    bubble.append(element('p', '', message.content));
    const note = message.private ? 'Private note · ' : '';
    bubble.append(element('time', '', `${note}${message.sender.name} · ${clock(message.created_at)}`));
    return bubble;
  }));
}

function drawTabs() {
  if (!state.apps.length) return;
  const names = ['Messages', ...state.apps.map((app) => app.title)];
  $('tabs').replaceChildren(...names.map((name, at) => {
    const button = element('button', '', name);
    button.type = 'button';
    button.setAttribute('role', 'tab');
    button.dataset.tab = at ? 'app' : 'messages';
    if (at) button.dataset.app = String(at - 1);
    button.addEventListener('click', () => select(at ? `app${at - 1}` : 'messages'));
    return button;
  }));
}

// A tab is "messages" or "app" and the position of the app.
function select(name) {
  const position = name === 'messages' ? -1 : Number(name.slice(3));
  const app = state.apps[position];
  panes.messages.hidden = Boolean(app);
  panes.app.hidden = !app;
  for (const button of $('tabs').children) {
    const mine = button.dataset.tab === 'app' ? Number(button.dataset.app) === position : !app;
    button.setAttribute('aria-selected', String(mine));
  }
  if (app) openFrame(app, position);
  address.set('conversation', chosen);
  address.set('tab', app ? 'app' : 'messages');
  history.replaceState(null, '', `?${address}`);
}

async function start() {
  state = await (await fetch('/demo/state')).json();
  startBench(state, { current, show, state: () => state, themed: sendToAll });
  drawList();
  drawTabs();
  const wanted = address.get('scenario') || Number(address.get('conversation'));
  const row = state.conversations.find((r) => r.scenario === wanted || r.conversation.id === wanted);
  const wantsApp = address.get('tab') === 'app';
  address.delete('scenario');
  choose((row || state.conversations[0]).conversation.id);
  if (wantsApp) select('app0');
  $('contact-refresh').addEventListener('click', refresh);
  $('contact-toggle').addEventListener('click', () => document.body.classList.toggle('aside'));
  document.body.dataset.ready = 'yes';
}

start();
