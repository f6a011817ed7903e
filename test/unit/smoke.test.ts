import { expect, it } from 'vitest';
import { createDuctape, defineFallback } from '../../src/index.ts';
import { virtualClock } from '../virtual-clock.ts';

it('answers', async () => {
  const d = createDuctape({
    env: 'e',
    product: 'p',
    clock: virtualClock(),
    fallbacks: [defineFallback({ tag: 'x', providers: [{ name: 'a', value: 1 }] })],
  });
  expect(await d.fallback.run({ fallback_tag: 'x', action: 'trigger' })).toMatchObject({
    output: 1,
    state: 'triggered',
  });
});
