// SPDX-License-Identifier: Apache-2.0
// A stack whose objects have the form of the W3C's API.

const kLoopback = '127.0.0.1';

// Only loopback over UDP: no path may depend on the addresses of the machine.
export function loopbackOnly(sdp) {
  const keep = (line) => !line.startsWith('a=candidate:') || / udp \d+ 127\.0\.0\.1 /i.test(line);
  return sdp.split('\r\n').filter(keep).join('\r\n').replace(/^c=IN IP4 .*$/m, `c=IN IP4 ${kLoopback}`);
}

class W3cChannel {
  constructor(channel) {
    this.channel = channel;
    this.onMessage = () => {};
    this.onClose = () => {};
    channel.binaryType = 'arraybuffer';
    channel.onclose = () => this.onClose();
    channel.onmessage = ({ data }) => this.onMessage(typeof data === 'string', Buffer.from(data));
  }

  get label() {
    return this.channel.label;
  }

  get protocol() {
    return this.channel.protocol;
  }

  // Polled: @roamhq/wrtc raises no event for a channel that opens within its own creation.
  opened(callback) {
    if (this.channel.readyState === 'open') callback();
    else if (this.channel.readyState === 'connecting') setTimeout(() => this.opened(callback), 5);
  }

  send(text, bytes) {
    this.channel.send(text ? bytes.toString() : bytes);
  }

  buffered() {
    return this.channel.bufferedAmount;
  }

  close() {
    this.channel.close();
  }
}

export class W3cPeer {
  constructor(connection, onChannel) {
    this.connection = connection;
    connection.ondatachannel = ({ channel }) => onChannel(new W3cChannel(channel));
  }

  createChannel(label, { ordered, reliable }) {
    return new W3cChannel(this.connection.createDataChannel(label, reliable ? { ordered } : { ordered, maxRetransmits: 0 }));
  }

  async offer() {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    return this.#gathered();
  }

  async setAnswer(sdp) {
    await this.connection.setRemoteDescription({ type: 'answer', sdp });
  }

  async answer(sdp) {
    await this.connection.setRemoteDescription({ type: 'offer', sdp });
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    return this.#gathered();
  }

  close() {
    this.connection.close();
  }

  async #gathered() {
    const { connection } = this;
    while (connection.iceGatheringState !== 'complete') {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return loopbackOnly(connection.localDescription.sdp);
  }
}
