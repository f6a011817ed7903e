import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDuctape, defineFallback, FallbackExhaustedError } from '../../src/index.ts';
import { RUNS, settled, virtualClock } from '../virtual-clock.ts';

const TAG = 'raced';

it('of any triggers that race for a probe, one calls a provider, in whatever order their checks are done', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), async (scheduler, racers) => {
      const clock = virtualClock();
      let isDown = true;
      let calls = 0;
      const fallback = defineFallback({
        tag: TAG,
        maxRetries: 0,
        resetAfter: 100,
        providers: [
          {
            name: 'only',
            run: () => {
              calls++;
              return isDown ? Promise.reject(new Error('down')) : scheduler.schedule(Promise.resolve('up'));
            },
          },
        ],
      });
      const verify = (token: string) => scheduler.schedule(Promise.resolve(token), `verify ${token}`);
      const { fallback: engine } = createDuctape({
        env: 'e',
        product: 'p',
        clock,
        sessions: { s: verify },
        fallbacks: [fallback] as const,
      });
      await engine.run({ fallback_tag: TAG, action: 'trigger' }).catch(() => {});
      await clock.advance(100);
      [isDown, calls] = [false, 0];
      const ends = Array.from({ length: racers }, (_, index) =>
        engine.run({ fallback_tag: TAG, action: 'trigger', session: { tag: 's', token: `t${index}` } }).then(
          () => 'answered',
          (error) => (error instanceof FallbackExhaustedError ? 'refused' : 'failed'),
        ),
      );
      const outcomes = await scheduler.waitFor(Promise.all(ends));
      const answered = outcomes.filter((outcome) => outcome === 'answered').length;
      expect(outcomes).not.toContain('failed');
      expect(calls).toBe(answered);
      expect(answered).toBeGreaterThanOrEqual(1);
      expect(engine.inspect({ fallback_tag: TAG })).toMatchObject({ state: 'triggered', failures: 0, inFlight: 0 });
    }),
    { numRuns: RUNS },
  );
});

it('an old outcome undoes neither a reset nor what has happened since, in whatever order answers arrive', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
      async (scheduler, fates) => {
        const clock = virtualClock();
        const fallback = defineFallback({
          tag: TAG,
          maxRetries: 0,
          resetAfter: 'never',
          providers: [
            {
              name: 'only',
              run: (input: Record<string, unknown>) =>
                scheduler.schedule(Promise.resolve()).then(() => {
                  if (!input.isGood) throw new Error('down');
                }),
            },
          ],
        });
        const { fallback: engine } = createDuctape({ env: 'e', product: 'p', clock, fallbacks: [fallback] as const });
        const ends = fates.map((isGood) =>
          engine.run({ fallback_tag: TAG, action: 'trigger', input: { isGood } }).catch(() => {}),
        );
        await settled();
        await engine.run({ fallback_tag: TAG, action: 'reset' });
        await scheduler.waitFor(Promise.all(ends));
        expect(engine.inspect({ fallback_tag: TAG })).toMatchObject({
          state: 'idle',
          failures: 0,
          inFlight: 0,
          triggers: fates.length,
          recoveries: fates.filter(Boolean).length,
        });
      },
    ),
    { numRuns: RUNS },
  );
});

it('close, abort, answer and timeout may meet in any order: the call settles once and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.constantFrom(0, 5), async (scheduler, grace) => {
      const clock = virtualClock();
      const controller = new AbortController();
      const fallback = defineFallback({
        tag: TAG,
        providers: [
          {
            name: 'only',
            timeout: 5,
            retries: 1,
            backoff: 1,
            run: () => scheduler.schedule(Promise.resolve('answer'), 'answer'),
          },
        ],
      });
      const { fallback: engine } = createDuctape({ env: 'e', product: 'p', clock, fallbacks: [fallback] as const });
      let settlements = 0;
      const count = () => void settlements++;
      engine.run({ fallback_tag: TAG, action: 'trigger' }, { signal: controller.signal }).then(count, count);
      const events = ['abort', 'close', 'time', 'time'].map((name) => scheduler.schedule(Promise.resolve(name), name));
      const closed: Promise<void>[] = [];
      for (const event of events) {
        event.then((name) => {
          if (name === 'abort') controller.abort(new Error('abort'));
          else if (name === 'close') closed.push(engine.close({ grace }));
          else closed.push(clock.advance(6));
        });
      }
      await scheduler.waitAll();
      await clock.runUntilIdle();
      await Promise.all(closed);
      expect(settlements).toBe(1);
      expect(clock.pending).toBe(0);
    }),
    { numRuns: RUNS },
  );
});
