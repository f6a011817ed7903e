import type { Host } from './host.ts';
import type { Address } from './machine-model.ts';
import { Choice } from './random.ts';

/** A call that makes no sense, and the code of the error that says so. */
export interface Nonsense {
  readonly code: string;
  make(host: Host, address: Address): unknown;
}

function run(code: string, action: 'trigger' | 'update' | 'reset', more: object): Nonsense {
  return { code, make: ({ api }, address) => api.run({ ...address, action, ...more }) };
}

const update = (input: Record<string, unknown>) => run('ERR_INVALID_CONFIG', 'update', { input });

/** What is refused before anything is touched. */
export const NONSENSE = new Choice<Nonsense>(
  [
    run('ERR_UNKNOWN_FALLBACK', 'trigger', { fallback_tag: 'paymnet' }),
    run('ERR_UNKNOWN_FALLBACK', 'reset', { fallback_tag: 'ledger', env: 'test' }),
    run('ERR_INVALID_REQUEST', 'trigger', { env: '' }),
    run('ERR_INVALID_REQUEST', 'trigger', { cache: '' }),
    run('ERR_INVALID_REQUEST', 'trigger', { tag: 'payment' }),
    run('ERR_INVALID_REQUEST', 'trigger', { input: 'text' }),
    run('ERR_INVALID_REQUEST', 'reset', { input: { key: true } }),
    run('ERR_SESSION', 'trigger', { session: { tag: 'unknown', token: 'token-0' } }),
    update({ maxRetries: -1 }),
    update({ maxRetries: 0, resetAfter: Number.NaN }),
    update({ maxRetries: 0, fallbackProvider: 'nobody' }),
    update({ maxRetries: 0, providers: { nobody: { retries: 1 } } }),
    update(JSON.parse('{ "maxRetries": 0, "__proto__": { "deadline": 1 } }')),
    {
      code: 'ERR_UNKNOWN_FALLBACK',
      make: ({ api }: Host) => api.wrap('paymnet', () => 'never called'),
    },
    {
      code: 'ERR_INVALID_REQUEST',
      make: ({ api }: Host, { fallback_tag: tag, ...place }: Address) =>
        api.call(tag, () => 'never called', { ...place, deadline: Number.NaN }),
    },
    { code: 'ERR_INVALID_SNAPSHOT', make: ({ api }: Host) => api.restore({ version: 1, takenAt: 0, machines: [{}] }) },
  ].map((nonsense): [number, Nonsense] => [1, nonsense]),
);
