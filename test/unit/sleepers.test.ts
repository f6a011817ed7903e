import { afterEach, expect, it, vi } from 'vitest';
import { createDuctape, defineFallback } from '../../src/index.ts';
import { virtualClock } from '../virtual-clock.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('what keeps a busy engine compiled needs nothing of the runtime, leaves no timer, and is no call of the engine', async () => {
  vi.stubGlobal('crypto', undefined);
  vi.stubGlobal('performance', undefined);
  const clock = virtualClock();
  const answers = defineFallback({ tag: 'x', providers: [{ name: 'a', run: () => 1 }] });
  const { fallback } = createDuctape({ env: 'e', product: 'p', nonce: 'n', clock, fallbacks: [answers] });
  for (let calls = 0; calls < 1_001; calls++) {
    const { output } = await fallback.run({ fallback_tag: 'x', action: 'trigger' });
    expect(output).toBe(1);
  }
  expect(clock.pending).toBe(0);
  expect(fallback.inspect({ fallback_tag: 'x' })).toMatchObject({ inFlight: 0 });
  expect(fallback.list()).toHaveLength(1);
  await fallback.close();
});
