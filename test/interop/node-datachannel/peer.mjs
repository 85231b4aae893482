// SPDX-License-Identifier: Apache-2.0
import nodeDataChannel from 'node-datachannel';
import { main } from '../js/main.mjs';

class Channel {
  constructor(channel, onOpen) {
    this.channel = channel;
    this.label = channel.getLabel();
    this.protocol = channel.getProtocol();
    this.onMessage = () => {};
    this.onOpen = () => {};
    this.onClose = () => {};
    channel.onOpen(() => {
      onOpen();
      this.onOpen();
    });
    channel.onClosed(() => this.onClose());
    channel.onMessage((data) => this.onMessage(typeof data === 'string', Buffer.from(data)));
  }

  opened(callback) {
    if (this.channel.isOpen()) callback();
    else this.onOpen = callback;
  }

  send(text, bytes) {
    if (text) this.channel.sendMessage(bytes.toString());
    else this.channel.sendMessageBinary(bytes);
  }

  buffered() {
    return this.channel.bufferedAmount();
  }

  close() {
    this.channel.close();
  }
}

class Peer {
  constructor(onChannel) {
    const config = {
      iceServers: [],
      bindAddress: '127.0.0.1',
      maxMessageSize: kMaxSize,
      disableAutoNegotiation: true,
      // It starts ICE before it has noted the fingerprint of the description that it is given: on a busy
      // machine the handshake is over first and fails. `#verify` does it in time.
      disableFingerprintVerification: true,
    };
    this.connection = new nodeDataChannel.PeerConnection('peer', config);
    this.channels = new Set(); // The library ends a channel that nobody refers to.
    this.gathered = new Promise((resolve) => {
      this.connection.onGatheringStateChange((state) => state === 'complete' && resolve());
    });
    this.connection.onDataChannel((channel) => onChannel(this.#keep(channel)));
  }

  createChannel(label, { ordered, reliable }) {
    const init = reliable ? { unordered: !ordered } : { unordered: !ordered, maxRetransmits: 0 };
    return this.#keep(this.connection.createDataChannel(label, init));
  }

  async offer() {
    this.connection.setLocalDescription('offer');
    await this.gathered;
    return this.connection.localDescription().sdp;
  }

  async setAnswer(sdp) {
    this.connection.setRemoteDescription(sdp, 'answer');
  }

  async answer(sdp) {
    this.connection.setRemoteDescription(sdp, 'offer');
    this.connection.setLocalDescription('answer');
    await this.gathered;
    return this.connection.localDescription().sdp;
  }

  close() {
    this.connection.close();
  }

  #verify() {
    const { value } = this.connection.remoteFingerprint();
    if (this.connection.remoteDescription().sdp.toUpperCase().includes(value.toUpperCase())) return;
    process.stderr.write(`node-datachannel: the peer has another certificate: ${value}\n`);
    process.exit(1);
  }

  #keep(channel) {
    const kept = new Channel(channel, () => this.#verify());
    this.channels.add(kept);
    return kept;
  }
}

const kMaxSize = 262144; // The library's default; a larger message is refused with an error.

await main({ name: 'node-datachannel', maxSize: kMaxSize, empties: true, createPeer: (onChannel) => new Peer(onChannel) });
