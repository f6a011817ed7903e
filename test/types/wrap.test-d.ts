import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { createDuctape, defineFallback } from '../../src/index.ts';

interface Order {
  id: string;
  total: number;
}
interface Receipt {
  paid: number;
}

const payment = defineFallback({
  tag: 'payment-failure',
  input: z.object({ orderId: z.string(), reason: z.string().optional() }),
  providers: [{ name: 'queue', value: { status: 'queued' } }],
});
const page = defineFallback({ tag: 'page-failure', providers: [{ name: 'static', value: '<p>' }] });
const { wrap, call } = createDuctape({ fallbacks: [payment, page] }).fallback;
type Queued = { status: string };

declare function charge(order: Order, retry?: boolean): Promise<Receipt>;
declare function capture(request: { orderId: string }): Receipt;
declare function noArguments(): number;

describe('wrap', () => {
  it('keeps the arguments, and joins the result with the output', () => {
    const wrapped = wrap('payment-failure', charge, {
      input: (error, order, retry) => {
        expectTypeOf(error).toBeUnknown();
        expectTypeOf(order).toEqualTypeOf<Order>();
        expectTypeOf(retry).toEqualTypeOf<boolean | undefined>();
        return { orderId: order.id, reason: String(error) };
      },
    });
    expectTypeOf(wrapped).parameters.toEqualTypeOf<Parameters<typeof charge>>();
    expectTypeOf(wrapped).returns.toEqualTypeOf<Promise<Receipt | Queued>>();
    // @ts-expect-error an order is required
    void wrapped();
  });

  it('keeps arguments that its options do not ask for', () => {
    const wrapped = wrap('payment-failure', charge, { input: (_error, order) => ({ orderId: order.id }) });
    void wrapped({ id: '1', total: 5 });
    void wrapped({ id: '1', total: 5 }, true);
    expectTypeOf(wrapped).parameter(1).toEqualTypeOf<boolean | undefined>();
    // @ts-expect-error a boolean
    void wrapped({ id: '1', total: 5 }, 'yes');
    const open = createDuctape().fallback.wrap('any', charge, { cache: (order) => order.id, input: () => ({}) });
    void open({ id: '1', total: 5 }, true);
  });

  it('takes any object for the input of a fallback without a schema, an interface too', () => {
    expectTypeOf(wrap('page-failure', charge)).parameters.toEqualTypeOf<Parameters<typeof charge>>();
    // @ts-expect-error a list is no input
    wrap('page-failure', (_orders: Order[]) => 1);
    // @ts-expect-error a text is none either
    wrap('page-failure', (_id: string) => 1);
    // @ts-expect-error nor is an order where a schema asks for something else
    wrap('payment-failure', charge);
  });

  it('keeps rest arguments', () => {
    const joined = wrap('page-failure', (first: { a: string }, ...rest: number[]) => first.a + rest.join());
    expectTypeOf(joined).parameters.toEqualTypeOf<[first: { a: string }, ...rest: number[]]>();
  });

  it('keeps `this`', () => {
    class Gateway {
      readonly key = 'k';
      charge(this: Gateway, request: { orderId: string }): string {
        return this.key + request.orderId;
      }
    }
    const wrapped = wrap('payment-failure', Gateway.prototype.charge);
    expectTypeOf(wrapped).thisParameter.toEqualTypeOf<Gateway>();
    expectTypeOf(wrapped.call(new Gateway(), { orderId: '1' })).toEqualTypeOf<Promise<string | Queued>>();
    // @ts-expect-error `this` is not a Gateway
    void wrapped.call({}, { orderId: '1' });
  });

  it('needs no input where the first argument fits', () => {
    expectTypeOf(wrap('payment-failure', capture)).returns.toEqualTypeOf<Promise<Receipt | Queued>>();
    wrap('payment-failure', capture, { timeout: 5 });
    expectTypeOf(wrap('page-failure', noArguments)).returns.toEqualTypeOf<Promise<number | string>>();
  });

  it('needs an input where the first argument does not fit', () => {
    // @ts-expect-error an Order is no input
    wrap('payment-failure', charge);
    // @ts-expect-error options without it
    wrap('payment-failure', charge, { timeout: 5 });
    // @ts-expect-error not undefined either
    wrap('payment-failure', charge, { input: undefined });
    // @ts-expect-error no argument at all
    wrap('payment-failure', noArguments);
    // @ts-expect-error the argument may be missing
    wrap('payment-failure', (request?: { orderId: string }) => request);
    // @ts-expect-error the first argument is a text
    wrap('page-failure', (text: string) => text.length, { input: (_error, text) => text });
  });

  it('checks the input that is made', () => {
    // @ts-expect-error orderId is a string
    wrap('payment-failure', charge, { input: (_error, order) => ({ orderId: order.total }) });
    // @ts-expect-error orderId is missing
    wrap('payment-failure', charge, { input: () => ({}) });
  });

  it('takes each option as a value or made of the arguments', () => {
    wrap('payment-failure', capture, {
      env: 'e',
      product: ({ orderId }) => orderId,
      cache: ({ orderId }) => orderId,
      session: () => ({ tag: 't', token: 's' }),
      signal: () => undefined,
      id: 'mine',
      deadline: () => 5,
      timeout: 5,
      handle: (error) => error instanceof Error,
    });
    // @ts-expect-error a text
    wrap('payment-failure', capture, { cache: () => 5 });
    // @ts-expect-error no such option
    wrap('payment-failure', capture, { retries: 5 });
    // @ts-expect-error no such tag
    wrap('payments', capture);
  });

  it('gives unknown, not any, where the primary gives any', () => {
    expectTypeOf(wrap('page-failure', (input: { text: string }) => JSON.parse(input.text))).returns.toEqualTypeOf<
      Promise<unknown>
    >();
    expectTypeOf(
      wrap('page-failure', async (response: Response) => response.json(), { input: () => ({}) }),
    ).returns.resolves.toBeUnknown();
  });
});

describe('call', () => {
  it('hands its primary a signal and an id, and joins the result with the output', () => {
    const result = call(
      'payment-failure',
      (context) => {
        expectTypeOf(context).toEqualTypeOf<{ readonly signal: AbortSignal; readonly id: string }>();
        return 7n;
      },
      { input: { orderId: '1' }, timeout: 800, signal: AbortSignal.timeout(5), deadline: 9, id: 'mine', cache: 'k' },
    );
    expectTypeOf(result).toEqualTypeOf<Promise<bigint | Queued>>();
  });

  it('may leave out options where no input is required', () => {
    expectTypeOf(call('page-failure', async () => 1)).toEqualTypeOf<Promise<number | string>>();
    expectTypeOf(call('page-failure', () => JSON.parse('1'))).toEqualTypeOf<Promise<unknown>>();
  });

  it('is refused with a missing or a wrong input, option or tag', () => {
    // @ts-expect-error input is missing
    void call('payment-failure', () => 1);
    // @ts-expect-error input is missing
    void call('payment-failure', () => 1, { timeout: 5 });
    // @ts-expect-error orderId is a string
    void call('payment-failure', () => 1, { input: { orderId: 1 } });
    // @ts-expect-error no such option
    void call('page-failure', () => 1, { retries: 1 });
    // @ts-expect-error no such tag
    void call('pages', () => 1);
    // @ts-expect-error no such thing in the context
    void call('page-failure', ({ attempt }) => attempt);
  });
});
