import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createDuctape,
  EngineClosedError,
  FallbackError,
  FallbackExhaustedError,
  FallbackFailedError,
  type Listener,
  type UpdateInput,
} from 'ductape-fallback';
import * as z from 'zod';
import { listen, readJson, sendJson } from './http.ts';
import { CardDeclined, chargerOf, definePaymentFailure, orderSchema } from './payments.ts';

const FALLBACK = { fallback_tag: 'payment-failure' } as const;

interface Setup {
  readonly stripe: string;
  readonly paypal: string;
  readonly adyen: string;
  /** Where the state of the fallbacks outlives the process. */
  readonly snapshotFile: string;
  readonly listener: Listener;
}

type Route = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The monolith: one HTTP server, with the fallback engine inside it. */
export async function startCheckoutService({ snapshotFile, listener, ...gateways }: Setup) {
  const ductape = createDuctape({ env: 'prd', product: 'shop', fallbacks: [definePaymentFailure(gateways)] });
  ductape.fallback.on('*', listener);
  const saved: unknown = existsSync(snapshotFile) && JSON.parse(readFileSync(snapshotFile, 'utf8'));
  const { restored } = saved ? ductape.fallback.restore(saved) : { restored: 0 };

  // The risky call is Stripe's; whoever calls `pay` need not know what stands behind it.
  const pay = ductape.fallback.wrap('payment-failure', chargerOf('stripe', gateways.stripe), {
    input: (error, order) => ({ ...order, reason: String(error) }),
    signal: (_order, signal) => signal,
    id: (order) => order.orderId,
    timeout: 2_000,
  });

  const routes: Record<string, Route> = {
    async 'POST /checkout'(request, response) {
      const customer = new AbortController();
      response.on('close', () => customer.abort(new Error('the customer left')));
      const order = orderSchema.parse(await readJson(request));
      return pay(order, customer.signal, order.orderId);
    },
    async 'POST /ops/update'(request) {
      // Unchecked here: the engine refuses what it does not know, and says why.
      const input = (await readJson(request)) as UpdateInput<'paypal' | 'adyen'>;
      return ductape.fallback.run({ ...FALLBACK, action: 'update', input });
    },
    'POST /ops/reset': () => ductape.fallback.run({ ...FALLBACK, action: 'reset', input: { config: true } }),
    'GET /ops/inspect': () => ductape.fallback.inspect(FALLBACK),
  };

  const server = createServer(async (request, response) => {
    const route = routes[`${request.method} ${request.url}`];
    if (!route) return sendJson(response, 404, { message: 'no such page' });
    try {
      sendJson(response, 200, await route(request, response));
    } catch (error) {
      const body = error instanceof FallbackError ? error : { message: String(error) };
      sendJson(response, statusOf(error), body, retryHeader(error));
    }
  });

  return {
    url: await listen(server),
    /** How many fallbacks it remembers from before. */
    restored,
    /** Lets the orders in flight finish, then writes down how the fallbacks are doing. */
    async stop() {
      const closed = once(server, 'close');
      server.close();
      await ductape.fallback.close({ grace: 2_000 });
      writeFileSync(snapshotFile, JSON.stringify(ductape.fallback.snapshot()));
      await closed;
    },
  };
}

function statusOf(error: unknown): number {
  if (error instanceof CardDeclined) return 402;
  if (error instanceof FallbackFailedError) return 502;
  if (error instanceof FallbackExhaustedError || error instanceof EngineClosedError) return 503;
  // The engine's other errors, and zod's, say what was wrong with the request.
  return error instanceof FallbackError || error instanceof z.ZodError ? 400 : 500;
}

function retryHeader(error: unknown): Record<string, string> {
  if (!(error instanceof FallbackExhaustedError) || error.retryAfter === undefined) return {};
  return { 'retry-after': String(Math.ceil(error.retryAfter / 1_000)) };
}
