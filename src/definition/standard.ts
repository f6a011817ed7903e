import type { Issue, StandardIssue, StandardSchema } from '../types.ts';
import { type Checked, isFunction, kindAt, pathText, unreadable } from './check.ts';

/** The thenables among values; a `then` that throws when read is left to whoever follows it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  return value instanceof Promise || isFunction((value as { then?: unknown }).then);
}

export function isStandardSchema(value: unknown): value is StandardSchema<unknown, unknown> {
  const standard = (value as { '~standard'?: { validate?: unknown } } | null | undefined)?.['~standard'];
  return isFunction(standard?.validate);
}

/** Asks a schema about a value, whatever either of them throws. */
export function validate(
  schema: StandardSchema<unknown, unknown>,
  value: unknown,
): Checked<unknown> | PromiseLike<Checked<unknown>> {
  try {
    const result = schema['~standard'].validate(value);
    return isThenable(result)
      ? new Promise((resolve) => resolve(result)).then((settled) => verdict(settled, value), unreadable)
      : verdict(result, value);
  } catch (error) {
    return unreadable(error);
  }
}

function verdict(result: unknown, value: unknown): Checked<unknown> {
  try {
    const { issues, value: output } = result as { issues?: readonly StandardIssue[]; value: unknown };
    return issues ? { issues: Array.from(issues, (issue) => complaint(issue, value)) } : { value: output };
  } catch (error) {
    return unreadable(error);
  }
}

function complaint({ message, path = [] }: StandardIssue, root: unknown): Issue {
  const keys = path.map((step) => (typeof step === 'object' ? step.key : step));
  // The kind of value only: an input is the user's, and may hold what belongs in no log.
  return { path: pathText(keys), message: `${message}, got ${kindAt(keys, root)}` };
}
