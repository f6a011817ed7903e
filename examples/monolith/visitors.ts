import * as z from 'zod';
import type { Tell } from './timeline.ts';

const answerSchema = z
  .object({
    gateway: z.string(),
    message: z.string(),
    state: z.string(),
    failures: z.number(),
    revision: z.number(),
    retryAfter: z.number(),
    config: z.object({ maxRetries: z.number(), resetAfter: z.number(), fallbackProvider: z.string().optional() }),
  })
  .partial();

export type Answer = z.infer<typeof answerSchema> & { readonly status: number };

/** Those who come to the service over HTTP: customers, and an operator. Its address may change. */
export function visitorsOf(address: () => string, tell: Tell) {
  async function request(path: string, body?: unknown, signal: AbortSignal | null = null): Promise<Answer> {
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(address() + path, { ...sent, signal });
    return { ...answerSchema.parse(await response.json()), status: response.status };
  }

  return {
    /** A customer's order, and what came of it. */
    async order(orderId: string, card = 'full', signal?: AbortSignal): Promise<Answer> {
      tell('customer', `${orderId}: POST /checkout`);
      const answer = await request('/checkout', { orderId, amount: 42, card }, signal);
      tell('customer', `${orderId}: ${answer.status} ${answer.gateway ? `paid by ${answer.gateway}` : answer.message}`);
      return answer;
    },
    async update(input: Record<string, unknown>): Promise<Answer> {
      tell('operator', `POST /ops/update ${JSON.stringify(input)}`);
      const answer = await request('/ops/update', input);
      tell('operator', `${answer.status} ${answer.message ?? `${answer.state}, revision ${answer.revision}`}`);
      return answer;
    },
    async reset(): Promise<Answer> {
      tell('operator', 'POST /ops/reset');
      const answer = await request('/ops/reset', {});
      tell('operator', `${answer.status} ${answer.state}`);
      return answer;
    },
    async inspect(): Promise<Answer> {
      const answer = await request('/ops/inspect');
      tell(
        'operator',
        `GET /ops/inspect: ${answer.status} ${answer.state}, ${answer.failures} failed triggers in a row`,
      );
      return answer;
    },
  };
}
