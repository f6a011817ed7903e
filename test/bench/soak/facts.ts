import type { Backoff } from '../../../dist/index.js';

/** One provider of a soaked fallback, as data: the definition and the model are both made of it. */
export interface ProviderFacts {
  readonly name: string;
  readonly retries: number;
  /** `undefined`: the engine's. */
  readonly timeout?: number;
  /** `'own'`: a function that at times throws or answers nonsense. */
  readonly backoff?: Backoff | 'own';
  readonly asksWhen?: true;
  readonly asksAccept?: true;
  readonly asksShouldRetry?: true;
  /** A last resort that never fails: a falsy one. */
  readonly value?: 0;
}

export interface FallbackFacts {
  readonly tag: string;
  readonly envs?: readonly string[];
  readonly maxRetries: number;
  readonly resetAfter: number | 'never';
  readonly deadline?: number;
  readonly fallbackProvider?: string;
  readonly providers: readonly ProviderFacts[];
  /** Whether the definition has a schema of that kind, and whether it answers at once. */
  readonly input?: 'sync' | 'async';
  readonly output?: 'sync' | 'async';
  /** Its own setting `limit`, of this default. */
  readonly limit?: number;
  readonly hasHandle?: true;
}

/** The timeout of providers that name none. */
export const ENGINE_TIMEOUT = 70;
export const ENVS: readonly string[] = ['dev', 'staging', 'prd'];
export const PRODUCTS: readonly string[] = ['payments', 'checkout', 'search', 'mail'];

/** Short times and few retries, so that every state is reached often. Each way to configure a fallback occurs. */
export const FALLBACKS: readonly FallbackFacts[] = [
  {
    tag: 'payment',
    maxRetries: 2,
    resetAfter: 400,
    hasHandle: true,
    providers: [
      { name: 'stripe', retries: 1, timeout: 40, backoff: 5, asksWhen: true },
      { name: 'paypal', retries: 2, timeout: 60, backoff: { initialDelay: 4, maxDelay: 30 } },
    ],
  },
  {
    tag: 'search',
    maxRetries: 0,
    resetAfter: 250,
    deadline: 150,
    output: 'sync',
    providers: [
      { name: 'near', retries: 2, timeout: 30, backoff: { initialDelay: 3, maxDelay: 40, jitter: 'decorrelated' } },
      { name: 'far', retries: 0, timeout: 50 },
      { name: 'index', retries: 1, timeout: 50, backoff: { initialDelay: 10, factor: 3, jitter: 'none' } },
    ],
  },
  {
    tag: 'mail',
    maxRetries: 5,
    resetAfter: 800,
    input: 'async',
    hasHandle: true,
    providers: [
      { name: 'smtp', retries: 3, timeout: 25, backoff: 'own', asksShouldRetry: true },
      { name: 'relay', retries: 1, timeout: 35, backoff: 2, asksAccept: true },
    ],
  },
  {
    tag: 'catalogue',
    maxRetries: 1,
    resetAfter: 300,
    input: 'sync',
    hasHandle: true,
    providers: [
      { name: 'live', retries: 0, timeout: 30, asksWhen: true },
      { name: 'mirror', retries: 1, timeout: 30, backoff: 0, asksShouldRetry: true },
      { name: 'stale', retries: 0, value: 0 },
    ],
  },
  {
    tag: 'ledger',
    envs: ['prd'],
    maxRetries: 1,
    resetAfter: 'never',
    providers: [{ name: 'books', retries: 0, timeout: 45 }],
  },
  {
    tag: 'ledger',
    envs: ['dev', 'staging'],
    maxRetries: 3,
    resetAfter: 600,
    fallbackProvider: 'copy',
    limit: 5,
    providers: [
      { name: 'books', retries: 0, timeout: 45, asksWhen: true, asksAccept: true },
      { name: 'copy', retries: 1, timeout: 20, backoff: { initialDelay: 1, jitter: 'full' } },
    ],
  },
  {
    tag: 'sms',
    maxRetries: 4,
    resetAfter: 500,
    output: 'async',
    providers: [
      { name: 'vonage', retries: 1, backoff: 3, asksAccept: true },
      { name: 'twilio', retries: 0 },
      { name: 'push', retries: 0, asksWhen: true },
    ],
  },
];
