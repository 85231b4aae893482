// SPDX-License-Identifier: Apache-2.0
const messages = new Messages();
const ping = new Ping();
const speed = new Speed();

link.addEventListener('open', () => {
  messages.attach(link.session.echo);
  ping.attach(link.session);
  showFacts();
  if (matchMedia('(pointer: fine)').matches) $('text').focus();
});
link.addEventListener('end', () => {
  messages.end();
  ping.end();
  speed.end();
  showFacts();
});

$('connect').addEventListener('click', () => (link.wanted ? link.disconnect() : link.connect()));
$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  messages.send($('text').value);
  $('text').value = '';
});
$('file').addEventListener('change', async ({ target }) => {
  const [file] = target.files;
  target.value = '';
  if (file) await messages.file(file).catch((error) => new Row(file.name).say(error.message, 'bad'));
});
$('ping').addEventListener('click', () => ping.toggle());
$('speed').addEventListener('click', () => speed.toggle());
$('details').addEventListener('toggle', showFacts);
setInterval(showFacts, 2000);
addEventListener('pagehide', () => link.wanted && link.disconnect());

if (!('RTCPeerConnection' in globalThis)) {
  $('state').textContent = 'This browser has no WebRTC, or it is switched off.';
  $('connect').disabled = true;
  document.body.dataset.state = 'failed';
}
const step = clockStep();
if (step > 0.2 && step < 100) {
  $('clock').hidden = false;
  $('clock').textContent = `This browser’s clock has steps of ${milliseconds(step)}.`;
}

// For the console and the tests: what the page itself works with.
globalThis.millrace = { link, messages, ping, speed };
