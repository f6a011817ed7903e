import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

// The engine is called once more at the end: one that nobody can call again is garbage itself, and what was compiled for it.
const CALLS = `
const { createDuctape, defineFallback } = await import(${JSON.stringify(pathToFileURL('dist/index.js').href)});
const answers = defineFallback({ tag: 'x', providers: [{ name: 'a', run: async () => 1 }] });
const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: [answers] });
const wrapped = fallback.wrap('x', () => Promise.reject(new Error('down')));
for (let calls = 0; calls < 20_000; calls++) {
  await fallback.run({ fallback_tag: 'x', action: 'trigger' });
  await wrapped({});
}
console.log('quiet');
for (let times = 0; times < 2; times++) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  gc();
}
console.log('again');
await fallback.run({ fallback_tag: 'x', action: 'trigger' });
await wrapped({});
`;

// An engine that keeps nothing loses more than fifty compiled functions here, on every version of Node that is supported.
it('garbage that is collected while nobody calls takes no compiled code with it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ductape-fallback-quiet-'));
  try {
    const file = join(folder, 'calls.mjs');
    await writeFile(file, CALLS);
    const flags = ['--expose-gc', '--trace-deopt', file];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { maxBuffer: 2 ** 26 });
    const [, between, end] = stdout.split(/^(?:quiet|again)$/m);
    expect(end).toBeDefined();
    expect([...(between ?? '').matchAll(/reason: (embedded )?weak objects/g)].length).toBeLessThan(10);
  } finally {
    await rm(folder, { recursive: true });
  }
});
