import * as z from 'zod';
import { createDuctape, defineFallback, type StandardSchema } from '../../../../dist/index.js';
import { type AbortableWork, rejects, type Work } from '../work.ts';

export const NAME = 'ductape-fallback';

/** No wait that begins in a run ends in it. */
const LONG = 2_147_483_647;

const INPUT = { orderId: '12345', reason: 'gateway_timeout' };

const ORDER = z.object({ orderId: z.string(), reason: z.string(), attemptedProvider: z.string().optional() });

/** As the documentation has it, made anew by each call. */
const order = () => ({ orderId: '12345', reason: 'gateway_timeout', attemptedProvider: 'stripe' });

const providersOf = (works: readonly Work[]) => works.map((run, index) => ({ name: `provider-${index}`, run }));

/** The primary with its providers behind it. */
export function wrapped(primary: Work, ...providers: readonly Work[]): () => Promise<unknown> {
  const definition = defineFallback({ tag: 'payment-failure', providers: providersOf(providers) });
  const { fallback } = createDuctape({ env: 'prd', product: 'payments', fallbacks: [definition] });
  return fallback.wrap('payment-failure', primary, { input: () => INPUT });
}

/** The documented call: every field checked. */
export function triggered(...providers: readonly Work[]): () => Promise<unknown> {
  return trigger({ providers: providersOf(providers) });
}

/** The input checked against a schema, too. */
export function triggeredWithSchema(...providers: readonly Work[]): () => Promise<unknown> {
  return trigger({ providers: providersOf(providers), input: ORDER });
}

/** The same schema asked by hand, before another library is called. */
export function parsedBefore(call: Work): Work {
  return () => {
    ORDER.parse(order());
    return call();
  };
}

/** Each provider with a timeout, reading the signal that would end it. */
export function triggeredWithin(timeout: number, ...works: readonly AbortableWork[]): () => Promise<unknown> {
  const providers = works.map((work, index) => ({
    name: `provider-${index}`,
    run: (_input: unknown, { signal }: { signal: AbortSignal }) => work(signal),
    timeout,
  }));
  return trigger({ providers });
}

/** One that has failed more often than it may. */
export async function exhausted(): Promise<() => Promise<unknown>> {
  const call = trigger({ providers: providersOf([rejects]), maxRetries: 0, resetAfter: LONG });
  await call().catch(() => {});
  return call;
}

interface Policy {
  readonly providers: Parameters<typeof defineFallback>[0]['providers'];
  readonly input?: StandardSchema<Record<string, unknown>, unknown>;
  readonly maxRetries?: number;
  readonly resetAfter?: number;
}

function trigger(policy: Policy): () => Promise<unknown> {
  const definition = defineFallback({ tag: 'payment-failure', ...policy });
  const { fallback } = createDuctape({ fallbacks: [definition] });
  return () =>
    fallback.run({
      env: 'prd',
      product: 'payments',
      fallback_tag: 'payment-failure',
      action: 'trigger',
      input: order(),
    });
}

/** What `run` answers. */
export function outputOf(result: unknown): unknown {
  return (result as { readonly output?: unknown } | undefined)?.output;
}
