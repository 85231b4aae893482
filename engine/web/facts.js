// SPDX-License-Identifier: Apache-2.0
const kVersions = { FEFF: 'DTLS 1.0', FEFD: 'DTLS 1.2', FEFC: 'DTLS 1.3' };

async function facts(session) {
  const stats = [...(await session.pc.getStats()).values()];
  const transport = stats.find(({ type }) => type === 'transport');
  const pair = stats.find(({ id }) => id === transport?.selectedCandidatePairId)
    ?? stats.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
  const remote = stats.find(({ id }) => id === pair?.remoteCandidateId);
  const address = remote?.address ?? remote?.ip;
  return {
    Server: address ? `${address.includes(':') ? `[${address}]` : address}, UDP port ${remote.port}` : null,
    Security: [kVersions[transport?.tlsVersion], transport?.dtlsCipher?.replace(/^TLS_/, '').replaceAll('_', ' ')].filter(Boolean).join(', '),
    Channels: `${stats.filter(({ type, state }) => type === 'data-channel' && state === 'open').length} open`,
    'Largest message': Number.isFinite(session.pc.sctp?.maxMessageSize) ? size(session.pc.sctp.maxMessageSize) : null,
    Sent: pair?.bytesSent === undefined ? null : size(pair.bytesSent),
    Received: pair?.bytesReceived === undefined ? null : size(pair.bytesReceived),
  };
}

async function showFacts() {
  if (!$('details').open) return;
  const list = link.session ? await facts(link.session) : { State: 'Not connected' };
  $('facts').replaceChildren(...Object.entries(list).filter(([, value]) => value).map(([name, value]) => {
    const item = document.createElement('div');
    item.append(document.createElement('dt'), document.createElement('dd'));
    [item.firstChild.textContent, item.lastChild.textContent] = [name, value];
    return item;
  }));
}
