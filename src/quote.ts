/**
 * How the engine puts values and errors into words: safely, whatever they are, and never with a session's token.
 */

/** What came, in a few words. Long strings are told by length, so that no part of a secret is ever cut loose. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string')
    return value.length > 40 ? `a string of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    if (!Array.isArray(value)) return 'an object';
    return value.length === 0 ? 'an empty array' : 'an array';
  } catch {
    return 'an object that cannot be read';
  }
}

/** A name, which is shown whole: it is no secret, and is to be found again. */
export function spelt(name: string): string {
  return name.length > LONGEST_NAME ? show(name) : JSON.stringify(name);
}

const LONGEST_NAME = 128;

/** An error as text: `Name: message`, or what was thrown instead of one. */
export function quote(error: unknown): string {
  try {
    if (typeof error === 'string') return error;
    return error instanceof Error ? `${error.name}: ${error.message}` : show(error);
  } catch {
    return 'an error that cannot be read';
  }
}

const MARK = '[token]';

/** `text` with `[token]` wherever the token stood, as it is or as JSON writes it. Doing it twice changes nothing. */
export function conceal(text: string, token: string | undefined): string {
  if (!token) return text;
  const marked = (piece: string, [form = '', ...others]: readonly string[]): string =>
    form === ''
      ? piece
      : piece
          .split(form)
          .map((rest) => marked(rest, others))
          .join(MARK);
  return marked(text, [MARK, JSON.stringify(token).slice(1, -1), token]);
}

const ERROR_FIELDS = new Set(['cause', 'error', 'lastError']);
/** What these hold is the user's own: an `error` in it is no error that we have met. */
const THEIRS = new Set(['input', 'output', 'config']);

/** A JSON copy of facts of ours: each error in them as text, the token nowhere. */
export function plain(
  value: unknown,
  token?: string,
  isOurs = true,
  key = '',
  above: readonly unknown[] = [],
): unknown {
  if (isOurs && ERROR_FIELDS.has(key)) return conceal(quote(value), token);
  if (typeof value === 'string') return conceal(value, token);
  if (typeof value !== 'object' || value === null) return value;
  if (above.includes(value)) return '[circular]';
  const deeper = (item: unknown, name: string) =>
    plain(item, token, isOurs && !THEIRS.has(name), name, [...above, value]);
  if (Array.isArray(value)) return value.map((item) => deeper(item, isOurs && key === 'errors' ? 'error' : ''));
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype || prototype === null;
  if (!isPlain || (!isOurs && writesItself(value))) return token ? written(value, token) : value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [conceal(name, token), deeper(item, name)]));
}

function writesItself(value: object): boolean {
  return typeof (value as { readonly toJSON?: unknown }).toJSON === 'function';
}

/** A foreign object as JSON has it, without the token. */
function written(value: object, token: string): unknown {
  try {
    return plain(JSON.parse(JSON.stringify(value)), token, false);
  } catch {
    return show(value);
  }
}

/** Makes `JSON.stringify` of facts show their errors as text, and no token. */
export function discreet<T extends object>(facts: T, token: string | undefined): T {
  return Object.defineProperty(facts, 'toJSON', { value: () => plain({ ...facts }, token) });
}

/** An error, and the token of the session that met it. */
export interface Met {
  readonly error: unknown;
  readonly token: string | undefined;
}

/** The text of an error as anyone may read it. */
export function errorText({ error, token }: Met): string {
  return conceal(quote(error), token);
}
