import type { Backoff, StandardSchema } from '../index.ts';

/** A provider as its user wrote it. */
export interface RawProvider {
  readonly name: string;
  readonly run?: unknown;
  readonly value?: unknown;
  readonly lastGood?: Remembering;
  readonly retries?: number;
  readonly backoff?: Backoff;
  readonly timeout?: number | null;
  readonly when?: unknown;
  readonly accept?: (output: unknown) => unknown;
  readonly idempotent?: boolean;
  readonly hedge?: number;
  readonly concurrency?: number;
  readonly breaker?: { readonly failures: number; readonly cooldown: number };
  readonly healthcheck?: { readonly check: unknown; readonly interval: number; readonly timeout?: number };
  readonly inDoubt?: 'next' | 'stop' | 'verify';
  readonly inDoubtWhen?: unknown;
  readonly verify?: unknown;
  readonly compensate?: unknown;
  readonly compensateRetries?: number;
}

interface Remembering {
  readonly maxAge: number;
  key?(input: unknown): unknown;
}

/** A definition as its user wrote it. */
export interface RawDefinition {
  readonly tag: string;
  readonly providers: readonly RawProvider[];
  readonly input?: StandardSchema;
  readonly output?: StandardSchema;
  readonly maxRetries?: number;
  readonly fallbackProvider?: string;
  readonly resetAfter?: number | 'never' | null;
  readonly deadline?: number;
  readonly handle?: unknown;
  readonly env?: unknown;
  readonly product?: unknown;
  readonly session?: 'optional' | 'required';
  readonly retryBudget?: { readonly ratio: number; readonly minPerSecond: number };
  readonly reuse?: Remembering;
  readonly whenAllUnhealthy?: 'try' | 'fail';
}

/** What a provider may have on its class rather than on itself. */
const INHERITED = [
  'name',
  'retries',
  'timeout',
  'backoff',
  'when',
  'accept',
  'shouldRetry',
  'idempotent',
  'hedge',
  'concurrency',
  'breaker',
  'healthcheck',
  'inDoubt',
  'inDoubtWhen',
  'verify',
  'compensate',
  'compensateRetries',
];

/** A copy whose functions keep the provider they were written on as their `this`. */
export function owned<P extends { readonly name: string }>(provider: P): P {
  const fields = [...INHERITED, ...Object.keys(provider)].map((key) => {
    const field = (provider as unknown as Record<string, unknown>)[key];
    return [key, typeof field === 'function' ? field.bind(provider) : field] as const;
  });
  return Object.fromEntries(fields.filter(([key, field]) => field !== undefined || key === 'value')) as P;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
