// SPDX-License-Identifier: Apache-2.0
import dgram from 'node:dgram';
import { syncBuiltinESMExports } from 'node:module';
import { main } from '../js/main.mjs';
import { W3cPeer } from '../js/w3c.mjs';

// werift reads its sockets only as often as JavaScript comes round, and a burst overflows the default
// 208 KiB: after a FORWARD-TSN for what was lost its receiver may never deliver again.
const kSocketBytes = 4 << 20;
const { createSocket } = dgram;
dgram.createSocket = (type, listener) => {
  const options = typeof type === 'string' ? { type } : type;
  return createSocket({ recvBufferSize: kSocketBytes, ...options }, listener);
};
syncBuiltinESMExports();
const { RTCPeerConnection, RTCSctpTransport } = await import('werift');

// RFC 8832 §6: the DTLS client's streams are even. werift goes by the ICE role instead, which differs
// where the other side is ICE-lite and passive, and such a channel is reset.
const { start } = RTCSctpTransport.prototype;
RTCSctpTransport.prototype.start = function (port) {
  const started = start.call(this, port); // Sets the first id before it first waits.
  this.dataChannelId = this.dtlsTransport.role === 'client' ? 0 : 1;
  return started;
};

const kConfig = {
  iceServers: [],
  iceUseIpv6: false,
  iceAdditionalHostAddresses: ['127.0.0.1'],
  maxMessageSize: 262144,
};

await main({
  name: 'werift',
  maxSize: kConfig.maxMessageSize,
  empties: false, // It sends a chunk without data, which is no SCTP (RFC 9260 §3.3.1), not RFC 8831's empty message.
  settleMs: 1000, // It calls a channel closed before the other side's half is, and would use its id again.
  createPeer: (onChannel) => new W3cPeer(new RTCPeerConnection(kConfig), onChannel),
});
