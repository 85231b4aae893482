// SPDX-License-Identifier: Apache-2.0
import wrtc from '@roamhq/wrtc';
import { main } from '../js/main.mjs';
import { W3cPeer } from '../js/w3c.mjs';

await main({
  name: 'roamhq-wrtc',
  maxSize: 262144, // One more byte loses the message and closes the channel.
  empties: true,
  createPeer: (onChannel) => new W3cPeer(new wrtc.RTCPeerConnection({ iceServers: [] }), onChannel),
});
