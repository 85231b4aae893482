// SPDX-License-Identifier: Apache-2.0

// Report prints a line per case as it ends, and the tally.
export class Report {
  #passed = 0;
  #failed = 0;

  // run times `action`; what it throws fails the case, what it returns is added to the line.
  async run(name, action, seconds = 60) {
    const start = performance.now();
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000);
    });
    try {
      const words = await Promise.race([action(), late]);
      this.#line('ok', name, words ?? '', start);
      this.#passed++;
      return true;
    } catch (error) {
      this.#line('FAIL', name, `- ${error.message.split('\n')[0]}`, start);
      this.#failed++;
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  // add takes in the tally of another report.
  add(passed, failed) {
    this.#passed += passed;
    this.#failed += failed;
  }

  finish() {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    return this.#failed === 0 && this.#passed > 0 ? 0 : 1;
  }

  #line(status, name, words, start) {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${status} browser: ${name} (${seconds} s) ${words}`.trim());
  }
}

export function expect(condition, words) {
  if (!condition) throw new Error(words);
}
