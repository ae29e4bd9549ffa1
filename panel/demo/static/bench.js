// The bench: breaks and heals the worlds, and changes how the page looks.

const bench = Object.fromEntries(
  [...document.querySelectorAll('[data-bench]')].map((node) => [node.dataset.bench, node]),
);

// `page` has current() -> row, show(state), themed().
export function startBench(state, page) {
  for (const [name, label] of Object.entries(state.bench.choices)) choice(bench.fault, name, label);
  for (const section of state.bench.sections) choice(bench.section, section, section);
  const apply = () => post('fault', {
    fault: bench.fault.value || null,
    section: bench.section.value || null,
    organizations: bench.organization.value === 'all' ? null : page.current().organizations,
  });
  const post = async (action, body) => page.show(await sent(action, body));
  bench.fault.addEventListener('change', apply);
  bench.section.addEventListener('change', () => bench.fault.value && apply());
  bench.organization.addEventListener('change', () => drawBench(page.state(), page.current()));
  bench.chatwoot.addEventListener('change', () => post('chatwoot', { down: bench.chatwoot.checked }));
  bench.heal.addEventListener('click', () => post('heal', {}));
  bench.reset.addEventListener('click', () => post('reset', {}));
  for (const [deed, label] of Object.entries(state.bench.deeds)) {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: label });
    button.dataset.deed = deed;
    button.addEventListener('click', () => post('hook', { deed, organization: page.current().organizations[0] }));
    bench.hooks.append(button);
  }
  bench.width.addEventListener('change', () => { document.body.dataset.width = bench.width.value; });
  bench.theme.checked = matchMedia('(prefers-color-scheme: dark)').matches;
  bench.theme.addEventListener('change', () => { dress(); page.themed(); });
  if (innerWidth < 768) bench.bar.open = false;
  dress();
}

async function sent(action, body) {
  const answer = await fetch(`/demo/${action}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  return answer.json();
}

function choice(select, value, label) {
  select.append(new Option(label, value));
}

function dress() {
  document.body.classList.toggle('dark', bench.theme.checked);
  document.documentElement.style.colorScheme = theme();
}

export function theme() {
  return bench.theme.checked ? 'dark' : 'light';
}

// Shows what is broken for the chosen customer, or for everyone.
export function drawBench(state, row) {
  const everyone = bench.organization.value === 'all';
  const mine = (fault) => (everyone ? fault.organization === null : row.organizations.includes(fault.organization));
  const found = state.bench.faults.filter(mine);
  bench.fault.value = found[0]?.fault || '';
  bench.section.value = found.length === 1 ? found[0].section || '' : '';
  bench.chatwoot.checked = state.bench.down;
  const rung = state.bench.rung;
  bench.rung.textContent = rung ? `${rung.event}: ${rung.status} ${rung.answer.status || rung.answer.error.code}` : '';
  bench.hooks.hidden = row.organizations.length === 0;
}
