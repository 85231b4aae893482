// SPDX-License-Identifier: Apache-2.0
// A worker that says when messages are due: timers of Node's own loop are precise to a millisecond only.
import { parentPort, workerData } from 'node:worker_threads';

const { rate, start, to } = workerData; // Milliseconds since the epoch.
const never = new Int32Array(new SharedArrayBuffer(4));

const now = () => performance.timeOrigin + performance.now();
for (let index = 0; start + (index * 1000) / rate < to; index++) {
  const at = start + (index * 1000) / rate;
  for (let left = at - now(); left > 0; left = at - now()) Atomics.wait(never, 0, 0, left);
  parentPort.postMessage(index);
}
