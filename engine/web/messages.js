// SPDX-License-Identifier: Apache-2.0
// Row is one line of the log: what was sent, and what became of it.
class Row {
  constructor(what, plain = true) {
    const item = document.createElement('li');
    const body = document.createElement(plain ? 'b' : 'i');
    body.textContent = what;
    this.outcome = document.createElement('span');
    item.append(body, ' ', this.outcome);
    $('log').append(item);
    while ($('log').children.length > kLogRows) $('log').firstChild.remove();
    $('log').scrollTop = $('log').scrollHeight;
  }

  say(words, kind = '') {
    this.outcome.textContent = words;
    this.outcome.className = kind;
  }
}

// Messages sends over the session's reliable, ordered echo channel: echoes come in the order sent.
class Messages {
  #waiting = [];

  attach(channel) {
    channel.addEventListener('message', ({ data }) => this.#echoed(data));
  }

  send(data) {
    const row = typeof data !== 'string' ? new Row(`${size(data.byteLength)} of binary`, false)
      : data === '' ? new Row('An empty message', false) : new Row(data);
    const { echo, pc } = link.session;
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data).length : data.byteLength;
    const most = pc.sctp?.maxMessageSize || Infinity;
    if (bytes > most) return row.say(`Not sent: the server takes at most ${size(most)} a message.`, 'bad');
    try {
      echo.send(data);
    } catch (error) {
      return row.say(`Not sent: ${error.message}`, 'bad');
    }
    row.say('Sent, waiting for the echo…');
    this.#waiting.push({ data, bytes, row, start: performance.now() });
  }

  // file sends a file in pieces over a channel of its own; each is compared when it comes back.
  async file(file) {
    const row = new Row(file.name);
    const channel = await link.session.opened('echo-file');
    const waiting = [];
    let [sent, back] = [0, 0];
    let intact = true;
    channel.addEventListener('message', ({ data }) => {
      const piece = waiting.shift();
      intact &&= piece !== undefined && same(piece, data);
      back += data.byteLength;
    });
    const start = performance.now();
    while (back < file.size && intact && channel.readyState === 'open') {
      if (sent < file.size && sent - back < kQueueBytes) {
        const piece = await file.slice(sent, sent + kPieceBytes).arrayBuffer();
        if (channel.readyState !== 'open') break;
        channel.send(piece);
        waiting.push(piece);
        sent += piece.byteLength;
      } else {
        await once(channel, ['message', 'close'], 1000);
      }
      row.say(`${size(back)} of ${size(file.size)} echoed`);
    }
    const ms = performance.now() - start;
    channel.close();
    if (!intact) return row.say('Came back damaged.', 'bad');
    if (back < file.size) return row.say('The connection ended before it was all back.', 'bad');
    row.say(`${size(back)} echoed unchanged in ${milliseconds(ms)}`, 'good');
  }

  end() {
    for (const { row } of this.#waiting.splice(0)) row.say('The connection ended before the echo came.', 'bad');
  }

  #echoed(data) {
    const message = this.#waiting.shift();
    if (!message) return new Row('A message that was not sent from here', false).say('', 'bad');
    const ms = performance.now() - message.start;
    if (same(message.data, data)) message.row.say(`${size(message.bytes)} echoed unchanged in ${milliseconds(ms)}`, 'good');
    else message.row.say('Came back damaged.', 'bad');
  }
}
