import { defineFallback, type Fallback, type Provider, type StandardSchema } from '../../../dist/index.js';
import { Refusable } from './behaviours.ts';
import { FALLBACKS, type FallbackFacts, type ProviderFacts } from './facts.ts';
import type { Faults } from './faults.ts';

type Validate = StandardSchema['~standard']['validate'];
type Input = Record<string, unknown>;

/** The definitions, made of the facts. They belong to no engine: one set serves all that live in a soak. */
export function definitionsOf(faults: Faults, checkInput: Validate): readonly Fallback[] {
  return FALLBACKS.map((facts) => define(facts, faults, checkInput));
}

function define(facts: FallbackFacts, faults: Faults, checkInput: Validate): Fallback {
  const { tag, envs, maxRetries, resetAfter, deadline, fallbackProvider, limit } = facts;
  return defineFallback({
    tag,
    maxRetries,
    resetAfter,
    ...(envs && { env: envs }),
    ...(deadline !== undefined && { deadline }),
    ...(fallbackProvider !== undefined && { fallbackProvider }),
    ...(facts.input && { input: schema<Input>(checkInput as StandardSchema<Input, Input>['~standard']['validate']) }),
    ...(facts.output && { output: schema(facts.output === 'sync' ? checkOutput : checkOutputLater) }),
    ...(limit !== undefined && { settings: schema(checkLimit(limit)) }),
    ...(facts.hasHandle && { handle: (error: unknown) => faults.handle(error) }),
    providers: facts.providers.map((provider) => providerOf(facts, provider, faults)),
  }) as Fallback;
}

function providerOf(facts: FallbackFacts, provider: ProviderFacts, faults: Faults): Provider<Input, unknown, unknown> {
  const { name, retries, timeout, backoff, value } = provider;
  const base = {
    name,
    retries,
    ...(timeout !== undefined && { timeout }),
    ...(backoff !== undefined && { backoff: backoff === 'own' ? () => faults.backoff() : backoff }),
    ...(provider.asksWhen && { when: (_: Input, ctx: Parameters<Faults['when']>[0]) => faults.when(ctx) }),
    ...(provider.asksAccept && { accept: (output: unknown) => faults.accept(output) }),
    ...(provider.asksShouldRetry && {
      shouldRetry: (_: unknown, ctx: Parameters<Faults['shouldRetry']>[0]) => faults.shouldRetry(ctx),
    }),
  };
  if (value !== undefined) return { ...base, value };
  return { ...base, run: (_, ctx) => faults.run(facts, provider, ctx) };
}

function schema<T = unknown>(validate: StandardSchema<T, T>['~standard']['validate']): StandardSchema<T, T> {
  return { '~standard': { version: 1, vendor: 'soak', validate } };
}

/** The output is handed on as it is. What `accept` throws at, the schema lets through. */
const checkOutput: Validate = (value) =>
  value instanceof Refusable && !value.fault ? { issues: [{ message: 'expected a fit output' }] } : { value };

const checkOutputLater: Validate = async (value) => checkOutput(value);

function checkLimit(limit: number): Validate {
  return (value) => {
    const given = (value as { limit?: unknown }).limit ?? limit;
    return typeof given === 'number'
      ? { value: { limit: given } }
      : { issues: [{ message: 'expected a number', path: ['limit'] }] };
  };
}
