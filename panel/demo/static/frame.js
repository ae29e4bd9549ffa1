// The frame of a dashboard app, and its messages, as Chatwoot's Frame.vue has them.

const FETCH_INFO = 'chatwoot-dashboard-app:fetch-info';

const frames = document.querySelector('[data-frames]');
let context = () => ({});

export function answerWith(compute) {
  context = compute;
}

// A frame comes to be when its tab is first opened in a conversation, and stays between tabs.
export function openFrame(app, position) {
  for (const box of frames.children) box.hidden = box.dataset.app !== String(position);
  if (frames.querySelector(`[data-app="${position}"]`)) return;
  const box = document.createElement('div');
  box.className = 'frame loading';
  box.dataset.app = String(position);
  app.content.forEach((item, index) => box.append(frameOf(item, position, index, box)));
  frames.append(box);
}

function frameOf(item, position, index, box) {
  const frame = document.createElement('iframe');
  frame.id = `dashboard-app--frame-${position}-${index}`;
  frame.src = item.url;
  frame.addEventListener('load', () => {
    box.classList.remove('loading');
    send(frame);
  });
  return frame;
}

export function destroyFrames() {
  frames.replaceChildren();
}

// The theme was switched: every frame hears of it, hidden ones too.
export function sendToAll() {
  frames.querySelectorAll('iframe').forEach(send);
}

function send(frame) {
  const message = { event: 'appContext', data: context() };
  frame.contentWindow.postMessage(JSON.stringify(message), '*');
}

window.addEventListener('message', (event) => {
  if (event.data !== FETCH_INFO || frames.hidden) return;
  const shown = frames.querySelector('.frame:not([hidden]) iframe');
  if (shown) send(shown);
});
