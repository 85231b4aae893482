// SPDX-License-Identifier: Apache-2.0
import { RTCPeerConnection } from 'werift';
import { main } from '../js/main.mjs';
import { W3cPeer } from '../js/w3c.mjs';

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
