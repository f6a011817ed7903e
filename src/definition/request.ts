import { InvalidRequestError, type Where } from '../errors.ts';
import type { ISession } from '../types.ts';
import { a, check, fields, isObject, isText, maybe, once, open, type Refusal, record, text } from './check.ts';

export type Action = 'trigger' | 'update' | 'reset';

/** One machine's address. */
export interface Address {
  readonly env: string;
  readonly product: string;
  readonly tag: string;
  readonly cache: string | undefined;
}

/** IFallbackProcessorInput, checked and completed: the {@link Where} of what is told of it. */
export interface Request extends Address {
  readonly action: Action;
  readonly input: Readonly<Record<string, unknown>>;
  readonly session: ISession | undefined;
  /** The session's. */
  readonly token: string | undefined;
}

/** The env and product of calls that name none. */
export interface Defaults {
  readonly env: string | undefined;
  readonly product: string | undefined;
}

const ACTIONS: readonly string[] = ['trigger', 'update', 'reset'];
const REQUEST_KEYS = new Set(['env', 'product', 'fallback_tag', 'action', 'input', 'session', 'cache']);
const NO_INPUT: Readonly<Record<string, unknown>> = Object.freeze({});

export const sessionShape = once(() => fields({ tag: text(), token: text() }));

const requestShape = once(() =>
  fields({
    env: maybe(text()),
    product: maybe(text()),
    fallback_tag: text(),
    action: a<Action>("'trigger', 'update' or 'reset'", (value) => ACTIONS.includes(value as string)),
    input: maybe(record()),
    session: maybe(sessionShape()),
    cache: maybe(text()),
  }),
);

/**
 * Zod is the judge, and its findings the message; but it would be half the cost of a trigger. So a request that is plainly
 * right is taken at sight, each field read once, and only another goes before the judge. A property holds them to agree.
 *
 * @throws InvalidRequestError
 */
export function readRequest(raw: unknown, defaults: Defaults, where?: Where): Request {
  return atSight(raw, defaults) ?? judged(raw, defaults, where);
}

function atSight(raw: unknown, defaults: Defaults): Request | undefined {
  try {
    if (!isObject(raw)) return undefined;
    for (const key in raw) if (!REQUEST_KEYS.has(key)) return undefined;
    const { env = defaults.env, product = defaults.product, fallback_tag: tag, action } = raw;
    const { input = NO_INPUT, session, cache } = raw;
    if (!isText(env) || !isText(product) || !isText(tag) || !isObject(input)) return undefined;
    if (action !== 'trigger' && action !== 'update' && action !== 'reset') return undefined;
    if (cache !== undefined && !isText(cache)) return undefined;
    if (session === undefined) return { env, product, tag, cache, action, input, session, token: undefined };
    const checked = check(sessionShape(), session);
    if (checked.issues) return undefined;
    return { env, product, tag, cache, action, input, session: checked.value, token: checked.value.token };
  } catch {
    // What throws when read is judged like anything else that is not plainly right.
    return undefined;
  }
}

/** The slow way to the same answer. */
export function judged(raw: unknown, defaults: Defaults, where?: Where): Request {
  const checked = check(requestShape(), raw);
  if (checked.issues) return refuse(checked, raw, where);
  const { env, product, fallback_tag: tag, action, input = NO_INPUT, session, cache } = checked.value;
  return {
    ...placed({ env, product }, defaults, { id: where?.id, primary: where?.primary, tag }),
    tag,
    cache,
    action,
    input,
    session,
    token: session?.token,
  };
}

/** Another input for a request. @throws InvalidRequestError */
export function inputFor(known: Request, input: unknown = NO_INPUT, where?: Where): Request['input'] {
  if (isObject(input)) return input;
  const { env, product, tag: fallback_tag, cache, action, session } = known;
  return judged({ env, product, fallback_tag, cache, action, input, session }, known, where).input;
}

const addressShape = once(() =>
  open({ env: maybe(text()), product: maybe(text()), fallback_tag: text(), cache: maybe(text()) }),
);

/** The address in a request whose other fields do not matter. @throws InvalidRequestError */
export function readAddress(raw: unknown, defaults: Defaults, where?: Where): Address {
  const checked = check(addressShape(), raw);
  if (checked.issues) return refuse(checked, raw, where);
  const { env, product, fallback_tag: tag, cache } = checked.value;
  return { ...placed({ env, product }, defaults, { id: where?.id, primary: where?.primary, tag }), tag, cache };
}

/** Env and product, of the call or of the engine. @throws InvalidRequestError */
export function placed(given: Partial<Defaults>, defaults: Defaults, where: Where): { env: string; product: string } {
  const { env = defaults.env, product = defaults.product } = given;
  if (env !== undefined && product !== undefined) return { env, product };
  const missing = [env === undefined && 'env', product === undefined && 'product'].filter((key) => key !== false);
  const message = 'expected a string that is not empty, got nothing, and the engine has no default';
  throw new InvalidRequestError(
    missing.map((path) => ({ path, message })),
    where,
  );
}

/** Tells as much of where as can be read. The token above all: it must not be shown. */
function refuse(refusal: Refusal, raw: unknown, { id, primary }: Where = {}): never {
  throw new InvalidRequestError(refusal.issues, { ...legible(raw), id, primary }, refusal.thrown);
}

function legible(raw: unknown): Where {
  const read = (...path: readonly string[]): string | undefined => {
    try {
      const found = path.reduce((value, key) => (value as Record<string, unknown> | undefined)?.[key], raw);
      return isText(found) ? found : undefined;
    } catch {
      return undefined;
    }
  };
  const [env, product, tag, cache] = ['env', 'product', 'fallback_tag', 'cache'].map((key) => read(key));
  return { env, product, tag, cache, token: read('session', 'token') };
}
