import type { Checked, Refusal } from '../definition/check.ts';
import type { Definition } from '../definition/definition.ts';
import type { ProviderDefinition } from '../definition/provider.ts';
import { isThenable, validate } from '../definition/standard.ts';
import { conceal, spelt } from '../quote.ts';
import { failed, type Outcome, succeeded } from './attempt.ts';
import { ask } from './predicate.ts';

/** Whether an output is acceptable: to the definition's schema first, then to the provider's `accept`. */
export function judge(
  provider: ProviderDefinition,
  schema: Definition['output'],
  output: unknown,
  token: string | undefined,
): Outcome | PromiseLike<Outcome> {
  return schema ? checked(schema, provider, output, token) : accepted(provider, output);
}

function checked(
  schema: NonNullable<Definition['output']>,
  provider: ProviderDefinition,
  output: unknown,
  token: string | undefined,
): Outcome | PromiseLike<Outcome> {
  const conclude = (told: Checked<unknown>) =>
    told.issues ? failed(unacceptable(provider.name, told, token), 'output', true) : accepted(provider, told.value);
  const told = validate(schema, output);
  return isThenable(told) ? told.then(conclude) : conclude(told);
}

function accepted({ name, accept }: ProviderDefinition, output: unknown): Outcome {
  if (!accept) return succeeded(output);
  const answer = ask('accept', accept, output);
  if (answer.fault) return failed(answer.fault.error, 'predicate', true);
  if (answer.says) return succeeded(output);
  return failed(new TypeError(`${spelt(name)} gave an output that accept refused`), 'output', true);
}

/** An output its schema refused. */
function unacceptable(provider: string, { issues: raw, thrown }: Refusal, token: string | undefined): TypeError {
  const issues = raw.map(({ path, message }) => ({ path: conceal(path, token), message: conceal(message, token) }));
  const reasons = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
  const message = `${spelt(provider)} gave an output that its schema refused: ${reasons}`;
  return Object.assign(thrown ? new TypeError(message, { cause: thrown[0] }) : new TypeError(message), { issues });
}
