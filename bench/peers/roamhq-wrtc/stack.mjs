// SPDX-License-Identifier: Apache-2.0
import wrtc from '@roamhq/wrtc';

export const kMaxMessage = 262144;
export const kHighWater = 2 << 20; // libwebrtc closes a channel that has 16 MiB in its buffer.
export const kLowWater = 1 << 20;

export function connect() {
  return new wrtc.RTCPeerConnection({ iceServers: [] });
}

export function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

// Only one host over UDP: the library has no setting for it.
export function only(host, sdp) {
  const wanted = new RegExp(` udp \\d+ ${host.replaceAll('.', '\\.')} `, 'i');
  const keep = (line) => !line.startsWith('a=candidate:') || wanted.test(line);
  return sdp.split('\r\n').filter(keep).join('\r\n').replace(/^c=IN IP4 .*$/m, `c=IN IP4 ${host}`);
}

// described makes a description the local one and returns it as soon as the host's candidate is in it.
export async function described(connection, host, description) {
  const gathered = new Promise((resolve) => {
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate || (candidate.protocol === 'udp' && candidate.address === host)) resolve();
    };
  });
  await connection.setLocalDescription(description);
  await gathered;
  return only(host, connection.localDescription.sdp);
}

// opened waits until a channel is open. Its state is read too: the library raises no event for a channel
// that opens while it is being created.
export async function opened(channel) {
  let timer;
  await new Promise((resolve, reject) => {
    const check = () => {
      if (channel.readyState === 'open') resolve();
      else if (channel.readyState !== 'connecting') reject(new Error('a channel did not open'));
    };
    channel.onopen = resolve;
    timer = setInterval(check, 20);
    check();
  }).finally(() => clearInterval(timer));
}
